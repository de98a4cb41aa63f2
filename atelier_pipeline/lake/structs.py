"""Market structs as the lake's columns, and columns as structs.

For a person's amount of rows: what is large travels as columns. Where an event knows only one of
its two times, the other one is taken to be the same; an event without a time is refused.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, TypeAlias, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake.names import FileKind, Mode
from atelier_pipeline.market.events import (
    NS_PER_MS,
    FundingRate,
    Level,
    Liquidation,
    NormalizedDelta,
    OpenInterest,
    Trade,
)
from atelier_pipeline.market.orderbook import Orderbook

Book: TypeAlias = Orderbook | NormalizedDelta
Event = TypeVar("Event", Trade, Liquidation, FundingRate, OpenInterest)

_Row: TypeAlias = dict[str, Any]


def event_table(rows: Sequence[Event], kind: FileKind, mode: Mode) -> pa.Table:
    """One row for each event; `opening` is false, `grid_ts` null: an event knows no tick."""
    schema = kind.schema(mode)
    names = [name for name in schema.names if rows and hasattr(rows[0], name)]
    columns = {name: [getattr(row, name) for row in rows] for name in names}
    times = [_times(row) for row in rows]
    columns["ts_event"] = [ts_event for ts_event, _ in times]
    columns["ts_recv"] = [ts_recv for _, ts_recv in times]
    columns[schema.names[0]] = [ts_event // NS_PER_MS for ts_event, _ in times]
    columns["opening"] = [False] * len(rows)
    nothing = [None] * len(rows)
    arrays = [pa.array(columns.get(field.name, nothing), field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def events(table: pa.Table, struct: type[Event]) -> list[Event]:
    """The events of a table; opening rows, which are states and not events, are left out."""
    if "opening" in table.column_names:
        table = table.filter(pc.invert(table["opening"]))
    names = [name for name in struct.__struct_fields__ if name in table.column_names]
    return [struct(**{name: row[name] for name in names}) for row in _rows(table)]


def book_table(books: Sequence[Book], mode: Mode) -> pa.Table:
    """One row for each level, bids then asks.

    A raw Orderbook is a snapshot that nobody received: its `ts_recv` is null. A sync one lies on
    the grid at its own time. A message without changes has no rows, but its ordinal is not reused.
    Raises LakeError for a book without levels, which no row could tell from no book, and for a sync
    message.
    """
    schema = FileKind.ORDERBOOKS.schema(mode)
    if mode is Mode.RAW:
        rows = [row for k, book in enumerate(books, 1) for row in _raw_rows(k, book)]
    else:
        rows = [row for book in books for row in _sync_rows(book)]
    return pa.Table.from_pylist(rows, schema=schema)


def books(table: pa.Table, mode: Mode) -> list[Book]:
    """What `book_table` was given: whole books where nobody received them, messages elsewhere.

    Opening books are among them, since the messages after them mean nothing alone.
    """
    if mode is Mode.SYNC:
        key = "orderbook_ts"
        return [_orderbook(list(rows)) for _, rows in groupby(_rows(table), lambda row: row[key])]
    return [_message(list(rows)) for _, rows in groupby(_rows(table), lambda row: row["message"])]


def _raw_rows(ordinal: int, book: Book) -> Iterator[_Row]:
    if isinstance(book, Orderbook):
        ts_event, ts_recv, update_id, is_snapshot = book.orderbook_ts, None, None, True
    else:
        (ts_event, ts_recv), update_id = _times(book), book.update_id
        is_snapshot = book.is_snapshot
    if is_snapshot:
        _check_levels(book)
    for row in _level_rows(book, ranked=is_snapshot):
        yield row | {
            "orderbook_ts": ts_event,
            "ts_event": ts_event,
            "ts_recv": ts_recv,
            "message": ordinal,
            "update_id": update_id,
            "is_snapshot": is_snapshot,
            "opening": False,
        }


def _sync_rows(book: Book) -> Iterator[_Row]:
    if not isinstance(book, Orderbook):
        raise LakeError("a sync file holds whole books (Orderbook), not messages")
    _check_levels(book)
    for row in _level_rows(book, ranked=True):
        yield row | {"orderbook_ts": book.orderbook_ts, "grid_ts": book.orderbook_ts}


def _level_rows(book: Book, *, ranked: bool) -> Iterator[_Row]:
    for side, levels in (("bid", book.bids), ("ask", book.asks)):
        for rank, (price, size) in enumerate(levels):
            yield {
                "symbol": book.symbol,
                "exchange": book.exchange,
                "side": side,
                "level": rank if ranked else None,
                "price": price,
                "size": size,
            }


def _check_levels(book: Book) -> None:
    if not book.bids and not book.asks:
        raise LakeError(f"the book of {book.symbol} has no levels, and so no rows to be kept in")


def _message(rows: list[_Row]) -> Book:
    first = rows[0]
    if first["is_snapshot"] and not first["ts_recv"]:
        return _orderbook(rows)
    return NormalizedDelta(
        exchange=first["exchange"],
        symbol=first["symbol"],
        ts_event=first["ts_event"],
        ts_recv=first["ts_recv"],
        is_snapshot=first["is_snapshot"],
        bids=_side(rows, "bid"),
        asks=_side(rows, "ask"),
        update_id=first["update_id"],
    )


def _orderbook(rows: list[_Row]) -> Orderbook:
    return Orderbook(
        exchange=rows[0]["exchange"],
        symbol=rows[0]["symbol"],
        orderbook_ts=rows[0]["orderbook_ts"],
        bids=_side(rows, "bid"),
        asks=_side(rows, "ask"),
    )


def _side(rows: list[_Row], side: str) -> list[Level]:
    return [(row["price"], row["size"]) for row in rows if row["side"] == side]


def _rows(table: pa.Table) -> list[_Row]:
    """The rows as Python values; times as int UTC ns, 0 where null."""
    columns = [_values(table[name]) for name in table.column_names]
    return [dict(zip(table.column_names, row, strict=True)) for row in zip(*columns, strict=True)]


def _values(column: "pa.ChunkedArray[Any]") -> list[Any]:
    if pa.types.is_timestamp(column.type):
        return [time or 0 for time in column.cast(pa.int64()).to_pylist()]
    return column.to_pylist()


def _times(
    event: Trade | Liquidation | FundingRate | OpenInterest | NormalizedDelta,
) -> tuple[int, int]:
    ts_event, ts_recv = event.ts_event or event.ts_recv, event.ts_recv or event.ts_event
    if not ts_event:
        raise LakeError(f"an event of {event.symbol} has neither ts_event nor ts_recv: {event}")
    return ts_event, ts_recv
