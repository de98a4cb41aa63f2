"""Sampled levels as the rows of a sync order book file, without a Python step per row."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from atelier_pipeline.lake.schemas import SYNC
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.synchronise.feeds import timestamps
from atelier_pipeline.synchronise.sampling import Levels

_BLOCK_ROWS = 1 << 16
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
    stamps = np.repeat(last.stamps, per_tick)
    return pa.table(
        [
            pa.array(stamps.view(np.uint64)),
            constant_column(symbol, rows),
            constant_column(exchange, rows),
            _side_column(levels, rows),
            pa.array(levels.level[:rows]),
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


def _side_column(levels: Levels, rows: int) -> "pa.ChunkedArray[pa.StringScalar]":
    """`bid` or `ask` per row; blocks share memory where all ticks have the same levels."""
    counts = levels.counts[:, levels.counts[0] >= 0]
    a_tick = int(counts[:, 0].sum()) if rows else 0
    is_regular = a_tick > 0 and bool((counts == counts[:, :1]).all())
    block = min(rows, -(-_BLOCK_ROWS // a_tick) * a_tick) if is_regular else rows
    return _repeated(_sides(levels.is_bid[:block]), rows)


def _sides(is_bid: NDArray[np.bool_]) -> pa.StringArray:
    """Both words have three letters, so that offsets need no look at the rows."""
    offsets = 3 * np.arange(len(is_bid) + 1, dtype=np.int32)
    letters = _SIDES.take(is_bid.view(np.int8)).view(np.uint8)
    return pa.StringArray.from_buffers(
        len(is_bid), pa.py_buffer(offsets.data), pa.py_buffer(letters.data)
    )


def _repeated(block: pa.StringArray, rows: int) -> "pa.ChunkedArray[pa.StringScalar]":
    """The block again and again, up to `rows`."""
    whole, rest = divmod(rows, max(len(block), 1))
    return pa.chunked_array([*[block] * whole, block[:rest]], pa.string())
