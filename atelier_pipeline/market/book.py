"""Order books as columns: messages in, the book they leave behind out.

`BookColumns` is a run of consecutive order book messages of one symbol. `BookState` is the book
after them, kept by a compiled kernel; it carries over from run to run, so that any split of the
messages gives the same books.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atelier_pipeline.market.book_kernel import (
    ASK,
    BID,
    Changes,
    Trace,
    apply_messages,
    empty_sides,
    side_levels,
    with_digits,
    with_room,
)

_FIRST_CAPACITY = 1024


@dataclass(frozen=True, slots=True)
class BookColumns:
    """`n` consecutive messages of one symbol with `rows` level changes, in order of arrival.

    Message k owns the rows offsets[k]:offsets[k + 1]; a snapshot replaces the book.

    Attributes:
        ts_event, ts_recv: int64[n], UTC ns.
        update_id: int64[n], -1 where the exchange numbers nothing.
        is_snapshot: bool[n].
        checksum: int64[n], -1 where the message carries none.
        offsets: int64[n + 1].
        is_bid: bool[rows].
        price, size: float64[rows]; size 0 deletes the level.
        digits: uint64[rows, 2] price and size digits for the checksum, 0 where they don't fit;
            uint64[0, 2] where no message has a checksum.
    """

    ts_event: NDArray[np.int64]
    ts_recv: NDArray[np.int64]
    update_id: NDArray[np.int64]
    is_snapshot: NDArray[np.bool_]
    checksum: NDArray[np.int64]
    offsets: NDArray[np.int64]
    is_bid: NDArray[np.bool_]
    price: NDArray[np.float64]
    size: NDArray[np.float64]
    digits: NDArray[np.uint64]


def changes_of(columns: BookColumns) -> Changes:
    """The part of the columns that changes a book, as the kernel takes it."""
    return Changes(
        columns.is_snapshot,
        columns.checksum,
        columns.offsets,
        columns.is_bid,
        columns.price,
        columns.size,
        columns.digits,
    )


@dataclass(frozen=True, slots=True)
class BookTrace:
    """What each of `n` messages left behind.

    Attributes:
        best_bid, best_ask: float64[n], NaN where the side is empty.
        checksum_ok: int8[n], 1 it matched, 0 it did not, -1 there was nothing to check.
    """

    best_bid: NDArray[np.float64]
    best_ask: NDArray[np.float64]
    checksum_ok: NDArray[np.int8]


class BookState:
    """One order book, each side cut to `depth` levels after every message (None: never cut)."""

    def __init__(self, depth: int | None) -> None:
        self._depth = -1 if depth is None else depth
        self._sides = empty_sides(_FIRST_CAPACITY)

    def apply(self, columns: BookColumns) -> BookTrace:
        """Applies the messages in order and tells what each one left behind.

        Deleting an absent level is no error; of several changes to one price the last one counts.
        """
        changes = changes_of(columns)
        n = len(columns.is_snapshot)
        trace = Trace(np.empty(n), np.empty(n), np.empty(n, np.int8))
        self._sides = with_digits(self._sides, changes)
        reached = apply_messages(self._sides, changes, 0, n, self._depth, trace)
        while reached < n:
            rows = int(changes.offsets[reached + 1] - changes.offsets[reached])
            self._sides = with_room(self._sides, rows)
            reached = apply_messages(self._sides, changes, reached, n, self._depth, trace)
        return BookTrace(*trace)

    def levels(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Bids and asks as float64[levels, 2] of price and size, best first."""
        return side_levels(self._sides, BID), side_levels(self._sides, ASK)

    def clear(self) -> None:
        """Forgets every level, as before the first message."""
        self._sides.bounds[:] = 0
