"""Raw tables: the columns of a window's events as Arrow tables of the lake's schemas."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
import pyarrow as pa

from atelier_pipeline.decode.columns import (
    NO_NUMBER,
    BookMessages,
    Fills,
    Flags,
    Floats,
    Fundings,
    Ints,
    OpenInterests,
)
from atelier_pipeline.decode.keeper import BookAt
from atelier_pipeline.lake.schemas import RAW, UTC_NS
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.events import NS_PER_MS

V = TypeVar("V", Flags, Floats)
Column: TypeAlias = "pa.Array[Any]"


@dataclass(frozen=True, slots=True)
class Named:
    """Whose events a table holds."""

    exchange: str
    symbol: str

    def columns(self, rows: int) -> tuple[Column, Column]:
        """The symbol and exchange columns."""
        return _repeat(self.symbol, rows), _repeat(self.exchange, rows)


def _repeat(text: str, rows: int) -> Column:
    return pa.repeat(pa.scalar(text, pa.string()), rows)


def _times(values: Ints) -> Column:
    return pa.array(values, pa.int64()).view(UTC_NS)


def _millis(values: Ints) -> Column:
    return pa.array((values // NS_PER_MS).astype(np.uint64))


def _optional(values: Ints) -> Column:
    """uint64 with nulls for NO_NUMBER."""
    absent = values == NO_NUMBER
    return pa.array(np.where(absent, 0, values).astype(np.uint64), mask=absent)


def _measured(values: Floats) -> Column:
    """float64 with nulls for NaN."""
    return pa.array(values, mask=np.isnan(values))


def _choice(flags: Flags, yes: str, no: str, absent: Flags | None = None) -> Column:
    """`yes` or `no` by flag, null where absent."""
    choices: Any = pa.array([no, yes])
    return choices.take(pa.array(flags.astype(np.int8), mask=absent))


def trades_table(named: Named, fills: Fills) -> pa.Table:
    """Trades as raw rows, in the given order."""
    symbol, exchange = named.columns(len(fills))
    columns = [
        _millis(fills.ts_event),
        symbol,
        _choice(fills.is_buy, "buy", "sell"),
        pa.array(fills.price),
        pa.array(fills.amount),
        exchange,
        pa.array(fills.id.tolist(), pa.string()),
        _times(fills.ts_event),
        _times(fills.ts_recv),
    ]
    return pa.table(columns, schema=RAW[Dataset.TRADES])


def liquidations_table(named: Named, fills: Fills) -> pa.Table:
    """Liquidations as raw rows, in the given order."""
    symbol, exchange = named.columns(len(fills))
    columns = [
        _millis(fills.ts_event),
        symbol,
        _choice(fills.is_buy, "buy", "sell"),
        pa.array(fills.price),
        pa.array(fills.amount),
        exchange,
        _times(fills.ts_event),
        _times(fills.ts_recv),
    ]
    return pa.table(columns, schema=RAW[Dataset.LIQUIDATIONS])


def fundings_table(named: Named, rates: Fundings, opening: Flags) -> pa.Table:
    """Funding rates as raw rows, in the given order."""
    symbol, exchange = named.columns(len(rates))
    columns = [
        _millis(rates.ts_event),
        symbol,
        pa.array(rates.rate),
        _optional(rates.next_ms),
        exchange,
        _times(rates.ts_event),
        _times(rates.ts_recv),
        _measured(rates.interval_hours),
        pa.array(opening),
    ]
    return pa.table(columns, schema=RAW[Dataset.FUNDINGS])


def open_interests_table(named: Named, interests: OpenInterests, opening: Flags) -> pa.Table:
    """Open interest as raw rows, in the given order."""
    symbol, exchange = named.columns(len(interests))
    columns = [
        _millis(interests.ts_event),
        symbol,
        pa.array(interests.amount),
        _measured(interests.value),
        exchange,
        _times(interests.ts_event),
        _times(interests.ts_recv),
        pa.array(opening),
    ]
    return pa.table(columns, schema=RAW[Dataset.OPEN_INTERESTS])


@dataclass(frozen=True, slots=True)
class BookRows:
    """Level rows of a raw book; arrays of one length.

    `has_level` is false on the one row that stands for a message without levels. `level` is
    NO_NUMBER on deltas, `update_id` where there is none.
    """

    ts_event: Ints
    ts_recv: Ints
    has_level: Flags
    is_bid: Flags
    level: Ints
    price: Floats
    size: Floats
    message: Ints
    update_id: Ints
    is_snapshot: Flags
    opening: Flags


def opening_rows(book: BookAt) -> BookRows:
    """The rows of an opening book: message 0, every level of both sides."""
    bids, asks = len(book.bids), len(book.asks)
    n = max(bids + asks, 1)
    levels = np.full((n, 2), np.nan)
    levels[: bids + asks] = np.concatenate([book.bids, book.asks])
    return BookRows(
        ts_event=np.full(n, book.ts_event),
        ts_recv=np.full(n, book.ts_recv),
        has_level=np.full(n, bids + asks > 0),
        is_bid=np.arange(n) < bids,
        level=np.arange(n) - np.where(np.arange(n) < bids, 0, bids),
        price=levels[:, 0],
        size=levels[:, 1],
        message=np.zeros(n, np.int64),
        update_id=np.full(n, book.update_id),
        is_snapshot=np.ones(n, np.bool_),
        opening=np.ones(n, np.bool_),
    )


def message_rows(messages: BookMessages, first_message: int) -> BookRows:
    """The rows of messages numbered from `first_message` on.

    Bids come before asks, in wire order; a snapshot's levels are sorted best first.
    """
    columns = messages.columns
    lengths = np.diff(columns.offsets)
    owner = np.repeat(np.arange(len(messages)), np.maximum(lengths, 1))
    has_level = (lengths > 0)[owner]
    snapshot = columns.is_snapshot[owner]
    is_bid = _spread(columns.is_bid, has_level)
    price = _spread(columns.price, has_level)
    order = _best_first(is_bid, price, owner, snapshot)
    is_bid = is_bid[order]
    return BookRows(
        ts_event=messages.ts_event[owner],
        ts_recv=messages.ts_recv[owner],
        has_level=has_level,
        is_bid=is_bid,
        level=np.where(snapshot, _ranks(owner, is_bid), NO_NUMBER),
        price=price[order],
        size=_spread(columns.size, has_level)[order],
        message=owner + first_message,
        update_id=columns.update_id[owner],
        is_snapshot=snapshot,
        opening=np.zeros(len(owner), np.bool_),
    )


def _spread(values: V, has_level: Flags) -> V:
    """The values of levels on the rows that have one, 0 elsewhere."""
    if has_level.all():
        return values
    spread = np.zeros_like(values, shape=len(has_level))
    spread[has_level] = values
    return cast("V", spread)


def _best_first(is_bid: Flags, price: Floats, owner: Ints, snapshot: Flags) -> Ints:
    """Row order with the levels of snapshots best first, everything else as it is."""
    worse = np.where(is_bid, -price, price)
    same_side = (owner[1:] == owner[:-1]) & (is_bid[1:] == is_bid[:-1]) & snapshot[1:]
    if not np.any(same_side & (worse[1:] < worse[:-1])):
        return np.arange(len(price))
    return np.lexsort((np.where(snapshot, worse, 0.0), ~is_bid, owner))


def _ranks(owner: Ints, is_bid: Flags) -> Ints:
    """Each row's position among the rows of its message and side."""
    n = len(owner)
    starts = np.ones(n, np.bool_)
    starts[1:] = (owner[1:] != owner[:-1]) | (is_bid[1:] != is_bid[:-1])
    positions = np.arange(n)
    return positions - np.maximum.accumulate(np.where(starts, positions, 0))


def orderbooks_table(named: Named, parts: Sequence[BookRows]) -> pa.Table:
    """Consecutive book rows as raw rows."""
    if not parts:
        return RAW[Dataset.ORDERBOOKS].empty_table()
    rows = _joined(parts)
    absent = ~rows.has_level
    symbol, exchange = named.columns(len(absent))
    columns = [
        pa.array(rows.ts_event.astype(np.uint64)),
        symbol,
        exchange,
        _choice(rows.is_bid, "bid", "ask", absent),
        _optional(np.where(absent, NO_NUMBER, rows.level)),
        pa.array(rows.price, mask=absent),
        pa.array(rows.size, mask=absent),
        _times(rows.ts_event),
        _times(rows.ts_recv),
        pa.array(rows.message.astype(np.uint64)),
        _optional(rows.update_id),
        pa.array(rows.is_snapshot),
        pa.array(rows.opening),
    ]
    return pa.table(columns, schema=RAW[Dataset.ORDERBOOKS])


def _joined(parts: Sequence[BookRows]) -> BookRows:
    names = [column.name for column in fields(BookRows)]
    return BookRows(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
