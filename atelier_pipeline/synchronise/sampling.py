"""The compiled walk of a book along the grid: apply what came before, copy the top levels."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from atelier_pipeline.market.book_kernel import (
    ASK,
    BID,
    Changes,
    Sides,
    apply_delta,
    apply_message,
    best_price,
    uncounted,
)

NOT_KNOWN = -1


class Levels(NamedTuple):
    """The top levels of the book at every tick, bids then asks, best first; filled in place.

    Attributes:
        price, size: float64[rows].
        counts: int64[2, ticks], levels of bids and of asks; NOT_KNOWN where the book is not known.
    """

    price: NDArray[np.float64]
    size: NDArray[np.float64]
    counts: NDArray[np.int64]


class Depths(NamedTuple):
    """Levels per side that the feed keeps (-1: all), and that a tick keeps of these."""

    of_the_feed: int
    of_a_tick: int


class Cursor(NamedTuple):
    """How far the walk has come: int64[1] each, moved in place."""

    tick: NDArray[np.int64]
    message: NDArray[np.int64]
    row: NDArray[np.int64]


@njit(cache=True, nogil=True)
def sample(
    book: Sides,
    changes: Changes,
    depths: Depths,
    cuts: NDArray[np.int64],
    is_whole: NDArray[np.bool_],
    cursor: Cursor,
    levels: Levels,
) -> bool:
    """Applies the messages before cuts[tick] and copies the book, tick by tick.

    A book that is not whole, or is crossed, counts as not known. False where the book needs more
    room: call again from the same cursor.
    """
    while not _sample_deltas(book, changes, depths, cuts, is_whole, cursor, levels):
        message = cursor.message[0]
        if not apply_message(book, changes, message, depths.of_the_feed):
            return False
        cursor.message[0] = message + 1
    return True


@uncounted
def _sample_deltas(
    book: Sides,
    changes: Changes,
    depths: Depths,
    cuts: NDArray[np.int64],
    is_whole: NDArray[np.bool_],
    cursor: Cursor,
    levels: Levels,
) -> bool:
    """Goes on to the end, or to a message that takes more than `apply_delta`: False."""
    for tick in range(cursor.tick[0], len(cuts)):
        for message in range(cursor.message[0], cuts[tick]):
            if not apply_delta(book, changes, message, depths.of_the_feed):
                return False
            cursor.message[0] = message + 1
        if is_whole[tick] and not best_price(book, BID) >= best_price(book, ASK):
            levels.counts[BID, tick] = _copy_side(book, BID, depths.of_a_tick, cursor, levels)
            levels.counts[ASK, tick] = _copy_side(book, ASK, depths.of_a_tick, cursor, levels)
        else:
            levels.counts[BID, tick] = levels.counts[ASK, tick] = NOT_KNOWN
        cursor.tick[0] = tick + 1
    return True


@uncounted
def _copy_side(book: Sides, side: int, depth: int, cursor: Cursor, levels: Levels) -> int:
    ranks, sizes = book.ranks[side], book.sizes[side]
    end = book.bounds[side, 1]
    count = min(depth, end - book.bounds[side, 0])
    row = cursor.row[0]
    for level in range(count):
        rank = ranks[end - 1 - level]
        levels.price[row + level] = rank if side == BID else -rank
    for level in range(count):
        levels.size[row + level] = sizes[end - 1 - level]
    cursor.row[0] = row + count
    return count
