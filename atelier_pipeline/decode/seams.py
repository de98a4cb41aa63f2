"""What a capture saw just before a moment, as a hash that a second capture can compute as well.

Two captures of one feed see the same events, but not the same messages: the one was connected
earlier, so that its states are older, and messages may be cut differently. Hashed is therefore, of
trades and liquidations, every event of the two seconds before the moment, in an order of their own
values; of books, funding and open interest, the state at the moment. Times of receipt, message
boundaries and numbers are left out.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atelier_pipeline.decode.columns import Fills, Fundings, OpenInterests, taken
from atelier_pipeline.decode.keeper import BookAt
from atelier_pipeline.decode.trades import first_of_each

SEAM_NS = 2_000_000_000
"""How long before a moment two captures are compared."""


@dataclass(frozen=True, slots=True)
class Seam:
    """How many events, levels or values were hashed, and their hash in 16 hex digits."""

    events: int
    hash: str


def seam_of_fills(fills: Fills, moment_ns: int) -> Seam:
    """Of the fills of the two seconds before a moment: time, id, side, price and amount."""
    inside = taken(fills, (fills.ts_event >= moment_ns - SEAM_NS) & (fills.ts_event < moment_ns))
    unique = taken(inside, first_of_each(inside.id))
    ids = unique.id.astype(str)
    order = np.lexsort((unique.amount, unique.price, unique.is_buy, ids, unique.ts_event))
    columns = (unique.ts_event, unique.is_buy, unique.price, unique.amount)
    text = "\n".join(ids[order].tolist()).encode()
    return _seam(len(order), [column[order] for column in columns], text)


def seam_of_book(book: BookAt) -> Seam:
    """Of every level: side, price and size."""
    return _seam(len(book.bids) + len(book.asks), [book.bids, book.asks])


def seam_of_fundings(rates: Fundings) -> Seam:
    """Of the last of some funding rates in order: rate, next funding time, interval."""
    last = [rates.rate[-1:], rates.next_ms[-1:], rates.interval_hours[-1:]]
    return _seam(len(last[0]), last)


def seam_of_open_interests(interests: OpenInterests) -> Seam:
    """Of the last of some open interests in order: amount and value."""
    last = [interests.amount[-1:], interests.value[-1:]]
    return _seam(len(last[0]), last)


def _seam(events: int, columns: Sequence[NDArray[np.generic]], text: bytes = b"") -> Seam:
    digest = hashlib.sha256()
    for column in columns:
        digest.update(b"%d:" % column.size)
        digest.update(np.ascontiguousarray(column).astype(column.dtype.newbyteorder("<")).tobytes())
    digest.update(text)
    return Seam(events, digest.hexdigest()[:16])
