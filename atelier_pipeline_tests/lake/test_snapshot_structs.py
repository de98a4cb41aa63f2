"""Sync tables as market snapshots: what the rules say, and a refusal where the rows are others."""

import pyarrow as pa
import pytest
from hypothesis import given, settings

from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake.snapshot_structs import market_snapshots
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.synchronise import SyncSettings
from atelier_pipeline_tests.lake.expected_snapshots import expected_snapshots
from atelier_pipeline_tests.synchronise.markets import (
    MS,
    PERIOD,
    T0,
    Market,
    book_message,
    markets,
    random_market,
)
from atelier_pipeline_tests.synchronise.reference import Reference
from atelier_pipeline_tests.synchronise.test_window import synchronise

SYNC = SyncSettings(period_ns=PERIOD, depth=3)
BUSY = random_market(3, counts=dict.fromkeys(Dataset, 25))


def synchronised(market: Market):
    return synchronise(market, SYNC)


@settings(max_examples=60, deadline=None)
@given(markets())
def test_snapshots_hold_the_books_events_and_states_of_the_rules(market):
    rows = synchronised(market)
    reference = Reference(market, SYNC)
    expected = expected_snapshots(reference, reference.window())
    assert market_snapshots(rows.snapshots, rows.tables) == expected


def test_an_empty_book_is_told_from_an_unknown_one():
    market = Market(
        {
            Dataset.ORDERBOOKS: [
                book_message(T0 + 150 * MS, [(99.0, 1.0)], [(101.0, 1.0)], is_snapshot=True),
                book_message(T0 + 250 * MS, [(99.0, 0.0)], [(101.0, 0.0)]),
            ]
        }
    )
    rows = synchronised(market)
    books = [tick.orderbook for tick in market_snapshots(rows.snapshots, rows.tables)]
    assert books[0] is None
    assert (books[1].bids, books[1].asks) == ([(99.0, 1.0)], [(101.0, 1.0)])
    assert (books[2].bids, books[2].asks, books[2].orderbook_ts) == ([], [], T0 + 300 * MS)


@pytest.mark.parametrize("dataset", [Dataset.ORDERBOOKS, Dataset.TRADES, Dataset.LIQUIDATIONS])
def test_rows_that_the_index_counts_and_no_file_has_are_refused_with_their_tick(dataset):
    rows = synchronised(BUSY)
    table = rows.tables[dataset]
    assert table.num_rows > 3
    tick = _stamps(table)[0].as_py()
    without_first = {**rows.tables, dataset: table.slice(1)}
    with pytest.raises(LakeError, match=rf"{dataset.value} at the tick {tick} ns are not those"):
        market_snapshots(rows.snapshots, without_first)
    absent = {d: t for d, t in rows.tables.items() if d is not dataset}
    with pytest.raises(LakeError, match=rf"{dataset.value} at the tick {tick} ns are not those"):
        market_snapshots(rows.snapshots, absent)


@pytest.mark.parametrize("dataset", list(Dataset))
def test_rows_of_a_tick_that_the_index_lacks_are_refused(dataset):
    rows = synchronised(BUSY)
    tick = _stamps(rows.tables[dataset])[-1].as_py()
    tables = {d: t if d is dataset else _before(t, tick) for d, t in rows.tables.items()}
    with pytest.raises(LakeError, match=f"{dataset.value} at the tick {tick} ns"):
        market_snapshots(_before(rows.snapshots, tick), tables)


def test_two_states_of_one_tick_are_refused():
    rows = synchronised(BUSY)
    fundings = rows.tables[Dataset.FUNDINGS]
    doubled = pa.concat_tables([fundings.slice(0, 1), fundings])
    with pytest.raises(LakeError, match="fundings at the tick"):
        market_snapshots(rows.snapshots, {**rows.tables, Dataset.FUNDINGS: doubled})


def _before(table: pa.Table, tick: int) -> pa.Table:
    return table.filter(pa.array(_stamps(table).to_numpy() < tick))


def _stamps(table: pa.Table):
    return table["grid_ts"].cast(pa.int64())
