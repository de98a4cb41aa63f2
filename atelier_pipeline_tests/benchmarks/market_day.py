"""A generated day of one symbol, in columns: level updates and trades, and never a crossed book.

The book has a level at almost every tick around a mid that walks by single ticks. A message changes
some levels near the top, as often as real feeds do, and when the mid moves it deletes what would
cross. Sizes come from a lot grid and often come back. Times are Bybit's: the exchange's to the
millisecond, the receipt to the nanosecond.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from atelier_pipeline.decode.columns import BookMessages, Fills
from atelier_pipeline.market.book import BookColumns

DAY_NS = 86_400_000_000_000
START_NS = 1_772_064_000_000_000_000
"""2026-02-26, 00:00 UTC."""

TICK = 0.1
LOT = 0.001
LEVELS = 500
"""Levels per side of the opening snapshot."""

CHANGES_PER_MESSAGE = 5

_MIDDLE = 600_000
"""The mid of the opening book, in ticks."""

_REACH = 200
"""The mid stays within so many ticks of where it began, so that both sides keep their depth."""

_NS_PER_MS = 1_000_000


@dataclass(frozen=True)
class MarketDay:
    """The messages of a day, the first one a snapshot just before it, and its trades."""

    messages: BookMessages
    trades: Fills


def market_day(updates: int, trades: int, seed: int, span_ns: int = DAY_NS) -> MarketDay:
    """A day with `updates` level changes and `trades` trades, all within its first `span_ns`.

    The same seed gives the same day.
    """
    rng = np.random.default_rng(seed)
    count = max(updates // CHANGES_PER_MESSAGE, 1)
    lengths = _lengths(rng, count, updates)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    is_bid, ticks, lots, mids = _walk(seed, offsets)
    ts_event = START_NS + np.sort(rng.integers(0, span_ns // _NS_PER_MS, count)) * _NS_PER_MS
    messages = _messages(_with_snapshot(offsets, is_bid, ticks, lots), ts_event, rng)
    return MarketDay(messages, _trades(rng, ts_event, mids, trades))


def _lengths(rng: np.random.Generator, count: int, updates: int) -> NDArray[np.int64]:
    """How many changes each message has: at least two, so that the mid can move in any of them."""
    lengths = 2 + rng.multinomial(updates - 2 * count, np.full(count, 1 / count))
    return lengths.astype(np.int64)


@njit(cache=True)
def _walk(
    seed: int, offsets: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The changes of every message, and the best bid after it, in ticks."""
    np.random.seed(seed)  # noqa: NPY002 - numba knows no generator objects
    rows, messages = offsets[-1], len(offsets) - 1
    is_bid = np.empty(rows, np.bool_)
    ticks = np.empty(rows, np.int64)
    lots = np.empty(rows, np.int64)
    mids = np.empty(messages, np.int64)
    mid = _MIDDLE
    for message in range(messages):
        row, end = offsets[message], offsets[message + 1]
        if np.random.random() < 0.1:  # noqa: NPY002
            step = 1 if np.random.random() < 0.5 else -1  # noqa: NPY002
            if abs(mid + step - _MIDDLE) <= _REACH:
                crossed = mid + 1 if step > 0 else mid
                mid += step
                # What was the best level of one side becomes the best of the other.
                is_bid[row], ticks[row], lots[row] = step < 0, crossed, 0
                is_bid[row + 1], ticks[row + 1], lots[row + 1] = step > 0, crossed, _size()
                row += 2
        while row < end:
            bid = np.random.random() < 0.5  # noqa: NPY002
            away = min(int(np.random.exponential(12.0)), LEVELS - _REACH - 1)  # noqa: NPY002
            is_bid[row] = bid
            ticks[row] = mid - away if bid else mid + 1 + away
            gone = away > 0 and np.random.random() < 0.15  # noqa: NPY002
            lots[row] = 0 if gone else _size()
            row += 1
        mids[message] = mid
    return is_bid, ticks, lots, mids


@njit(cache=True)
def _size() -> int:
    """Lots: mostly a few round numbers, else anything up to some thousands."""
    if np.random.random() < 0.4:  # noqa: NPY002
        return 10 ** np.random.randint(0, 4) * np.random.randint(1, 6)  # noqa: NPY002
    return 1 + int(np.random.exponential(1500.0))  # noqa: NPY002


@dataclass(frozen=True)
class _Changes:
    offsets: NDArray[np.int64]
    is_bid: NDArray[np.bool_]
    price: NDArray[np.float64]
    size: NDArray[np.float64]


def _with_snapshot(
    offsets: NDArray[np.int64],
    is_bid: NDArray[np.bool_],
    ticks: NDArray[np.int64],
    lots: NDArray[np.int64],
) -> _Changes:
    """The same behind a snapshot; bids before asks in every message, as they are sent."""
    owner = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    order = np.lexsort((~is_bid, owner))
    levels = np.arange(LEVELS)
    ticks = np.concatenate([_MIDDLE - levels, _MIDDLE + 1 + levels, ticks[order]])
    lots = np.concatenate([1 + levels, 1 + levels, lots[order]])
    snapshot = np.repeat([True, False], LEVELS)
    return _Changes(
        offsets=np.concatenate([[0], offsets + 2 * LEVELS]),
        is_bid=np.concatenate([snapshot, is_bid[order]]),
        price=np.round(ticks * TICK, 1),
        size=np.round(lots * LOT, 3),
    )


def _messages(
    changes: _Changes, ts_event: NDArray[np.int64], rng: np.random.Generator
) -> BookMessages:
    ts_event = np.concatenate([[START_NS - 20 * _NS_PER_MS], ts_event])
    n = len(ts_event)
    ts_recv = _received(ts_event, rng)
    is_snapshot = np.arange(n) == 0
    columns = BookColumns(
        ts_event=ts_event,
        ts_recv=ts_recv,
        update_id=np.arange(1_000_000, 1_000_000 + n),
        is_snapshot=is_snapshot,
        checksum=np.full(n, -1),
        offsets=changes.offsets,
        is_bid=changes.is_bid,
        price=changes.price,
        size=changes.size,
        digits=np.zeros((0, 2), np.uint64),
    )
    none = np.zeros(n, np.int64)
    flags = np.zeros(n, np.bool_)
    return BookMessages(np.arange(n), none, ts_event, ts_recv, flags, ~is_snapshot, columns)


def _received(ts_event: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """A receive clock of nanoseconds, 2 to 5 ms behind; what was sent first arrives first."""
    delay = rng.integers(2 * _NS_PER_MS, 5 * _NS_PER_MS, len(ts_event))
    return np.maximum.accumulate(ts_event + delay)


def _trades(
    rng: np.random.Generator, ts_event: NDArray[np.int64], mids: NDArray[np.int64], count: int
) -> Fills:
    """Trades at the best price of either side, each at the time of a message."""
    at = np.sort(rng.integers(0, len(ts_event), count))
    is_buy = rng.random(count) < 0.5
    none, flags = np.zeros(count, np.int64), np.zeros(count, np.bool_)
    return Fills(
        frame=at,
        link=none,
        ts_event=ts_event[at],
        ts_recv=_received(ts_event[at], rng),
        bad_time=flags,
        live=~flags,
        is_buy=is_buy,
        price=np.round((mids[at] + is_buy) * TICK, 1),
        amount=np.round((1 + rng.exponential(50.0, count).astype(np.int64)) * LOT, 3),
        id=(np.arange(count) + 5_000_000).astype(str).astype(np.object_),
        history=flags,
    )
