"""Workers' files: raw events or ticks, under the names of the lake, each with its own stamp.

A file holds a bounded number of rows and is whole from the moment it has a name; a name that is
taken is never overwritten. Rows wait in memory until their file is full.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from atelier_pipeline.aggregate import aggregate
from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake.footer import Footer
from atelier_pipeline.lake.names import FileKind, Mode, lake_path
from atelier_pipeline.lake.source import claim_lake
from atelier_pipeline.lake.writer import write_table
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.synchronise import Synchronised
from atelier_pipeline.workers.batches import Batch, EventBatch, GapBatch, SnapshotBatch
from atelier_pipeline.workers.sinks import Market

NS_PER_MS = 1_000_000
MOST_ROWS = 1_000_000
"""Raw rows of one feed that wait for their file; more make it early."""

_MOST_TRIES = 1000


class ParquetSink:
    """Writes what it receives into a lake.

    Attributes:
        flushes: how often rows became files.
        files: every file written.
    """

    def __init__(
        self,
        folder: Path,
        *,
        source: str,
        flush_threshold: int = 3000,
        raw_span_ns: int = 300_000_000_000,
        collector: str = "",
    ) -> None:
        """LakeError where the lake holds another source.

        `flush_threshold`: ticks per sync file. `raw_span_ns`: how long, by receipt, one raw file
        gathers events. `source`: live, simulated or replay.
        """
        claim_lake(folder, source)
        self.name = f"parquet {folder}"
        self.flushes = 0
        self.files: list[Path] = []
        self._folder = folder
        self._source = source
        self._collector = collector
        self._flush_threshold = flush_threshold
        self._raw_span_ns = raw_span_ns
        self._raw: dict[tuple[Market, Dataset], _RawRows] = {}
        self._ticks: dict[Market, list[Synchronised]] = {}

    def receive(self, batch: Batch) -> None:
        """Keep rows until their file is full."""
        if isinstance(batch, EventBatch):
            self._receive_events(batch)
        else:
            self._receive_ticks(batch)

    def receive_gaps(self, gaps: GapBatch) -> None:
        """Write the losses of one market."""
        market = gaps.exchange, gaps.symbol
        self._write(market, {FileKind.GAPS: gaps.table}, Mode.RAW, gaps.start_ns)

    def close(self) -> None:
        """Write all that waits."""
        for feed in list(self._raw):
            self._flush_events(*feed)
        for market in list(self._ticks):
            self._flush_ticks(market, self._held(market).snapshots.num_rows)

    def _receive_events(self, batch: EventBatch) -> None:
        feed = (batch.exchange, batch.symbol), batch.dataset
        rows = self._raw.setdefault(feed, _RawRows())
        rows.add(batch.table)
        if rows.span_ns >= self._raw_span_ns or rows.count >= MOST_ROWS:
            self._flush_events(*feed)

    def _flush_events(self, market: Market, dataset: Dataset) -> None:
        rows = self._raw.pop((market, dataset))
        table = rows.in_order(dataset)
        self._write(market, {FileKind(dataset): table}, Mode.RAW, rows.first_recv_ns)
        self.flushes += 1

    def _receive_ticks(self, batch: SnapshotBatch) -> None:
        market = batch.exchange, batch.symbol
        self._ticks.setdefault(market, []).append(batch.rows)
        waiting = sum(rows.snapshots.num_rows for rows in self._ticks[market])
        while waiting >= self._flush_threshold:
            self._flush_ticks(market, self._flush_threshold)
            waiting -= self._flush_threshold

    def _held(self, market: Market) -> Synchronised:
        parts = self._ticks[market]
        if len(parts) > 1:
            tables = {d: pa.concat_tables([p.tables[d] for p in parts]) for d in parts[0].tables}
            snapshots = pa.concat_tables([part.snapshots for part in parts])
            parts[:] = [Synchronised(tables, snapshots, parts[0].open_interest_before)]
        return parts[0]

    def _flush_ticks(self, market: Market, count: int) -> None:
        """Writes the first `count` ticks. What can't be written is lost: memory has a limit."""
        held = self._held(market)
        rows, rest = _cut(held, count)
        if rest is None:
            del self._ticks[market]
        else:
            self._ticks[market] = [rest]
        if rows.snapshots.num_rows:
            tables = {FileKind(d): table for d, table in rows.tables.items()}
            tables |= {FileKind.SNAPSHOTS: rows.snapshots, FileKind.AGGREGATES: aggregate(rows)}
            self._write(market, tables, Mode.SYNC, _int64(rows.snapshots, "grid_ts")[0].item())
            self.flushes += 1

    def _write(
        self, market: Market, tables: Mapping[FileKind, pa.Table], mode: Mode, first_ns: int
    ) -> None:
        """Writes tables that belong together, under one stamp if nobody takes a name meanwhile."""
        footer = Footer(
            exchange=market[0], symbol=market[1], collector=self._collector, source=self._source
        )
        stamp_ns = self._free_stamp(market, list(tables), mode, first_ns)
        for kind, table in tables.items():
            self.files.append(self._write_one(market, kind, mode, stamp_ns, table, footer))

    def _write_one(
        self,
        market: Market,
        kind: FileKind,
        mode: Mode,
        stamp_ns: int,
        table: pa.Table,
        footer: Footer,
    ) -> Path:
        path = lake_path(self._folder, *market, kind, mode, stamp_ns)
        try:
            return write_table(table, path, footer, replace=False).path
        except FileExistsError:
            later_ns = self._free_stamp(market, [kind], mode, stamp_ns)
            return self._write_one(market, kind, mode, later_ns, table, footer)

    def _free_stamp(self, market: Market, kinds: list[FileKind], mode: Mode, first_ns: int) -> int:
        """The first millisecond from `first_ns` on whose names are all free."""
        for later in range(_MOST_TRIES):
            stamp_ns = first_ns + later * NS_PER_MS
            paths = (lake_path(self._folder, *market, kind, mode, stamp_ns) for kind in kinds)
            if not any(path.exists() for path in paths):
                return stamp_ns
        raise LakeError(
            f"{self._folder} has files of {market[1]} for each of {_MOST_TRIES} ms from {first_ns}"
        )


class _RawRows:
    """Rows of one feed that wait for their file."""

    def __init__(self) -> None:
        self.count = 0
        self.first_recv_ns = 0
        self.last_recv_ns = 0
        self._parts: list[pa.Table] = []

    @property
    def span_ns(self) -> int:
        return self.last_recv_ns - self.first_recv_ns

    def add(self, table: pa.Table) -> None:
        recv = _int64(table, "ts_recv")
        self.first_recv_ns = self.first_recv_ns or int(recv[0])
        self.last_recv_ns = int(recv[-1])
        self.count += table.num_rows
        self._parts.append(table)

    def in_order(self, dataset: Dataset) -> pa.Table:
        """All rows: of books in order of arrival, else by time."""
        table = pa.concat_tables(self._parts)
        if dataset is Dataset.ORDERBOOKS:
            return table
        return table.take(np.lexsort((_int64(table, "ts_recv"), _int64(table, "ts_event"))))


def _cut(rows: Synchronised, count: int) -> tuple[Synchronised, Synchronised | None]:
    """The first `count` ticks and the others, None where there are none."""
    total = rows.snapshots.num_rows
    if total <= count:
        return rows, None
    last = _int64(rows.snapshots, "grid_ts")[count - 1]
    ends = {d: np.searchsorted(_int64(t, "grid_ts"), last, "right") for d, t in rows.tables.items()}
    first = {d: table.slice(0, ends[d]) for d, table in rows.tables.items()}
    later = {d: table.slice(ends[d]) for d, table in rows.tables.items()}
    return (
        Synchronised(first, rows.snapshots.slice(0, count), rows.open_interest_before),
        Synchronised(later, rows.snapshots.slice(count), _interest_at(first, int(last))),
    )


def _interest_at(tables: Mapping[Dataset, pa.Table], tick_ns: int) -> float | None:
    """The open interest at a tick, which the change at the next one is measured from."""
    table = tables.get(Dataset.OPEN_INTERESTS)
    if table is None or not table.num_rows or _int64(table, "grid_ts")[-1] != tick_ns:
        return None
    return table["open_interest"][-1].as_py()


def _int64(table: pa.Table, name: str) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return table[name].cast(pa.int64()).to_numpy()
