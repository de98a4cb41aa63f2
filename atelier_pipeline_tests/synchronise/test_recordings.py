"""Recorded markets on the grid: the rows of the rules, and no row looks ahead."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from atelier_pipeline.aggregate import aggregate
from atelier_pipeline.decode.seal import Sealed, seal
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.synchronise import Synchronised, SyncSettings, synchronise_window
from atelier_pipeline_tests.decode.replays import PERIOD_NS, Replay, replay
from atelier_pipeline_tests.synchronise.markets import (
    NAMES,
    Market,
    book_message,
    funding,
    liquidation,
    open_interest,
    trade,
)
from atelier_pipeline_tests.synchronise.reference import Reference
from atelier_pipeline_tests.synchronise.rows import assert_equal_rows, assert_same, expected

RECORDINGS = [
    ("kraken/btc-usd_book10", "BTC/USD"),
    ("bybit/tickers", "BTCUSDT"),
    ("bybit_spot/btcusdt_book50_trades", "BTCUSDT"),
    ("coinbase/btc-usd_level2_heartbeats", "BTC-USD"),
]


def raw_tables(sealed: Sealed, symbol: str) -> dict[Dataset, pa.Table]:
    return {dataset: table for (of, dataset), table in sealed.tables.items() if of == symbol}


def synchronise(recorded: Replay, sealed: Sealed, symbol: str, clock: str) -> Synchronised:
    return synchronise_window(
        raw_tables(sealed, symbol),
        sealed.gaps[symbol],
        SyncSettings(period_ns=PERIOD_NS, clock=clock),
        recorded.window,
        exchange=recorded.scope.exchange.name,
        symbol=symbol,
        cut_depth=recorded.scope.kept_depth_of(symbol),
    )


def market_of(recorded: Replay, sealed: Sealed, symbol: str) -> Market:
    """The raw rows as events, under the names that the reference uses; none is an opening state."""
    tables = raw_tables(sealed, symbol)
    return Market(
        {dataset: _events(dataset, table) for dataset, table in tables.items()},
        cut_depth=recorded.scope.kept_depth_of(symbol),
        window=recorded.window,
    )


def _events(dataset: Dataset, table: pa.Table) -> list:
    rows = [
        {**row, "ts_event": event, "ts_recv": recv}
        for row, event, recv in zip(
            table.drop_columns(["ts_event", "ts_recv"]).to_pylist(),
            table["ts_event"].cast("int64").to_pylist(),
            table["ts_recv"].cast("int64").to_pylist(),
            strict=True,
        )
    ]
    if dataset is Dataset.ORDERBOOKS:
        return [_message(list(m)) for _, m in groupby(rows, key=lambda row: row["message"])]
    return [_EVENTS[dataset](row) for row in rows]


def _message(rows: list[dict]):
    sides = [[(r["price"], r["size"]) for r in rows if r["side"] == s] for s in ("bid", "ask")]
    first = rows[0]
    times = {"ts_recv": first["ts_recv"], "is_snapshot": first["is_snapshot"]}
    return book_message(first["ts_event"], *sides, **times)


_EVENTS = {
    Dataset.TRADES: lambda r: trade(
        r["ts_event"],
        r["price"],
        r["amount"],
        side=r["side"],
        ts_recv=r["ts_recv"],
        trade_id=r["id"],
    ),
    Dataset.LIQUIDATIONS: lambda r: liquidation(
        r["ts_event"], r["price"], r["amount"], side=r["side"], ts_recv=r["ts_recv"]
    ),
    Dataset.FUNDINGS: lambda r: funding(
        r["ts_event"],
        r["funding_rate"],
        next_ms=r["next_funding_ts"],
        hours=r["interval_hours"],
        ts_recv=r["ts_recv"],
    ),
    Dataset.OPEN_INTERESTS: lambda r: open_interest(
        r["ts_event"], r["open_interest"], value=r["open_interest_value"], ts_recv=r["ts_recv"]
    ),
}


def renamed(table: pa.Table) -> pa.Table:
    for name, value in NAMES.items():
        place = table.schema.get_field_index(name)
        column = pa.array([value] * table.num_rows, pa.string())
        table = table.set_column(place, table.schema.field(name), column)
    return table


@pytest.mark.parametrize("clock", ["event", "receive"])
@pytest.mark.parametrize(("name", "symbol"), RECORDINGS)
def test_a_recording_has_the_rows_of_the_rules(recordings, name, symbol, clock):
    recorded = replay(recordings, name)
    sealed = recorded.sealed()
    rows = synchronise(recorded, sealed, symbol, clock)
    tables = {dataset: renamed(table) for dataset, table in rows.tables.items()}
    reference = Reference(
        market_of(recorded, sealed, symbol), SyncSettings(period_ns=PERIOD_NS, clock=clock)
    )
    wanted = expected(reference, reference.window())
    assert_same(Synchronised(tables, renamed(rows.snapshots)), wanted)


@pytest.mark.parametrize("clock", ["event", "receive"])
@pytest.mark.parametrize(("name", "symbol"), RECORDINGS)
def test_cutting_the_frames_changes_no_earlier_row(recordings, name, symbol, clock):
    recorded = replay(recordings, name)
    whole = recorded.sealed()
    rows = synchronise(recorded, whole, symbol, clock)
    for cut in range(1, len(recorded.rows), len(recorded.rows) // 6):
        part = seal(_first(recorded, cut), recorded.scope, recorded.window, whole=True)
        end = _first_time_lost(whole, part, symbol, clock)
        earlier = synchronise(recorded, part, symbol, clock)
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
    return min(lost, default=2**62)


def _times(table: pa.Table, column: str) -> Counter:
    return Counter(table[column].cast("int64").to_pylist())


def _all(rows: Synchronised) -> list[pa.Table]:
    return [rows.snapshots, *rows.tables.values(), aggregate(rows)]


def _until(table: pa.Table, end: int) -> pa.Table:
    name = "ts_ns" if "ts_ns" in table.column_names else "grid_ts"
    columns = [column for column in table.column_names if column != "gap"]
    return table.filter(pc.less_equal(table[name].cast("int64"), end)).select(columns)
