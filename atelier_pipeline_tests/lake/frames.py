"""Journals to write and read in tests."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from atelier_pipeline.lake.journal import JournalMeta
from atelier_pipeline.lake.journal_writer import JournalWriter
from atelier_pipeline.market.window import Window
from atelier_pipeline_tests.lake.rows import T0

META = JournalMeta(
    exchange="bybit",
    collector="main",
    url="wss://example.test/v5",
    source="live",
    manifest='[collect]\nexchange = "bybit"\n',
    window=Window(T0, T0 + 3_600_000_000_000),
)

Row = tuple[int, int, str, bytes]


def some_rows(count: int, first: int = 0) -> list[Row]:
    """`count` rows of (ts_recv, connection, kind, payload) that all differ."""
    return [
        (T0 + k, k % 3, ("text", "binary", "sent")[k % 3], b'{"n":%d}' % k)
        for k in range(first, first + count)
    ]


def write(folder: Path, batches: Iterable[list[Row]], *, close: bool = True) -> Path:
    """A segment with these batches; without `close` it ends as after a crash."""
    writer = JournalWriter.open(folder, META)
    for batch in batches:
        for row in batch:
            writer.append(*row)
        writer.flush()
    if close:
        writer.close()
    else:
        writer._resources.close()
    return writer.path


def rows_of(batches: Iterable[pa.RecordBatch]) -> list[tuple[int, int, int, str, bytes]]:
    """(seq, ts_recv, connection, kind, payload) of every row."""
    return [
        row
        for batch in batches
        for row in zip(
            batch["seq"].to_pylist(),
            batch["ts_recv"].cast(pa.int64()).to_pylist(),
            batch["connection"].to_pylist(),
            batch["kind"].to_pylist(),
            batch["payload"].to_pylist(),
            strict=True,
        )
    ]


def numbered(rows: Iterable[Row], first: int = 0) -> list[tuple[int, int, int, str, bytes]]:
    """The rows with the `seq` that the journal gives them."""
    return [(seq, *row) for seq, row in enumerate(rows, first)]
