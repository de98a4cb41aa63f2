"""Sealed raw tables as the markets that the reference reads, and onto the grid."""

from itertools import groupby

import pyarrow as pa

from atelier_pipeline.decode.scope import Scope
from atelier_pipeline.decode.seal import Sealed
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.window import Window
from atelier_pipeline.synchronise import Synchronised, SyncSettings, synchronise_window
from atelier_pipeline_tests.synchronise.markets import (
    NAMES,
    Market,
    book_message,
    funding,
    liquidation,
    open_interest,
    trade,
)


def raw_tables(sealed: Sealed, symbol: str) -> dict[Dataset, pa.Table]:
    return {dataset: table for (of, dataset), table in sealed.tables.items() if of == symbol}


def on_the_grid(
    sealed: Sealed, scope: Scope, symbol: str, window: Window, sync: SyncSettings
) -> Synchronised:
    """The window's rows, under the names that the reference uses."""
    rows = synchronise_window(
        raw_tables(sealed, symbol),
        sealed.gaps[symbol],
        sync,
        window,
        exchange=scope.exchange.name,
        symbol=symbol,
        cut_depth=scope.kept_depth_of(symbol),
    )
    tables = {dataset: renamed(table) for dataset, table in rows.tables.items()}
    return Synchronised(tables, renamed(rows.snapshots), rows.open_interest_before)


def market_of(sealed: Sealed, scope: Scope, symbol: str, window: Window) -> Market:
    """The raw rows as events, under the names that the reference uses."""
    events, opening = {}, {}
    for dataset, table in raw_tables(sealed, symbol).items():
        marked = _events(dataset, table)
        events[dataset] = [event for event, is_opening in marked if not is_opening]
        opening.update((dataset, event) for event, is_opening in marked if is_opening)
    return Market(
        events,
        opening=opening,
        gaps=_rows(renamed(sealed.gaps[symbol]), ["ts_start", "ts_end", "ts_known"]),
        cut_depth=scope.kept_depth_of(symbol),
        window=window,
    )


def renamed(table: pa.Table) -> pa.Table:
    for name, value in NAMES.items():
        place = table.schema.get_field_index(name)
        column = pa.array([value] * table.num_rows, pa.string())
        table = table.set_column(place, table.schema.field(name), column)
    return table


def _rows(table: pa.Table, times: list[str]) -> list[dict]:
    """Rows with times in UTC ns: Python's datetime has no ns."""
    columns = {name: table[name].cast(pa.int64()).to_pylist() for name in times}
    rows = table.drop_columns(times).to_pylist()
    return [
        {**row, **{name: columns[name][index] for name in times}} for index, row in enumerate(rows)
    ]


def _events(dataset: Dataset, table: pa.Table) -> list[tuple]:
    """Every event, and whether it is an opening state."""
    rows = _rows(table, ["ts_event", "ts_recv"])
    if dataset is Dataset.ORDERBOOKS:
        return [_message(list(m)) for _, m in groupby(rows, key=lambda row: row["message"])]
    return [(_EVENTS[dataset](row), row.get("opening", False)) for row in rows]


def _message(rows: list[dict]) -> tuple:
    sides = [[(r["price"], r["size"]) for r in rows if r["side"] == s] for s in ("bid", "ask")]
    first = rows[0]
    times = {"ts_recv": first["ts_recv"], "is_snapshot": first["is_snapshot"]}
    return book_message(first["ts_event"], *sides, **times), first["opening"]


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
