"""Market snapshots back from the sync files, tick by tick, in little memory."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from atelier_pipeline.lake.names import FileKind
from atelier_pipeline.lake.schemas import SYNC
from atelier_pipeline.lake.snapshot_structs import market_snapshots
from atelier_pipeline.lake.ticks import Time, require_ticks, tick_batches, tick_range
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.snapshot import MarketSnapshot

_TICKS_AT_ONCE = 256


def read_market_snapshots(
    lake: Path | str,
    exchange: str,
    symbol: str,
    start: Time | None = None,
    end: Time | None = None,
) -> Iterator[MarketSnapshot]:
    """The snapshots of one market over [start, end), exactly as they were synchronised.

    As in a window, these are the ticks stamped start + P … end. A time is a datetime with a zone
    or an int of UTC ns; None is no limit. Windows and days, compacted or not, are read one after
    the other; a tick that no file holds is left out. Raises LakeError at once for an exchange,
    symbol or range that the lake has no ticks of, and on the way where files overlap, are damaged,
    or are of different windows.
    """
    lake, ticks = Path(lake), tick_range(start, end)
    index = require_ticks(lake, FileKind.SNAPSHOTS, exchange, symbol, ticks)
    feeds = {
        dataset: _Feed(dataset, tick_batches(lake, FileKind(dataset), exchange, symbol, ticks))
        for dataset in Dataset
    }
    return _snapshots(index, feeds)


def _snapshots(
    index: Iterator[pa.RecordBatch], feeds: dict[Dataset, "_Feed"]
) -> Iterator[MarketSnapshot]:
    for batch in index:
        for first in range(0, batch.num_rows, _TICKS_AT_ONCE):
            ticks = pa.Table.from_batches([batch.slice(first, _TICKS_AT_ONCE)])
            last = int(_stamps(ticks)[-1])
            yield from market_snapshots(ticks, {d: feed.up_to(last) for d, feed in feeds.items()})


class _Feed:
    """The rows of one dataset, given out tick by tick."""

    def __init__(self, dataset: Dataset, batches: Iterator[pa.RecordBatch]) -> None:
        self._batches = batches
        self._rest = SYNC[dataset].empty_table()

    def up_to(self, tick: int) -> pa.Table:
        """All rows up to a tick that have not been given out yet."""
        waiting = [self._rest]
        while not waiting[-1].num_rows or _stamps(waiting[-1])[-1] <= tick:
            batch = next(self._batches, None)
            if batch is None:
                break
            waiting.append(pa.Table.from_batches([batch]))
        rows = pa.concat_tables(waiting)
        end = int(np.searchsorted(_stamps(rows), tick, "right"))
        self._rest = rows.slice(end)
        return rows.slice(0, end)


def _stamps(table: pa.Table) -> NDArray[np.int64]:
    return table["grid_ts"].cast(pa.int64()).to_numpy()
