"""Compiled sums by tick, in float64 and in the order of the rows.

Never numpy's own sums: they add in pairs, and the last bit would depend on the split.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray


class BookSums(NamedTuple):
    """float64[ticks] each: the best prices, NaN for none, and the sizes of the sides."""

    best_bid: NDArray[np.float64]
    best_ask: NDArray[np.float64]
    bid_size: NDArray[np.float64]
    ask_size: NDArray[np.float64]


class EventSums(NamedTuple):
    """float64[ticks] each: base units, quote units, and the quote units of buys and of sells."""

    amount: NDArray[np.float64]
    notional: NDArray[np.float64]
    bought: NDArray[np.float64]
    sold: NDArray[np.float64]


@njit(cache=True, nogil=True)
def sum_books(
    bids: NDArray[np.int64],
    asks: NDArray[np.int64],
    price: NDArray[np.float64],
    size: NDArray[np.float64],
) -> BookSums:
    """The sides of each tick's book, given how many rows of each side follow each other there."""
    ticks = len(bids)
    best_bid, best_ask = np.full(ticks, np.nan), np.full(ticks, np.nan)
    bid_size, ask_size = np.zeros(ticks), np.zeros(ticks)
    row = 0
    for at in range(ticks):
        if bids[at]:
            best_bid[at] = price[row]
        for _ in range(bids[at]):
            bid_size[at] += size[row]
            row += 1
        if asks[at]:
            best_ask[at] = price[row]
        for _ in range(asks[at]):
            ask_size[at] += size[row]
            row += 1
    return BookSums(best_bid, best_ask, bid_size, ask_size)


def sum_events(
    ticks: int,
    tick: NDArray[np.int64],
    is_buy: NDArray[np.bool_],
    price: NDArray[np.float64],
    amount: NDArray[np.float64],
) -> EventSums:
    """What each tick's trades or liquidations add up to, given the tick of each row."""
    sums = EventSums(*np.full((4, ticks), 0.0))
    _add_events(sums, tick, is_buy, price, amount)
    return sums


@njit(cache=True, nogil=True)
def _add_events(
    sums: EventSums,
    tick: NDArray[np.int64],
    is_buy: NDArray[np.bool_],
    price: NDArray[np.float64],
    amount: NDArray[np.float64],
) -> None:
    """Adds to sums that numpy made: it asks the system for large pages, compiled code does not."""
    for row in range(len(tick)):
        at = tick[row]
        value = price[row] * amount[row]
        sums.amount[at] += amount[row]
        sums.notional[at] += value
        if is_buy[row]:
            sums.bought[at] += value
        else:
            sums.sold[at] += value
