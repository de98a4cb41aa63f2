"""Trades once and in order, and missing ids."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from atelier_pipeline.decode.columns import Arrivals, Fills, trades_of
from atelier_pipeline.decode.links import Alive
from atelier_pipeline.decode.trades import IdChain, fills_within, first_of_each
from atelier_pipeline_tests.decode.script import WINDOW, at, trade

Row = tuple[float, int]


def fills_of(rows: Sequence[Row]) -> Fills:
    events = [trade(second, number) for second, number in rows]
    times = np.array([event.ts_event for event in events], np.int64)
    flags = np.zeros(len(rows), np.bool_)
    order = np.arange(len(rows))
    return trades_of(Arrivals(order, order * 0, times, times + 1, flags, flags), events)


rows_of_trades = st.lists(
    st.tuples(st.integers(-2, 12).map(float), st.integers(1, 30)), max_size=30
)


@given(rows_of_trades)
def test_of_one_id_the_first_received_in_the_window_stays(rows: list[Row]) -> None:
    first: dict[int, float] = {}
    inside = [(second, number) for second, number in rows if 0 <= second < 10]
    for second, number in inside:
        first.setdefault(number, second)
    found = fills_within(fills_of(rows), WINDOW.start_ns, WINDOW.end_ns)
    kept = list(zip(found.fills.ts_event.tolist(), found.fills.id.tolist(), strict=True))
    expected = sorted(first.items(), key=lambda item: item[1])
    assert kept == [(at(second), str(number)) for number, second in expected]
    assert found.duplicates == len(inside) - len(first)


@given(rows_of_trades)
def test_holes_count_every_id_between_the_smallest_and_the_largest(rows: list[Row]) -> None:
    ids = {number for _, number in rows}
    holes = list(IdChain.of(fills_of(rows)).holes([]))
    missing = {n for hole in holes for n in range((hole.before or 0) + 1, hole.after or 0)}
    expected = set(range(min(ids), max(ids))) - ids if ids else set[int]()
    assert missing == expected
    assert sum(hole.lost or 0 for hole in holes) == len(expected)


def test_ids_that_are_no_numbers_are_no_part_of_a_chain() -> None:
    fills = fills_of([(1, 1), (2, 2)])
    fills.id[1] = "b7d1"
    chain = IdChain.of(fills)
    assert (chain.id.tolist(), list(chain.holes([]))) == ([1], [])


def test_heartbeats_alone_tell_of_trades_between_them() -> None:
    beats = [Alive("A", 3, at(1), 10), Alive("A", 9, at(2), 12)]
    (hole,) = IdChain.of(fills_of([])).holes(beats)
    assert (hole.before, hole.after, hole.lost, hole.start, hole.end) == (10, None, 2, at(1), at(2))


def test_events_without_an_id_all_count() -> None:
    ids = np.array(["", "a", "", "a", "b"], np.object_)
    assert first_of_each(ids).tolist() == [0, 1, 2, 4]
