"""Events as columns: one set of arrays per kind of event, made from the events of a stretch.

Nothing here judges an event; arrays of one set have one length, in order of arrival.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import chain
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from atelier_pipeline.market.book import BookColumns
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.events import (
    FundingRate,
    Liquidation,
    NormalizedDelta,
    OpenInterest,
    Trade,
)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
MarketEvent: TypeAlias = NormalizedDelta | Trade | Liquidation | FundingRate | OpenInterest
C = TypeVar("C", bound="Arrivals")

NO_NUMBER = -1
"""Stands for an absent number in integer columns."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """When and how `n` events of one feed arrived.

    Attributes:
        frame: ordinal of the frame among all frames read.
        link: ordinal of the connection among all connections made.
        ts_event: the exchange's time, UTC ns; the receive time where the exchange's is no use.
        ts_recv: receive time, UTC ns; `ts_event` where it is not known.
        bad_time: the exchange's own time was absent or absurd.
        live: pushed as it happened and timed by both clocks: its latency means something.
    """

    frame: Ints
    link: Ints
    ts_event: Ints
    ts_recv: Ints
    bad_time: Flags
    live: Flags

    def __len__(self) -> int:
        return len(self.frame)


@dataclass(frozen=True, slots=True)
class BookMessages(Arrivals):
    """Order book messages; `columns` repeats their times."""

    columns: BookColumns


@dataclass(frozen=True, slots=True)
class Fills(Arrivals):
    """Trades or liquidations; `id` is empty on liquidations, `history` marks past trades."""

    is_buy: Flags
    price: Floats
    amount: Floats
    id: NDArray[np.object_]
    history: Flags


@dataclass(frozen=True, slots=True)
class Fundings(Arrivals):
    """Funding rates; NO_NUMBER and NaN stand for what is not known."""

    rate: Floats
    next_ms: Ints
    interval_hours: Floats


@dataclass(frozen=True, slots=True)
class OpenInterests(Arrivals):
    """Open interest in the exchange's unit and in quote units; NaN = not known."""

    amount: Floats
    value: Floats


def ints(values: Sequence[int]) -> Ints:
    """A list of integers as int64."""
    return np.array(values, np.int64)


def distinct(ascending: Ints) -> Ints:
    """Each number once."""
    return ascending[np.append(True, ascending[1:] != ascending[:-1])[: len(ascending)]]


def past_of(events: Sequence[MarketEvent]) -> Flags:
    """Which events, none of them of a book, tell of the past, so that their time may be old."""
    if isinstance(events[0], Trade):
        trades = cast("Sequence[Trade]", events)
        return np.array([event.is_history for event in trades], np.bool_)
    return np.zeros(len(events), np.bool_)


def joined(parts: Sequence[C]) -> C:
    """One set of columns out of consecutive ones, at least one; not for books."""
    kind = type(parts[0])
    names = [column.name for column in fields(kind)]
    return kind(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def taken(columns: C, which: NDArray[np.int64] | Flags) -> C:
    """The events that `which`, a mask or positions, picks; not for books."""
    kind = type(columns)
    return kind(*(getattr(columns, column.name)[which] for column in fields(kind)))


def trades_of(arrivals: Arrivals, events: Sequence[Trade]) -> Fills:
    """Trades and their arrivals as columns."""
    ids = np.array([event.id for event in events], np.object_)
    return _fills(arrivals, events, ids, np.array([event.is_history for event in events], np.bool_))


def liquidations_of(arrivals: Arrivals, events: Sequence[Liquidation]) -> Fills:
    """Liquidations and their arrivals as columns."""
    return _fills(arrivals, events, np.full(len(events), ""), np.zeros(len(events), np.bool_))


def _fills(
    arrivals: Arrivals,
    events: Sequence[Trade] | Sequence[Liquidation],
    ids: NDArray[np.object_],
    history: Flags,
) -> Fills:
    return Fills(
        *_values(arrivals),
        np.array([event.side == "buy" for event in events], np.bool_),
        np.array([event.price for event in events], np.float64),
        np.array([event.amount for event in events], np.float64),
        ids.astype(np.object_),
        history,
    )


def _values(
    arrivals: Arrivals, which: Flags | slice = slice(None)
) -> tuple[Ints, Ints, Ints, Ints, Flags, Flags]:
    return (
        arrivals.frame[which],
        arrivals.link[which],
        arrivals.ts_event[which],
        arrivals.ts_recv[which],
        arrivals.bad_time[which],
        arrivals.live[which],
    )


def fundings_of(arrivals: Arrivals, events: Sequence[FundingRate]) -> Fundings:
    """Funding rates and their arrivals as columns."""
    hours = [event.interval_hours for event in events]
    return Fundings(
        *_values(arrivals),
        np.array([event.funding_rate for event in events], np.float64),
        _numbers([event.next_funding_ts for event in events]),
        np.array([np.nan if value is None else value for value in hours], np.float64),
    )


def open_interests_of(arrivals: Arrivals, events: Sequence[OpenInterest]) -> OpenInterests:
    """Open interest and its arrivals as columns."""
    values = [event.open_interest_value for event in events]
    return OpenInterests(
        *_values(arrivals),
        np.array([event.open_interest for event in events], np.float64),
        np.array([np.nan if value is None else value for value in values], np.float64),
    )


def book_messages_of(arrivals: Arrivals, events: Sequence[NormalizedDelta]) -> BookMessages:
    """Book messages and their arrivals as columns."""
    return messages_of(arrivals, book_columns_of(events))


def messages_of(arrivals: Arrivals, columns: BookColumns) -> BookMessages:
    """Book messages with the times of their arrivals."""
    timed = replace(columns, ts_event=arrivals.ts_event, ts_recv=arrivals.ts_recv)
    return BookMessages(*_values(arrivals), timed)


def book_columns_of(events: Sequence[NormalizedDelta]) -> BookColumns:
    """Book messages as columns: levels are flattened without an object each.

    The times are the exchange's own, 0 where it sent none.
    """
    sides = [side for event in events for side in (event.bids, event.asks)]
    lengths = np.fromiter(map(len, sides), np.int64, len(sides))
    rows = int(lengths.sum())
    flat = chain.from_iterable(chain.from_iterable(sides))
    levels = np.fromiter(flat, np.float64, 2 * rows).reshape(rows, 2)
    offsets = np.zeros(len(events) + 1, np.int64)
    np.cumsum(lengths.reshape(-1, 2).sum(axis=1), out=offsets[1:])
    time = ints([event.ts_event for event in events])
    return BookColumns(
        ts_event=time,
        ts_recv=time,
        update_id=_numbers([event.update_id for event in events]),
        is_snapshot=np.array([event.is_snapshot for event in events], np.bool_),
        checksum=_numbers([event.checksum for event in events]),
        offsets=offsets,
        is_bid=np.repeat(np.tile(np.array([True, False]), len(events)), lengths),
        price=np.ascontiguousarray(levels[:, 0]),
        size=np.ascontiguousarray(levels[:, 1]),
        digits=_digits(events, offsets),
    )


def _numbers(values: Sequence[int | None]) -> Ints:
    return ints([NO_NUMBER if value is None else value for value in values])


def _digits(events: Sequence[NormalizedDelta], offsets: Ints) -> NDArray[np.uint64]:
    """The checksum digits of every level; no rows where no event has a checksum."""
    if all(event.digits is None for event in events):
        return np.empty((0, 2), np.uint64)
    lengths = offsets[1:] - offsets[:-1]
    told = np.array([event.digits is not None for event in events], np.bool_)
    flat = chain.from_iterable(chain.from_iterable(event.digits or () for event in events))
    digits = np.zeros((int(offsets[-1]), 2), np.uint64)
    count = int(lengths[told].sum())
    digits[np.repeat(told, lengths)] = np.fromiter(flat, np.uint64, 2 * count).reshape(count, 2)
    return digits


COLUMNS_OF: Mapping[Dataset, Callable[[Arrivals, list[Any]], Arrivals]] = {
    Dataset.ORDERBOOKS: book_messages_of,
    Dataset.TRADES: trades_of,
    Dataset.LIQUIDATIONS: liquidations_of,
    Dataset.FUNDINGS: fundings_of,
    Dataset.OPEN_INTERESTS: open_interests_of,
}
"""Makes the columns of a dataset's events."""


def nothing_of(dataset: Dataset) -> Arrivals:
    """The columns of a dataset, without events."""
    none, no_flags = np.empty(0, np.int64), np.empty(0, np.bool_)
    return COLUMNS_OF[dataset](Arrivals(none, none, none, none, no_flags, no_flags), [])


def messages_taken(messages: BookMessages, keep: Flags) -> BookMessages:
    """The book messages that a mask keeps."""
    columns = columns_taken(messages.columns, np.flatnonzero(keep))
    return BookMessages(*_values(messages, keep), columns)


def columns_taken(columns: BookColumns, places: Ints) -> BookColumns:
    """The messages at some places, in the order of these."""
    lengths = np.diff(columns.offsets)[places]
    offsets = np.zeros(len(places) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    shift = columns.offsets[places] - offsets[:-1]
    rows = np.arange(int(offsets[-1])) + np.repeat(shift, lengths)
    return BookColumns(
        ts_event=columns.ts_event[places],
        ts_recv=columns.ts_recv[places],
        update_id=columns.update_id[places],
        is_snapshot=columns.is_snapshot[places],
        checksum=columns.checksum[places],
        offsets=offsets,
        is_bid=columns.is_bid[rows],
        price=columns.price[rows],
        size=columns.size[rows],
        digits=columns.digits[rows] if len(columns.digits) else columns.digits,
    )


def messages_between(messages: BookMessages, start: int, end: int) -> BookMessages:
    """The book messages start:end, as views."""
    columns = messages.columns
    first, last = int(columns.offsets[start]), int(columns.offsets[end])
    part = slice(start, end)
    return BookMessages(
        *_values(messages, part),
        BookColumns(
            ts_event=columns.ts_event[part],
            ts_recv=columns.ts_recv[part],
            update_id=columns.update_id[part],
            is_snapshot=columns.is_snapshot[part],
            checksum=columns.checksum[part],
            offsets=columns.offsets[start : end + 1] - first,
            is_bid=columns.is_bid[first:last],
            price=columns.price[first:last],
            size=columns.size[first:last],
            digits=columns.digits[first:last] if len(columns.digits) else columns.digits,
        ),
    )
