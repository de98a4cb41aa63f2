"""Recorded markets on the grid: the rows of the rules, and no row looks ahead."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from atelier_pipeline.aggregate import aggregate
from atelier_pipeline.decode.seal import Sealed, seal
from atelier_pipeline.synchronise import Synchronised, SyncSettings
from atelier_pipeline_tests.decode.replays import PERIOD_NS, Replay, replay
from atelier_pipeline_tests.synchronise.reference import Reference
from atelier_pipeline_tests.synchronise.rows import assert_equal_rows, assert_same, expected
from atelier_pipeline_tests.synchronise.sealed import market_of, on_the_grid, raw_tables

RECORDED = pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("kraken/btc-usd_book10", "BTC/USD"),
        ("bybit/tickers", "BTCUSDT"),
        ("bybit_spot/btcusdt_book50_trades", "BTCUSDT"),
        ("coinbase/btc-usd_level2_heartbeats", "BTC-USD"),
    ],
)
CLOCKS = pytest.mark.parametrize("clock", ["event", "receive"])


def synchronised(recorded: Replay, sealed: Sealed, symbol: str, clock: str) -> Synchronised:
    sync = SyncSettings(period_ns=PERIOD_NS, clock=clock)
    return on_the_grid(sealed, recorded.scope, symbol, recorded.window, sync)


@CLOCKS
@RECORDED
def test_a_recording_has_the_rows_of_the_rules(recordings, name, symbol, clock):
    recorded = replay(recordings, name)
    sealed = recorded.sealed()
    market = market_of(sealed, recorded.scope, symbol, recorded.window)
    reference = Reference(market, SyncSettings(period_ns=PERIOD_NS, clock=clock))
    rows = synchronised(recorded, sealed, symbol, clock)
    assert_same(rows, expected(reference, reference.window()))


@CLOCKS
@RECORDED
def test_cutting_the_frames_changes_no_earlier_row(recordings, name, symbol, clock):
    recorded = replay(recordings, name)
    whole = recorded.sealed()
    rows = synchronised(recorded, whole, symbol, clock)
    for cut in range(1, len(recorded.rows), len(recorded.rows) // 6):
        part = seal(_first(recorded, cut), recorded.scope, recorded.window, whole=True)
        end = _first_time_lost(whole, part, symbol, clock)
        earlier = synchronised(recorded, part, symbol, clock)
        for one, other in zip(_all(earlier), _all(rows), strict=True):
            assert_equal_rows(_until(one, end), _until(other, end))


def _first(recorded: Replay, count: int) -> Iterator[pa.RecordBatch]:
    return replace(recorded, rows=recorded.rows[:count]).batches()


def _first_time_lost(whole: Sealed, part: Sealed, symbol: str, clock: str) -> int:
    """The least time, by the clock, of any raw row that only the whole recording has."""
    column = "ts_event" if clock == "event" else "ts_recv"
    kept = raw_tables(part, symbol)
    lost = Counter()
    for dataset, table in raw_tables(whole, symbol).items():
        lost += _times(table, column) - _times(kept[dataset], column)
    return min(lost)


def _times(table: pa.Table, column: str) -> Counter:
    return Counter(table[column].cast("int64").to_pylist())


def _all(rows: Synchronised) -> list[pa.Table]:
    return [rows.snapshots, *rows.tables.values(), aggregate(rows)]


def _until(table: pa.Table, end: int) -> pa.Table:
    name = "ts_ns" if "ts_ns" in table.column_names else "grid_ts"
    columns = [column for column in table.column_names if column != "gap"]
    return table.filter(pc.less_equal(table[name].cast("int64"), end)).select(columns)
