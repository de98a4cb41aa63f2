"""The straight line for one window of one collector: files in, pure functions, files out.

capture ──▶ seal ──▶ synchronise ──▶ aggregate ──▶ validate. Each stage reads what the one before it
left on disk, so that each can be run again alone. Nothing here computes, and nothing knows who runs
it: Dagster, a replay or a test.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pyarrow as pa

from atelier_pipeline.aggregate import COLUMNS
from atelier_pipeline.aggregate import aggregate as aggregate_symbol
from atelier_pipeline.capture import CaptureLimits, CaptureProgress, CaptureReport, capture_window
from atelier_pipeline.decode.scope import Scope
from atelier_pipeline.decode.seal import Sealed
from atelier_pipeline.decode.seal import seal as decode_window
from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake.content import content_hash
from atelier_pipeline.lake.footer import Footer
from atelier_pipeline.lake.journal import FrameKind, Journal, JournalMeta, journal_folder
from atelier_pipeline.lake.journal_reader import read_journal
from atelier_pipeline.lake.journal_seal import read_frames, seal_journal
from atelier_pipeline.lake.journal_writer import JournalWriter
from atelier_pipeline.lake.names import FileKind, Mode, frames_path, lake_path
from atelier_pipeline.lake.reader import (
    find_extent,
    read_window,
    read_window_footer,
    window_exists,
)
from atelier_pipeline.lake.source import claim_lake
from atelier_pipeline.lake.writer import Written, write_table
from atelier_pipeline.manifest import Collector
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.window import Window
from atelier_pipeline.settings import Settings
from atelier_pipeline.synchronise import (
    BOOK_COLUMNS,
    ClockMode,
    Synchronised,
    SyncSettings,
    synchronise_window,
)
from atelier_pipeline.validate.catalog import build_catalog
from atelier_pipeline.validate.rule import Finding, Limits, Stage
from atelier_pipeline.validate.rules import WindowFiles, check_files

FRAMES_PER_FLUSH = 1 << 14


class StageResult(msgspec.Struct, frozen=True):
    """What a stage wrote, in the order of the collector's symbols.

    `files`: one that a compacted day held already, with the same rows, counts no bytes.
    `verified`: book messages (Coinbase: frames) whose number or checksum was checked and held; 0
    for stages that check none.
    """

    files: tuple[Written, ...]
    verified: int = 0


def capture(
    collector: Collector,
    window: Window,
    settings: Settings,
    stop: Callable[[], bool],
    ends_ns: int | None = None,
    on_progress: Callable[[CaptureProgress], None] | None = None,
) -> CaptureReport:
    """Journal what the exchange sends until the window's end, `ends_ns` (UTC ns) or `stop`."""
    claim_lake(settings.lake, collector.source)
    return capture_window(
        collector,
        window,
        url=collector.url(settings.simulator_url),
        journal=journal_of(collector, window, settings),
        stop=stop,
        ends_ns=ends_ns,
        on_progress=on_progress,
        limits=CaptureLimits.from_settings(settings),
    )


def journal_frames(
    collector: Collector, window: Window, settings: Settings, frames: Iterable[tuple[int, bytes]]
) -> None:
    """Journal (ts_recv in UTC ns, payload) frames that come from elsewhere than a connection."""
    meta = JournalMeta(
        exchange=collector.exchange.name,
        collector=collector.name,
        url="",
        source=collector.source,
        manifest=collector.text,
        window=window,
    )
    with JournalWriter.open(journal_of(collector, window, settings), meta) as journal:
        for number, (ts_recv, payload) in enumerate(frames, 1):
            journal.append(ts_recv, 0, FrameKind.TEXT, payload)
            if number % FRAMES_PER_FLUSH == 0:
                journal.flush()


def seal(
    collector: Collector, window: Window, settings: Settings, *, whole: bool = False
) -> StageResult:
    """Frames → raw files, gaps and captures of every symbol, and the frames as one Parquet file.

    `whole`: the frames are a bare recording, without the marks that a capture leaves.
    Raises LakeError where the window has left no frames: time can't be captured again.
    """
    place, frames = _frames(collector, window, settings)
    sealed = decoded(collector, window, frames, whole=whole)
    written: list[Written] = []
    for files in _symbols(collector, window, settings):
        written += files.write(raw_tables(sealed, files.symbol), Mode.RAW, [place])
    return StageResult(tuple(written), sealed.summary.verified)


def decoded(collector: Collector, window: Window, frames: Journal, *, whole: bool) -> Sealed:
    """What the frames of a window hold; writes nothing. `whole` as in `seal`."""
    return decode_window(
        frames.batches,
        scope_of(collector),
        window,
        pieces=len(frames.segments),
        damage=frames.damage,
        whole=whole,
        gap_threshold_secs=collector.gap_threshold_secs,
    )


def raw_tables(sealed: Sealed, symbol: str) -> dict[FileKind, pa.Table]:
    """The tables of a symbol's raw files, by kind."""
    return {
        **{FileKind(d): table for (s, d), table in sealed.tables.items() if s == symbol},
        FileKind.GAPS: sealed.gaps[symbol],
        FileKind.CAPTURES: sealed.captures[symbol],
    }


def synchronise(collector: Collector, window: Window, settings: Settings) -> StageResult:
    """Raw files → events and states on the grid, and the grid's index, of every symbol."""
    written: list[Written] = []
    for files in _symbols(collector, window, settings):
        kinds = [*files.kinds, FileKind.GAPS]
        raw = files.read_raw(kinds)
        synchronised = synchronise_window(
            {Dataset(kind): raw[kind] for kind in files.kinds},
            raw[FileKind.GAPS],
            sync_settings(collector, files.symbol),
            window,
            exchange=collector.exchange.name,
            symbol=files.symbol,
            cut_depth=scope_of(collector).kept_depth_of(files.symbol),
        )
        tables = {FileKind(d): table for d, table in synchronised.tables.items()}
        tables[FileKind.SNAPSHOTS] = synchronised.snapshots
        inputs = [files.path(kind, Mode.RAW) for kind in kinds]
        written += files.write(tables, Mode.SYNC, inputs)
    return StageResult(tuple(written))


def aggregate(collector: Collector, window: Window, settings: Settings) -> StageResult:
    """Sync files → the 15 features of every tick and symbol."""
    written: list[Written] = []
    for files in _symbols(collector, window, settings):
        paths = {kind: files.path(kind, Mode.SYNC) for kind in [*files.kinds, FileKind.SNAPSHOTS]}
        tables = {Dataset(k): read_window(paths[k], COLUMNS[Dataset(k)]) for k in files.kinds}
        synchronised = Synchronised(tables, read_window(paths[FileKind.SNAPSHOTS]))
        inputs = list(paths.values())
        opening = None
        if FileKind.OPEN_INTERESTS in files.kinds:
            opening = files.read_raw([FileKind.OPEN_INTERESTS])[FileKind.OPEN_INTERESTS]
            inputs.append(files.path(FileKind.OPEN_INTERESTS, Mode.RAW))
        features = aggregate_symbol(synchronised, opening)
        written += files.write({FileKind.AGGREGATES: features}, Mode.SYNC, inputs)
    return StageResult(tuple(written))


def validate(
    stage: Stage, collector: Collector, window: Window, settings: Settings
) -> list[Finding]:
    """What every rule of a stage finds in the window's files."""
    files = WindowFiles(settings.lake, collector.exchange.name, collector.symbols, window)
    limits = Limits(period_ns=collector.sync.period_ns, clock=collector.sync.clock)
    return check_files(files, limits, stage)


def rebuild_catalog(settings: Settings) -> None:
    """The catalog's views over the lake, replaced at once."""
    build_catalog(settings.lake, settings.catalog)


def scope_of(collector: Collector) -> Scope:
    """What decoding needs to know of a collector."""
    return Scope(
        exchange=collector.exchange,
        collector=collector.name,
        source=collector.source,
        datasets=collector.datasets,
        depth=collector.subscribed_depth,
    )


def journal_of(collector: Collector, window: Window, settings: Settings) -> Path:
    """The folder of the journal of a collector's window."""
    exchange = collector.exchange.name
    return journal_folder(settings.journal, exchange, collector.name, window.start_ns)


@dataclass(frozen=True, slots=True)
class _SymbolFiles:
    """The files of one symbol in one window."""

    collector: Collector
    window: Window
    lake: Path
    symbol: str

    @property
    def kinds(self) -> list[FileKind]:
        """The kinds of the captured datasets."""
        return [FileKind(d) for d in Dataset if d in self.collector.datasets[self.symbol]]

    def path(self, kind: FileKind, mode: Mode) -> Path:
        """Where a file belongs."""
        exchange, t0_ns = self.collector.exchange.name, self.window.start_ns
        return lake_path(self.lake, exchange, self.symbol, kind, mode, t0_ns)

    def read_raw(self, kinds: Iterable[FileKind]) -> dict[FileKind, pa.Table]:
        """The tables of some kinds, of order books what the grid needs; LakeError for no file."""
        columns = {FileKind.ORDERBOOKS: BOOK_COLUMNS}
        return {kind: read_window(self.path(kind, Mode.RAW), columns.get(kind)) for kind in kinds}

    def write(
        self, tables: Mapping[FileKind, pa.Table], mode: Mode, inputs: Iterable[Path]
    ) -> list[Written]:
        """Write tables that were made from the files `inputs`."""
        footer = Footer(
            exchange=self.collector.exchange.name,
            symbol=self.symbol,
            collector=self.collector.name,
            window_start=self.window.start_ns,
            window_end=self.window.end_ns,
            source=self.collector.source,
            settings_hash=self.collector.settings_hash,
            input_hashes={path.name: read_window_footer(path).content_hash for path in inputs},
        )
        return [_put(table, self.path(kind, mode), footer) for kind, table in tables.items()]


def _put(table: pa.Table, path: Path, footer: Footer) -> Written:
    """Write a file; a compacted day is read-only, but may hold exactly these rows already."""
    extent = find_extent(path)
    if extent is not None and extent.file != path:
        held = read_window_footer(path).content_hash
        if held == content_hash(table):
            return Written(path, table.num_rows, 0, held)
    return write_table(table, path, footer)


def _symbols(collector: Collector, window: Window, settings: Settings) -> Iterator[_SymbolFiles]:
    for symbol in collector.symbols:
        yield _SymbolFiles(collector, window, settings.lake, symbol)


def _frames(collector: Collector, window: Window, settings: Settings) -> tuple[Path, Journal]:
    """The frames of a window and the file they are sealed in."""
    folder = journal_of(collector, window, settings)
    if folder.is_dir():
        return seal_journal(folder, settings.lake), read_journal(folder)
    exchange, t0_ns = collector.exchange.name, window.start_ns
    place = frames_path(settings.lake, exchange, collector.name, t0_ns)
    if place.is_file():
        return place, read_frames(place)
    raise LakeError(
        f"{collector.name} has no frames of this window, neither in {folder} nor as {place}: "
        f"{_why_no_frames(collector, window, settings)}"
    )


def _why_no_frames(collector: Collector, window: Window, settings: Settings) -> str:
    """Captures are written last and from the frames: where they are, there were frames."""
    for files in _symbols(collector, window, settings):
        captures = files.path(FileKind.CAPTURES, Mode.RAW)
        if window_exists(captures):
            return f"they were pruned; its raw files, such as {captures.name}, stay as they are"
    return "it was not captured, and time can't be captured again"


def sync_settings(collector: Collector, symbol: str) -> SyncSettings:
    """How the events of a symbol are put on the grid."""
    plan = collector.sync_of(symbol)
    return SyncSettings(
        period_ns=plan.period_ns,
        depth=plan.depth,
        mode=ClockMode(plan.mode),
        clock=plan.clock,
        emission_delay_ns=plan.emission_delay_ns,
    )
