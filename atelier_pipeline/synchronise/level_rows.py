"""Sampled levels as the rows of a sync order book file, without a Python step per row."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from atelier_pipeline.lake.schemas import SYNC
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.synchronise.feeds import timestamps
from atelier_pipeline.synchronise.sampling import Levels

_BLOCK_ROWS = 1 << 14
"""Each block is looked at once while it is written; fewer rows would be more blocks to join."""

_SIDES = np.array([b"ask", b"bid"])


@dataclass(frozen=True, slots=True)
class LastMessages:
    """int64[ticks] each: every tick, and the times of the last message before it."""

    stamps: NDArray[np.int64]
    ts_event: NDArray[np.int64]
    ts_recv: NDArray[np.int64]


def level_rows(levels: Levels, last: LastMessages, exchange: str, symbol: str) -> pa.Table:
    """The table of schema SYNC[orderbooks] for levels as `sample` left them."""
    per_tick = np.maximum(levels.counts, 0).sum(axis=0)
    rows = int(per_tick.sum())
    side, level = _sides_and_levels(levels.counts, rows)
    stamps = np.repeat(last.stamps, per_tick)
    return pa.table(
        [
            pa.array(stamps.view(np.uint64)),
            constant_column(symbol, rows),
            constant_column(exchange, rows),
            side,
            level,
            pa.array(levels.price[:rows]),
            pa.array(levels.size[:rows]),
            timestamps(np.repeat(last.ts_event, per_tick)),
            timestamps(np.repeat(last.ts_recv, per_tick)),
            timestamps(stamps),
        ],
        schema=SYNC[Dataset.ORDERBOOKS],
    )


def constant_column(value: str, rows: int) -> "pa.ChunkedArray[pa.StringScalar]":
    """A string column of one value, its blocks sharing memory."""
    return _repeated(pa.array([value] * min(rows, _BLOCK_ROWS), pa.string()), rows)


def _sides_and_levels(
    counts: NDArray[np.int64], rows: int
) -> tuple["pa.ChunkedArray[Any]", "pa.ChunkedArray[Any]"]:
    """`bid` or `ask`, and 0 = best; blocks share memory where all ticks have the same levels."""
    counts = counts[:, counts[0] >= 0]
    a_tick = int(counts[:, 0].sum()) if rows else 0
    if a_tick and (counts == counts[:, :1]).all():
        counts = counts[:, : -(-_BLOCK_ROWS // a_tick)]
    lengths = counts.T.ravel()
    starts = np.cumsum(lengths) - lengths
    is_bid = np.repeat(np.arange(len(lengths)) % 2 == 0, lengths)
    level = np.arange(len(is_bid)) - np.repeat(starts, lengths)
    return _repeated(_sides(is_bid), rows), _repeated(pa.array(level.view(np.uint64)), rows)


def _sides(is_bid: NDArray[np.bool_]) -> pa.StringArray:
    """Both words have three letters, so that offsets need no look at the rows."""
    offsets = 3 * np.arange(len(is_bid) + 1, dtype=np.int32)
    letters = _SIDES.take(is_bid.view(np.int8)).view(np.uint8)
    return pa.StringArray.from_buffers(
        len(is_bid), pa.py_buffer(offsets.data), pa.py_buffer(letters.data)
    )


def _repeated(block: "pa.Array[Any]", rows: int) -> "pa.ChunkedArray[Any]":
    """The block again and again, up to `rows`."""
    whole, rest = divmod(rows, max(len(block), 1))
    return pa.chunked_array([*[block] * whole, block[:rest]], block.type)
