"""Raw order book rows as columns of messages, and runs of these cut and joined."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from atelier_pipeline.market.book import BookColumns
from atelier_pipeline.synchronise.feeds import int64_column

BOOK_COLUMNS = (
    "side",
    "price",
    "size",
    "ts_event",
    "ts_recv",
    "message",
    "is_snapshot",
    "opening",
)
"""What of a raw order book table is looked at; it may have no others."""

_NO_TIMES = np.zeros(0, np.int64)
_NO_DIGITS = np.zeros((0, 2), np.uint64)
_NO_MESSAGES = BookColumns(
    ts_event=_NO_TIMES,
    ts_recv=_NO_TIMES,
    update_id=_NO_TIMES,
    is_snapshot=np.zeros(0, np.bool_),
    checksum=_NO_TIMES,
    offsets=np.zeros(1, np.int64),
    is_bid=np.zeros(0, np.bool_),
    price=np.zeros(0),
    size=np.zeros(0),
    digits=_NO_DIGITS,
)


def book_messages(table: pa.Table) -> tuple[BookColumns, NDArray[np.bool_]]:
    """The messages of a raw order book table, and which of them are its opening state.

    A row without a price stands for a message without levels.
    """
    message = int64_column(table, "message")
    starts = np.flatnonzero(np.r_[True, message[1:] != message[:-1]][: len(message)])
    has_level = table["price"].is_valid().to_numpy()
    offsets = np.r_[0, np.cumsum(has_level)][np.r_[starts, len(message)]]
    levels = table.filter(has_level) if table["price"].null_count else table
    columns = BookColumns(
        ts_event=int64_column(table, "ts_event")[starts],
        ts_recv=int64_column(table, "ts_recv")[starts],
        update_id=np.full(len(starts), -1),
        is_snapshot=table["is_snapshot"].to_numpy()[starts],
        checksum=np.full(len(starts), -1),
        offsets=offsets,
        is_bid=pc.equal(levels["side"], pa.scalar("bid")).to_numpy(),
        price=levels["price"].to_numpy().copy(),
        size=levels["size"].to_numpy().copy(),
        digits=_NO_DIGITS,
    )
    return columns, table["opening"].to_numpy()[starts]


def joined_columns(runs: list[BookColumns]) -> BookColumns:
    """Runs of messages as one; digits and checksums have served by now and are left out."""
    runs = [_NO_MESSAGES, *runs]
    firsts = np.cumsum([0, *(len(run.price) for run in runs)])
    offsets = [run.offsets[:-1] + first for run, first in zip(runs, firsts, strict=False)]

    def joined(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(run, name) for run in runs])

    return BookColumns(
        ts_event=joined("ts_event"),
        ts_recv=joined("ts_recv"),
        update_id=joined("update_id"),
        is_snapshot=joined("is_snapshot"),
        checksum=joined("checksum"),
        offsets=np.concatenate([*offsets, firsts[-1:]]),
        is_bid=joined("is_bid"),
        price=joined("price"),
        size=joined("size"),
        digits=_NO_DIGITS,
    )


def later_columns(columns: BookColumns, message: int) -> BookColumns:
    """The messages from the given one on."""
    row = columns.offsets[message]
    return BookColumns(
        ts_event=columns.ts_event[message:],
        ts_recv=columns.ts_recv[message:],
        update_id=columns.update_id[message:],
        is_snapshot=columns.is_snapshot[message:],
        checksum=columns.checksum[message:],
        offsets=columns.offsets[message:] - row,
        is_bid=columns.is_bid[row:],
        price=columns.price[row:],
        size=columns.size[row:],
        digits=_NO_DIGITS,
    )
