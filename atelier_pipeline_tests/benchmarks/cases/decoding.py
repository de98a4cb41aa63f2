"""Frames to checked events, and on to raw Parquet on disk."""

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from atelier_pipeline.decode.reading import Reading
from atelier_pipeline.decode.seal import Sealed, seal
from atelier_pipeline.lake.footer import Footer
from atelier_pipeline.lake.names import Mode, lake_path
from atelier_pipeline.lake.schemas import FRAMES
from atelier_pipeline.lake.writer import Written, write_table
from atelier_pipeline.manifest import Collector
from atelier_pipeline.market.window import Window
from atelier_pipeline.pipeline import raw_tables, scope_of
from atelier_pipeline_tests.benchmarks.collectors import collector_for
from atelier_pipeline_tests.benchmarks.recorded import NS_PER_SEC, Frame, read_frames
from atelier_pipeline_tests.benchmarks.stopwatch import Stopwatch

_FRAMES_PER_BATCH = 1 << 14
_WARM_UP = 2_000


def checked_events(watch: Stopwatch, exchange: str, frames: str) -> dict[str, float]:
    """Frames as they come from the journal → events with sequences, checksums and ids checked."""
    collector, received = collector_for(exchange, frames), list(read_frames(Path(frames)))
    window = _window(received)
    _read(collector, window, list(_batches(received[:_WARM_UP])))
    batches = list(_batches(received))
    with watch:
        _read(collector, window, batches)
    return watch.sample(len(received))


def raw_files(watch: Stopwatch, exchange: str, frames: str, folder: str) -> dict[str, float]:
    """The same, and on to one raw file per symbol and dataset, durable on disk."""
    collector, received = collector_for(exchange, frames), list(read_frames(Path(frames)))
    window = _window(received)
    with tempfile.TemporaryDirectory(dir=folder) as lake:
        _write(Path(lake), collector, window, _sealed(collector, window, received[:_WARM_UP]))
    batches = list(_batches(received))
    with tempfile.TemporaryDirectory(dir=folder) as lake:
        with watch:
            sealed = seal(batches, scope_of(collector), window, whole=True)
            written = list(_write(Path(lake), collector, window, sealed))
        books = [each for each in written if "_ob_raw_" in each.path.name]
        rows = sum(each.rows for each in books)
        return watch.sample(
            len(received),
            book_rows=rows,
            book_bytes=sum(each.bytes for each in books),
            verified=sealed.summary.verified,
            losses=sum(sealed.summary.losses.values()),
        )


def _read(collector: Collector, window: Window, batches: Iterable[pa.RecordBatch]) -> None:
    reading = Reading(scope_of(collector), window, ())
    for batch in batches:
        reading.read(batch)
    reading.finish(is_whole=True)


def _sealed(collector: Collector, window: Window, frames: list[Frame]) -> Sealed:
    return seal(_batches(frames), scope_of(collector), window, whole=True)


def _write(lake: Path, collector: Collector, window: Window, sealed: Sealed) -> Iterator[Written]:
    for symbol in collector.symbols:
        footer = Footer(exchange=collector.exchange.name, symbol=symbol, source="replay")
        for kind, table in raw_tables(sealed, symbol).items():
            path = lake_path(lake, collector.exchange.name, symbol, kind, Mode.RAW, window.start_ns)
            yield write_table(table, path, footer)


def _window(frames: list[Frame]) -> Window:
    """Whole seconds around everything that was received or, where nobody knows, said."""
    times = [ts_recv for ts_recv, _ in frames if ts_recv]
    if not times:
        return Window(0, 2**62)
    start = times[0] // NS_PER_SEC - 60
    return Window(start * NS_PER_SEC, (times[-1] // NS_PER_SEC + 1) * NS_PER_SEC)


def _batches(frames: list[Frame]) -> Iterator[pa.RecordBatch]:
    for first in range(0, len(frames), _FRAMES_PER_BATCH):
        part = frames[first : first + _FRAMES_PER_BATCH]
        rows = len(part)
        columns = [
            pa.array(range(first, first + rows), pa.uint64()),
            pa.array([ts_recv for ts_recv, _ in part], pa.int64()).cast(FRAMES.field(1).type),
            pa.array([0] * rows, pa.uint32()),
            pa.array(["text"] * rows),
            pa.array([payload for _, payload in part], pa.binary()),
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=FRAMES)
