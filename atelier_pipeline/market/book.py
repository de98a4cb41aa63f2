"""Order books as columns: messages in, the book they leave behind out.

`BookColumns` is a run of consecutive order book messages of one symbol. `BookState` is the book
after them, kept by a compiled kernel; it carries over from run to run, so that any split of the
messages gives the same books.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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
