"""The engine fed piece by piece: any split gives the same rows, live rows are the window's rows."""

import itertools

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from atelier_pipeline.aggregate import aggregate
from atelier_pipeline.errors import SettingsError
from atelier_pipeline.lake.schemas import GAPS
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.synchronise import (
    ClockMode,
    MarketSynchronizer,
    Synchronised,
    SyncSettings,
)
from atelier_pipeline_tests.market.messages import columns_of
from atelier_pipeline_tests.synchronise.markets import (
    DELAY,
    MS,
    NAMES,
    PERIOD,
    T0,
    WINDOW,
    Market,
    book_message,
    markets,
    open_interest,
    raw_table,
    time_of,
    trade,
)
from atelier_pipeline_tests.synchronise.reference import DRIVERS, Reference
from atelier_pipeline_tests.synchronise.rows import assert_same, expected
from atelier_pipeline_tests.synchronise.test_window import any_settings, synchronise

NO_GAPS = GAPS.empty_table()


def engine(market: Market, sync: SyncSettings, window=None) -> MarketSynchronizer:
    return MarketSynchronizer(
        sync, **NAMES, datasets=market.events, window=window, cut_depth=market.cut_depth
    )


def pieces(items: list, cuts: list[int]) -> list[list]:
    bounds = [0, *sorted(min(cut, len(items)) for cut in cuts), len(items)]
    return [items[start:end] for start, end in itertools.pairwise(bounds)]


def joined(parts: list[Synchronised]) -> Synchronised:
    tables = {d: pa.concat_tables([p.tables[d] for p in parts]) for d in parts[0].tables}
    return Synchronised(tables, pa.concat_tables([part.snapshots for part in parts]))


cuts = st.lists(st.integers(0, 60), max_size=6)


@settings(max_examples=100, deadline=None)
@given(markets(), any_settings(), cuts)
def test_a_window_is_the_same_in_any_split(market, sync, cuts):
    split = engine(market, sync, market.window)
    for dataset in market.events:
        opening = market.opening.get(dataset)
        for events in pieces(market.events[dataset], cuts):
            split.feed(dataset, raw_table(dataset, events, opening))
            opening = None
    rows, whole = split.finalize(market.gap_table()), synchronise(market, sync)
    assert_same(rows, whole)
    assert split.finalize(market.gap_table()).snapshots.num_rows == 0
    assert rows.open_interest_before == whole.open_interest_before


def arrivals(market: Market) -> list[tuple]:
    """Every event with its dataset, in order of receipt."""
    events = [(d, e) for d, events in market.events.items() for e in events]
    return sorted(events, key=lambda pair: pair[1].ts_recv)


def live(market: Market, sync: SyncSettings, cuts: list[int], *, resumed=False) -> Synchronised:
    """Feeds runs of arrivals, and after each one asks for the rows that are ready."""
    worker = engine(market, sync)
    runs = pieces(arrivals(market), cuts)
    parts = []
    for run, following in itertools.zip_longest(runs, runs[1:]):
        for dataset in market.events:
            events = [event for d, event in run if d is dataset]
            if dataset is Dataset.ORDERBOOKS and len(events) % 2:
                worker.feed_book(columns_of(events))
            else:
                worker.feed(dataset, raw_table(dataset, events))
        if following:
            parts.append(worker.drain(following[0][1].ts_recv, market.gap_table()))
        if resumed:
            worker = MarketSynchronizer.resume(worker.save())
    return joined([*parts, worker.finalize(market.gap_table())])


def live_ticks(market: Market, sync: SyncSettings) -> tuple[int, int] | None:
    """The stamps of the first and last row of a worker without windows."""
    timed = [(d, _live_time(market, sync, d, e), e) for d, e in arrivals(market)]
    driver = DRIVERS.get(sync.mode)
    driving = [(e.ts_recv, time) for d, time, e in timed if driver in {d, None}]
    if not driving:
        return None
    first = min(driving, key=lambda pair: pair[0])[1]
    last = max(time for _, time, _ in timed)
    return first // PERIOD * PERIOD + PERIOD, last // PERIOD * PERIOD + PERIOD


def _live_time(market, sync, dataset, event) -> int:
    if dataset is not Dataset.ORDERBOOKS:
        return time_of(event, sync.clock)
    index = next(i for i, e in enumerate(market.events[dataset]) if e is event)
    return market.times(dataset, sync.clock)[index]


def without_openings(market: Market) -> Market:
    return Market(market.events, gaps=market.gaps, cut_depth=market.cut_depth)


@settings(max_examples=150, deadline=None)
@given(markets(), any_settings(), cuts)
def test_live_rows_are_those_of_the_rules_in_any_split(market, sync, cuts):
    market = without_openings(market)
    driver = DRIVERS.get(sync.mode)
    assume(driver is None or driver in market.events)
    assume(market.events)
    reference = Reference(market, sync, live=True)
    ticks = live_ticks(market, sync)
    wanted = list(reference.ticks(*ticks)) if ticks else []
    assert_same(live(market, sync, cuts), expected(reference, wanted))


@settings(max_examples=100, deadline=None)
@given(markets(), any_settings(), cuts)
def test_a_live_row_without_late_events_is_the_row_of_the_window(market, sync, cuts):
    market = without_openings(market)
    driver = DRIVERS.get(sync.mode)
    assume(market.events and (driver is None or driver in market.events))
    window = {row["grid_ts"]: row for row in synchronise(market, sync).snapshots.to_pylist()}
    for row in live(market, sync, cuts).snapshots.to_pylist():
        same = window.get(row["grid_ts"])
        if same is not None and same["n_late"] == 0:
            assert row == same


@settings(max_examples=60, deadline=None)
@given(markets(), any_settings())
def test_one_event_at_a_time_gives_the_rows_of_all_at_once(market, sync):
    market = without_openings(market)
    driver = DRIVERS.get(sync.mode)
    assume(market.events and (driver is None or driver in market.events))
    one_by_one = list(range(1, len(arrivals(market))))
    assert_same(live(market, sync, one_by_one), live(market, sync, []))


@settings(max_examples=60, deadline=None)
@given(markets(), any_settings(), cuts)
def test_an_engine_that_is_saved_and_resumed_goes_on_as_if_nothing_had_been(market, sync, cuts):
    market = without_openings(market)
    driver = DRIVERS.get(sync.mode)
    assume(market.events and (driver is None or driver in market.events))
    assert_same(live(market, sync, cuts, resumed=True), live(market, sync, cuts))


@settings(max_examples=30, deadline=None)
@given(markets(), any_settings())
def test_a_window_that_is_saved_and_resumed_goes_on_as_if_nothing_had_been(market, sync):
    worker = engine(market, sync, market.window)
    for dataset, events in market.events.items():
        worker.feed(dataset, raw_table(dataset, events, market.opening.get(dataset)))
        counts = worker.refused, worker.late
        worker = MarketSynchronizer.resume(worker.save())
        assert (worker.refused, worker.late) == counts
    assert_same(worker.finalize(market.gap_table()), synchronise(market, sync))
    ended = MarketSynchronizer.resume(worker.save())
    assert ended.finalize(market.gap_table()).snapshots.num_rows == 0


@given(st.binary(max_size=40))
def test_bytes_that_are_no_state_are_refused(data):
    with pytest.raises(SettingsError, match="state"):
        MarketSynchronizer.resume(data)


def test_a_state_that_was_cut_or_is_of_another_version_is_refused():
    state = engine(Market({Dataset.TRADES: []}), TIMED).save()
    with pytest.raises(SettingsError, match="no state of a MarketSynchronizer"):
        MarketSynchronizer.resume(state[:-10])
    newer = msgspec.msgpack.encode({**msgspec.msgpack.decode(state), "version": 2})
    with pytest.raises(SettingsError, match="version 2 can't be resumed by version 1"):
        MarketSynchronizer.resume(newer)


TIMED = SyncSettings(period_ns=PERIOD, mode=ClockMode.ExternalClock)
SYNC = SyncSettings(period_ns=PERIOD, emission_delay_ns=DELAY)
SNAPSHOT = book_message(T0 + 10 * MS, [(99.0, 1.0)], [(101.0, 1.0)], is_snapshot=True)


def book_table(*messages):
    return raw_table(Dataset.ORDERBOOKS, list(messages))


def stamps(rows: Synchronised) -> list[int]:
    return [(stamp - T0) // MS for stamp in rows.snapshots["grid_ts"].cast("int64").to_pylist()]


def test_a_row_waits_for_a_driving_event_after_its_period_and_for_the_delay():
    worker = engine(Market({Dataset.ORDERBOOKS: [], Dataset.TRADES: []}), SYNC)
    worker.feed(Dataset.TRADES, raw_table(Dataset.TRADES, [trade(T0 + 250 * MS)]))
    worker.feed(Dataset.ORDERBOOKS, book_table(SNAPSHOT))
    assert stamps(worker.drain(T0 + 900 * MS, NO_GAPS)) == []
    worker.feed(Dataset.ORDERBOOKS, book_table(book_message(T0 + 210 * MS, [(98.0, 1.0)])))
    assert stamps(worker.drain(T0 + 300 * MS, NO_GAPS)) == []
    assert stamps(worker.drain(T0 + 300 * MS + 1, NO_GAPS)) == [100]
    assert stamps(worker.drain(T0 + 900 * MS, NO_GAPS)) == [200]
    assert stamps(worker.finalize(NO_GAPS)) == [300]


def test_time_as_the_clock_needs_no_driving_event():
    sync = SyncSettings(period_ns=PERIOD, emission_delay_ns=DELAY, mode=ClockMode.ExternalClock)
    worker = engine(Market({Dataset.TRADES: []}), sync)
    assert stamps(worker.drain(T0, NO_GAPS)) == []
    worker.feed(Dataset.TRADES, raw_table(Dataset.TRADES, [trade(T0 + 50 * MS)]))
    rows = worker.drain(T0 + 501 * MS, NO_GAPS)
    assert stamps(rows) == [100, 200, 300]
    assert rows.snapshots["driven"].to_pylist() == [True, True, True]
    assert rows.snapshots["filled"].to_pylist() == [False, True, True]


def test_under_the_receive_clock_a_row_waits_for_nothing():
    sync = SyncSettings(period_ns=PERIOD, clock="receive")
    worker = engine(Market({Dataset.ORDERBOOKS: []}), sync)
    worker.feed(Dataset.ORDERBOOKS, book_table(SNAPSHOT, book_message(T0 + 100 * MS, [(9, 1)])))
    assert stamps(worker.drain(T0 + 100 * MS + 1, NO_GAPS)) == [100]


def test_a_late_event_is_left_out_of_its_live_row_counted_and_kept_in_the_book():
    worker = engine(Market({Dataset.ORDERBOOKS: [], Dataset.TRADES: []}), SYNC)
    late = {"ts_recv": T0 + 301 * MS}
    worker.feed(Dataset.TRADES, raw_table(Dataset.TRADES, [trade(T0 + 50 * MS, **late)]))
    worker.feed(
        Dataset.ORDERBOOKS,
        book_table(SNAPSHOT, book_message(T0 + 20 * MS, [(100.0, 5.0)], **late)),
    )
    rows = worker.finalize(NO_GAPS)
    assert rows.snapshots["n_trades"].to_pylist() == [0]
    assert rows.snapshots["n_late"].to_pylist() == [0]
    assert rows.tables[Dataset.ORDERBOOKS]["price"].to_pylist() == [99.0, 101.0]
    assert worker.late == {Dataset.ORDERBOOKS: 1, Dataset.TRADES: 1}


def test_events_after_the_end_are_counted_and_refused():
    worker = engine(Market({Dataset.ORDERBOOKS: [], Dataset.TRADES: []}), SYNC)
    worker.feed(Dataset.ORDERBOOKS, book_table(SNAPSHOT))
    assert stamps(worker.finalize(NO_GAPS)) == [100]
    worker.feed(Dataset.TRADES, raw_table(Dataset.TRADES, [trade(T0), trade(T0)]))
    worker.feed(Dataset.ORDERBOOKS, book_table(SNAPSHOT))
    assert worker.refused == {Dataset.ORDERBOOKS: 1, Dataset.TRADES: 2}
    assert stamps(worker.finalize(NO_GAPS)) == []
    assert stamps(worker.drain(T0 + 900 * MS, NO_GAPS)) == []


def test_events_outside_the_window_are_counted_and_refused():
    worker = engine(Market({Dataset.ORDERBOOKS: [], Dataset.TRADES: []}), SYNC, WINDOW)
    outside = [trade(T0 - 1), trade(T0), trade(WINDOW.end_ns - 1), trade(WINDOW.end_ns)]
    worker.feed(Dataset.TRADES, raw_table(Dataset.TRADES, outside))
    later = book_message(WINDOW.end_ns, [(1.0, 1.0)])
    worker.feed(Dataset.ORDERBOOKS, book_table(SNAPSHOT, later))
    assert worker.refused == {Dataset.ORDERBOOKS: 1, Dataset.TRADES: 2}
    assert worker.drain(WINDOW.end_ns, NO_GAPS).snapshots.num_rows == 0
    assert worker.finalize(NO_GAPS).tables[Dataset.TRADES].num_rows == 2


def test_a_worker_whose_driving_feed_is_not_captured_is_refused():
    sync = SyncSettings(period_ns=PERIOD, mode=ClockMode.LiquidationDriven)
    with pytest.raises(SettingsError, match=r"on_liquidation .* liquidations"):
        engine(Market({Dataset.TRADES: []}), sync)


def test_the_open_interest_before_the_first_row_is_carried_from_piece_to_piece():
    sync = SyncSettings(period_ns=PERIOD, emission_delay_ns=0, mode=ClockMode.ExternalClock)
    worker = engine(Market({Dataset.OPEN_INTERESTS: []}), sync)
    events = [open_interest(T0 + 10 * MS, 5.0), open_interest(T0 + 110 * MS, 7.0)]
    worker.feed(Dataset.OPEN_INTERESTS, raw_table(Dataset.OPEN_INTERESTS, events))
    assert worker.drain(T0 + 101 * MS, NO_GAPS).open_interest_before is None
    assert worker.drain(T0 + 201 * MS, NO_GAPS).open_interest_before == 5.0
    assert worker.drain(T0 + 301 * MS, NO_GAPS).open_interest_before == 7.0


@given(market=markets(), sync=any_settings())
@settings(max_examples=25, deadline=None)
def test_the_newest_aggregate_is_that_of_the_last_row_that_came_out(market, sync):
    feeding = engine(market, sync, WINDOW)
    for dataset in market.events:
        feeding.feed(dataset, market.table(dataset))
    assert feeding.market_aggregate() is None
    rows = feeding.finalize(NO_GAPS)
    table = aggregate(rows).slice(rows.snapshots.num_rows - 1)
    newest = msgspec.structs.asdict(feeding.market_aggregate())
    quality = msgspec.structs.asdict(newest.pop("quality"))
    quality["known_at"] = np.datetime64(quality["known_at"], "ns")
    told = {name: table[name].to_numpy(zero_copy_only=False)[0] for name in table.column_names}
    for name, value in {**newest, **quality}.items():
        assert value == told[name] or (value is None and not table[name][0].is_valid), name
