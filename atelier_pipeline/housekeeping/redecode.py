"""Raw files again from their frames: does the lake hold what this decoder makes of them?

The frames carry the manifest that they were captured with, so that this works on any machine.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from atelier_pipeline import pipeline
from atelier_pipeline.errors import LakeError
from atelier_pipeline.housekeeping.differences import Difference, differences
from atelier_pipeline.housekeeping.journals import find_journals
from atelier_pipeline.housekeeping.selection import Selection
from atelier_pipeline.lake.content import content_hash
from atelier_pipeline.lake.journal import Journal
from atelier_pipeline.lake.journal_reader import read_journal
from atelier_pipeline.lake.journal_seal import read_frames
from atelier_pipeline.lake.names import (
    FileKind,
    Mode,
    file_name,
    find_files,
    lake_path,
)
from atelier_pipeline.lake.reader import read_window, window_exists
from atelier_pipeline.lake.storage import lock_folder
from atelier_pipeline.manifest import Collector, parse_collector
from atelier_pipeline.market.window import Window
from atelier_pipeline.settings import Settings

SAMPLE_ROWS = 20


@dataclass(frozen=True, slots=True)
class FileDifference:
    """A raw file that is not what its frames give.

    Attributes:
        path: where it is, or belongs; in a compacted day its rows are in the day's file.
        symbol: the exchange's own spelling.
        problem: why the lake's file can't be read, "" where it can; then all rows are added.
    """

    path: Path
    symbol: str
    kind: FileKind
    problem: str
    rows: Difference

    def __str__(self) -> str:
        return f"{self.problem}: {self.rows}" if self.problem else str(self.rows)


@dataclass(frozen=True, slots=True)
class Redecoded:
    """One window decoded again: how many raw files are the same, and those that are not."""

    frames: Path
    collector: Collector
    window: Window
    same: int
    differences: tuple[FileDifference, ...]


def windows_with_frames(lake: Path, journal: Path, chosen: Selection) -> list[Path]:
    """The chosen windows that can be decoded: each one's sealed frames, else its journal's folder.

    Ordered by window, exchange and collector.
    """
    lake = lake.absolute()
    sealed = find_files(
        lake, FileKind.FRAMES, Mode.RAW, chosen.exchange, chosen.collector, chosen.within
    )
    places = {(file.t0_ns, file.exchange, file.name): file.path for file in sealed}
    for place in find_journals(journal, chosen):
        places.setdefault((place.t0_ns, place.exchange, place.collector), place.path)
    return [places[key] for key in sorted(places)]


def redecode(
    frames: Path,
    settings: Settings,
    *,
    symbol: str | None = None,
    write: bool = False,
    sample_rows: int = SAMPLE_ROWS,
) -> Redecoded:
    """Decode a window again and compare with the raw files that the lake holds.

    Args:
        frames: a file of sealed frames, or the folder of a journal that nobody writes.
        settings: name the lake and the journals.
        symbol: compare only this one's files, in either spelling.
        write: where anything differs, replace all raw files of the window, each by rename. What
            is derived from them stays as it is.
        sample_rows: the most rows to show of each difference.

    Raises:
        JournalError, LakeError: the frames or a raw file can't be read, or a file not be written.
        SettingsError: the manifest in the frames can't be used.
    """
    with ExitStack() as held:
        journal = _journal(frames, held)
        meta = journal.meta
        collector = parse_collector(meta.collector, meta.manifest, str(frames))
        found = list(_compared(collector, journal, settings.lake, symbol, sample_rows))
    different = tuple(each for each in found if each is not None)
    if write and different:
        whole = meta.source == "replay"
        pipeline.seal(collector, meta.window, settings, whole=whole)
    same = len(found) - len(different)
    return Redecoded(frames, collector, meta.window, same, different)


def _journal(frames: Path, held: ExitStack) -> Journal:
    if not frames.is_dir():
        return read_frames(frames)
    try:
        held.enter_context(lock_folder(frames))
    except BlockingIOError:
        raise LakeError(f"{frames} is still being written: decode it when it is closed") from None
    return read_journal(frames)


def _compared(
    collector: Collector, journal: Journal, lake: Path, symbol: str | None, sample_rows: int
) -> Iterator[FileDifference | None]:
    """For each raw file of the window how it differs; None where it does not."""
    wanted = [s for s in collector.symbols if symbol is None or file_name(s) == file_name(symbol)]
    if not wanted:
        return
    meta = journal.meta
    sealed = pipeline.decoded(collector, meta.window, journal, whole=meta.source == "replay")
    for each in wanted:
        for kind, table in pipeline.raw_tables(sealed, each).items():
            start_ns = meta.window.start_ns
            path = lake_path(lake, meta.exchange, each, kind, Mode.RAW, start_ns)
            yield _difference(path, each, kind, table, sample_rows)


def _difference(
    path: Path, symbol: str, kind: FileKind, table: pa.Table, sample_rows: int
) -> FileDifference | None:
    held, problem = table.schema.empty_table(), ""
    try:
        held = read_window(path)
    except LakeError as error:
        problem = str(error) if window_exists(path) else "no such file"
    if not problem and content_hash(held) == content_hash(table):
        return None
    rows = differences(held, table, sample_rows=sample_rows)
    return FileDifference(path, symbol, kind, problem, rows)
