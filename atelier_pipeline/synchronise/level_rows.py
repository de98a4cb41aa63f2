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
            _side_column(levels.is_bid[:rows]),
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
    block = pa.array([value] * min(rows, _BLOCK_ROWS), pa.string())
    blocks = [block] * (rows // _BLOCK_ROWS)
    return pa.chunked_array([*blocks, block[: rows % _BLOCK_ROWS]], pa.string())


def _side_column(is_bid: NDArray[np.bool_]) -> pa.StringArray:
    """`bid` or `ask` per row: both have three letters, so that offsets need no look at the rows."""
    offsets = 3 * np.arange(len(is_bid) + 1, dtype=np.int32)
    letters = _SIDES.take(is_bid.view(np.int8)).view(np.uint8)
    return pa.StringArray.from_buffers(
        len(is_bid), pa.py_buffer(offsets.data), pa.py_buffer(letters.data)
    )
