"""The compiled order book: level changes in, sorted sides out. Arrays only, no Python objects.

A side is a row of `ranks` and `sizes` between `bounds[side, 0]` and `bounds[side, 1]`: ranks rise
strictly and the best level is the last one, so that a change near the top moves little. The rank of
a bid is its price, that of an ask its price negated. Cutting a side drops its worst levels by
moving the lower bound up.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from atelier_pipeline.market.crc32 import NOTHING, with_decimal, with_part

BID, ASK = 0, 1
UNCHECKED, BAD, GOOD = -1, 0, 1
CHECKSUM_LEVELS = 10
_NEAR = 32
"""Levels from the best one on that are sought one by one."""

_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "_nrt": False}
uncounted = njit(**_OPTIONS)
"""Compiles what runs for every change: without counting references to arrays.

Counting takes as long as the work itself. What it compiles can't make arrays, and those that it is
given have to outlive the call, as a caller's do.
"""


class Sides(NamedTuple):
    """The book: row 0 holds the bids, row 1 the asks, with room for `capacity` levels each.

    Attributes:
        ranks, sizes: float64[2, capacity].
        digits: uint64[2, capacity, 2], the checksum of a level's digits by themselves and how many
            those are, 0 = not known; uint64[2, 0, 2] while no message brought any.
        bounds: int64[2, 2], the first level of a side and the one after its last.
    """

    ranks: NDArray[np.float64]
    sizes: NDArray[np.float64]
    digits: NDArray[np.uint64]
    bounds: NDArray[np.int64]


class Changes(NamedTuple):
    """The columns of a run of messages that change a book; as in BookColumns."""

    is_snapshot: NDArray[np.bool_]
    checksum: NDArray[np.int64]
    offsets: NDArray[np.int64]
    is_bid: NDArray[np.bool_]
    price: NDArray[np.float64]
    size: NDArray[np.float64]
    digits: NDArray[np.uint64]


class Trace(NamedTuple):
    """What every message of a run left behind; filled in place, as in BookTrace."""

    best_bid: NDArray[np.float64]
    best_ask: NDArray[np.float64]
    checksum_ok: NDArray[np.int8]


def empty_sides(capacity: int) -> Sides:
    """A book without levels and with room for `capacity` on each side."""
    return Sides(
        np.zeros((2, capacity)),
        np.zeros((2, capacity)),
        np.zeros((2, 0, 2), np.uint64),
        np.zeros((2, 2), np.int64),
    )


def with_digits(book: Sides, changes: Changes) -> Sides:
    """The book with room for digits if the messages bring any; levels from before have 0."""
    if len(changes.digits) == 0 or book.digits.shape[1] > 0:
        return book
    return book._replace(digits=np.zeros((*book.ranks.shape, 2), np.uint64))


def with_room(book: Sides, rows: int) -> Sides:
    """The same levels, moved down to index 0, with room for at least `rows` more on each side."""
    most = int(np.max(book.bounds[:, 1] - book.bounds[:, 0]))
    roomier = empty_sides(max(book.ranks.shape[1], 4 * (most + rows)))
    if book.digits.shape[1] > 0:
        roomier = roomier._replace(digits=np.zeros((*roomier.ranks.shape, 2), np.uint64))
    for side, (first, end) in enumerate(book.bounds):
        count = end - first
        roomier.ranks[side, :count] = book.ranks[side, first:end]
        roomier.sizes[side, :count] = book.sizes[side, first:end]
        roomier.digits[side, :count] = book.digits[side, first:end]
        roomier.bounds[side, 1] = count
    return roomier


def side_levels(book: Sides, side: int) -> NDArray[np.float64]:
    """float64[levels, 2]: the prices and sizes of a side, best first."""
    first, end = book.bounds[side]
    levels = np.column_stack((book.ranks[side, first:end], book.sizes[side, first:end]))[::-1]
    if side == ASK:
        levels[:, 0] *= -1.0
    return levels


@njit(cache=True, nogil=True)
def apply_messages(
    book: Sides, changes: Changes, first: int, end: int, depth: int, trace: Trace
) -> int:
    """Applies messages first:end, each side cut to `depth` (-1: never) after each of them.

    Returns the message that was reached: `end`, or the first one that needs more room than
    the sides have; it was not applied.
    """
    for message in range(first, end):
        if not apply_message(book, changes, message, depth):
            return message
        trace.best_bid[message] = best_price(book, BID)
        trace.best_ask[message] = best_price(book, ASK)
        trace.checksum_ok[message] = _verify(book, changes.checksum[message])
    return end


@njit(cache=True, nogil=True)
def apply_message(book: Sides, changes: Changes, message: int, depth: int) -> bool:
    """Applies one message and cuts each side; False, with nothing done, where room is lacking."""
    start, stop = changes.offsets[message], changes.offsets[message + 1]
    if not _has_room(book, stop - start):
        return False
    if changes.is_snapshot[message]:
        _replace_side(book, changes, start, stop, BID)
        _replace_side(book, changes, start, stop, ASK)
        _cut(book, depth)
        return True
    return apply_delta(book, changes, message, depth)


@uncounted
def apply_delta(book: Sides, changes: Changes, message: int, depth: int) -> bool:
    """Applies one message and cuts each side, if that takes neither sorting nor moving a side.

    Otherwise False, with nothing done: `apply_message` can.
    """
    start, stop = changes.offsets[message], changes.offsets[message + 1]
    highest = max(book.bounds[BID, 1], book.bounds[ASK, 1])
    if changes.is_snapshot[message] or highest + stop - start > book.ranks.shape[1]:
        return False
    _set_levels(book, changes, start, stop)
    _cut(book, depth)
    return True


@uncounted
def best_price(book: Sides, side: int) -> float:
    """The best price of a side, NaN where it is empty."""
    if book.bounds[side, 0] == book.bounds[side, 1]:
        return np.nan
    rank = book.ranks[side, book.bounds[side, 1] - 1]
    return rank if side == BID else -rank


@uncounted
def _cut(book: Sides, depth: int) -> None:
    if depth >= 0:
        for side in range(2):
            book.bounds[side, 0] = max(book.bounds[side, 0], book.bounds[side, 1] - depth)


@njit(cache=True, nogil=True)
def _has_room(book: Sides, rows: int) -> bool:
    """Whether `rows` more levels fit on each side, if need be after moving sides down to 0.

    Only a side that fills at most half of the room is moved, so that moves stay rare.
    """
    capacity = book.ranks.shape[1]
    for side in range(2):
        first, end = book.bounds[side, 0], book.bounds[side, 1]
        if end + rows > capacity:
            if 2 * (end - first + rows) > capacity:
                return False
            _move_down(book, side, first, end)
    return True


@njit(cache=True, nogil=True)
def _move_down(book: Sides, side: int, first: int, end: int) -> None:
    for level in range(first, end):
        book.ranks[side, level - first] = book.ranks[side, level]
        book.sizes[side, level - first] = book.sizes[side, level]
    if book.digits.shape[1] > 0:
        for level in range(first, end):
            book.digits[side, level - first, 0] = book.digits[side, level, 0]
            book.digits[side, level - first, 1] = book.digits[side, level, 1]
    book.bounds[side, 0] = 0
    book.bounds[side, 1] = end - first


@njit(cache=True, nogil=True)
def _replace_side(book: Sides, changes: Changes, start: int, stop: int, side: int) -> None:
    """Sorts the snapshot's levels once; of several for one price the last one counts."""
    rows = np.empty(stop - start, np.int64)
    count = 0
    for row in range(start, stop):
        if changes.is_bid[row] == (side == BID):
            rows[count] = row
            count += 1
    rows = rows[:count]
    ranks = changes.price[rows] if side == BID else -changes.price[rows]
    order = np.argsort(ranks, kind="mergesort")
    kept = 0
    for i in range(count):
        is_last = i + 1 == count or ranks[order[i + 1]] != ranks[order[i]]
        row = int(rows[order[i]])
        if is_last and changes.size[row] != 0.0:
            book.ranks[side, kept] = ranks[order[i]]
            book.sizes[side, kept] = changes.size[row]
            _write_digits(book.digits[side], kept, changes.digits, row)
            kept += 1
    book.bounds[side, 0] = 0
    book.bounds[side, 1] = kept


@uncounted
def _set_levels(book: Sides, changes: Changes, start: int, stop: int) -> None:
    """Applies the rows of a delta."""
    bid_ranks, bid_sizes, bid_digits = book.ranks[BID], book.sizes[BID], book.digits[BID]
    ask_ranks, ask_sizes, ask_digits = book.ranks[ASK], book.sizes[ASK], book.digits[ASK]
    bid_end, ask_end = book.bounds[BID, 1], book.bounds[ASK, 1]
    for row in range(start, stop):
        price, size = changes.price[row], changes.size[row]
        if changes.is_bid[row]:
            at = _position(bid_ranks, book.bounds[BID, 0], bid_end, price)
            bid_end = _set_level(bid_ranks, bid_sizes, bid_digits, at, bid_end, price, size)
            if size != 0.0:
                _write_digits(bid_digits, at, changes.digits, row)
        else:
            at = _position(ask_ranks, book.bounds[ASK, 0], ask_end, -price)
            ask_end = _set_level(ask_ranks, ask_sizes, ask_digits, at, ask_end, -price, size)
            if size != 0.0:
                _write_digits(ask_digits, at, changes.digits, row)
    book.bounds[BID, 1], book.bounds[ASK, 1] = bid_end, ask_end


@uncounted
def _position(ranks: NDArray[np.float64], first: int, end: int, rank: float) -> int:
    """The first level whose rank is at least `rank`, sought from the best end.

    Among the best levels, where most changes are, one by one; beyond them in growing steps.
    """
    high = end
    near = max(first, end - _NEAR)
    while high > near and ranks[high - 1] >= rank:
        high -= 1
    step = 1
    low = high - 1
    while low >= first and ranks[low] >= rank:
        high = low
        low -= step
        step *= 2
    low = max(low + 1, first)
    while low < high:
        middle = (low + high) // 2
        if ranks[middle] < rank:
            low = middle + 1
        else:
            high = middle
    return low


@uncounted
def _set_level(
    ranks: NDArray[np.float64],
    sizes: NDArray[np.float64],
    digits: NDArray[np.uint64],
    at: int,
    end: int,
    rank: float,
    size: float,
) -> int:
    """Sets, inserts or deletes the level of a rank whose place is `at`; returns the new end."""
    found = at < end and ranks[at] == rank
    if size == 0.0:
        if found:
            _close_gap(ranks, sizes, digits, at, end)
            end -= 1
        return end
    if not found:
        _open_gap(ranks, sizes, digits, at, end)
        end += 1
    ranks[at] = rank
    sizes[at] = size
    return end


@uncounted
def _close_gap(
    ranks: NDArray[np.float64],
    sizes: NDArray[np.float64],
    digits: NDArray[np.uint64],
    at: int,
    end: int,
) -> None:
    for level in range(at, end - 1):
        ranks[level] = ranks[level + 1]
        sizes[level] = sizes[level + 1]
    if digits.shape[0] > 0:
        for level in range(at, end - 1):
            digits[level, 0] = digits[level + 1, 0]
            digits[level, 1] = digits[level + 1, 1]


@uncounted
def _open_gap(
    ranks: NDArray[np.float64],
    sizes: NDArray[np.float64],
    digits: NDArray[np.uint64],
    at: int,
    end: int,
) -> None:
    for level in range(end, at, -1):
        ranks[level] = ranks[level - 1]
        sizes[level] = sizes[level - 1]
    if digits.shape[0] > 0:
        for level in range(end, at, -1):
            digits[level, 0] = digits[level - 1, 0]
            digits[level, 1] = digits[level - 1, 1]


@uncounted
def _write_digits(
    digits: NDArray[np.uint64], at: int, changed: NDArray[np.uint64], row: int
) -> None:
    """Keeps the checksum of the exact digits of a level, price before size."""
    if digits.shape[0] > 0:
        digits[at, 0], digits[at, 1] = 0, 0
        if changed.shape[0] > 0 and changed[row, 0] != 0 and changed[row, 1] != 0:
            crc, price_length = with_decimal(np.int64(0), changed[row, 0])
            crc, size_length = with_decimal(crc, changed[row, 1])
            digits[at, 0], digits[at, 1] = crc, price_length + size_length


@njit(cache=True, nogil=True)
def _verify(book: Sides, checksum: int) -> int:
    """Kraken's checksum of the ten best asks, then bids, price digits before size digits.

    https://docs.kraken.com/api/docs/guides/spot-ws-book-v2
    """
    if checksum < 0 or book.digits.shape[1] == 0:
        return UNCHECKED
    crc = NOTHING
    for side in (ASK, BID):
        first, end = book.bounds[side, 0], book.bounds[side, 1]
        for level in range(end - 1, max(first, end - CHECKSUM_LEVELS) - 1, -1):
            length = np.int64(book.digits[side, level, 1])
            if length == 0:
                return UNCHECKED
            crc = with_part(crc, np.int64(book.digits[side, level, 0]), length)
    return GOOD if crc ^ NOTHING == checksum else BAD
