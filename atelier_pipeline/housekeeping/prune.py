"""Retention: what may go, proved before it goes.

Frames can't be captured again. They go when they are old and the lake holds all that can be
decoded from them; a journal goes when its frames are sealed and equal.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pyarrow as pa

from atelier_pipeline import __version__
from atelier_pipeline.errors import AtelierError, LakeError
from atelier_pipeline.housekeeping.journals import find_journals
from atelier_pipeline.housekeeping.leftovers import find_leftovers, remove_leftover
from atelier_pipeline.housekeeping.redecode import redecode
from atelier_pipeline.housekeeping.selection import NS_PER_DAY, NS_PER_SEC, Selection
from atelier_pipeline.lake.content import ContentHasher, content_hash
from atelier_pipeline.lake.journal import Journal, journal_folder
from atelier_pipeline.lake.journal_reader import read_journal
from atelier_pipeline.lake.journal_seal import read_frames
from atelier_pipeline.lake.names import (
    FileKind,
    Mode,
    find_files,
    frames_path,
    lake_path,
    parse_path,
)
from atelier_pipeline.lake.reader import read_footer, read_window, read_window_footer
from atelier_pipeline.lake.schemas import FRAMES, SCHEMA_VERSION
from atelier_pipeline.lake.storage import lock_folder, remove_file, remove_folder
from atelier_pipeline.manifest import Collector, parse_collector
from atelier_pipeline.market.window import Window
from atelier_pipeline.settings import Settings

SETTLED_AFTER_NS = 3_600 * NS_PER_SEC
"""So long after its window's end nobody goes on with a journal or reads it to seal it."""

SEALED_BY_NS = 2 * NS_PER_DAY
"""So long after its window's start, at the longest a day, a journal should have been sealed."""


class What(StrEnum):
    """What a candidate is."""

    LEFTOVER = "leftover"
    JOURNAL = "journal"
    FRAMES = "frames"


class Verdict(StrEnum):
    """GOES; STAYS, because its time has not come; UNPROVED: it would go, but for the reason."""

    GOES = "goes"
    STAYS = "stays"
    UNPROVED = "unproved"


@dataclass(frozen=True, slots=True)
class Candidate:
    """What may be removed; `t0_ns` is when its window starts, 0 for leftovers."""

    what: What
    path: Path
    t0_ns: int = 0


@dataclass(frozen=True, slots=True)
class Judged:
    """What becomes of a candidate of some bytes, and why it stays ("" where it goes)."""

    candidate: Candidate
    bytes: int
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What is kept, and for how long.

    Attributes:
        settings: name the lake, the journals and the catalog.
        now_ns: the present time, UTC ns.
        frames_days: frames of windows that ended longer ago go; None keeps all.
        journals: journals of windows that ended an hour ago go.
    """

    settings: Settings
    now_ns: int
    frames_days: int | None = None
    journals: bool = False

    def candidates(self) -> list[Candidate]:
        """What is to be judged, in the order in which it is to be removed."""
        leftovers = find_leftovers(self.settings, self.now_ns)
        return [
            *(Candidate(What.LEFTOVER, path) for path in leftovers),
            *(
                Candidate(What.JOURNAL, place.path, place.t0_ns)
                for place in find_journals(self.settings.journal, Selection())
                if self.journals or place.t0_ns < self._before_ns
            ),
            *(
                Candidate(What.FRAMES, file.path, file.t0_ns)
                for file in find_files(self.settings.lake, FileKind.FRAMES, Mode.RAW)
                if file.t0_ns < self._before_ns
            ),
        ]

    def judge(self, candidate: Candidate) -> Judged:
        """What becomes of a candidate; removes nothing."""
        return self._judge(candidate, remove=False)

    def prune(self, candidate: Candidate) -> Judged:
        """Judge a candidate, and remove it where it goes.

        Ended at any moment, it has removed a file or folder or not; the next run does the rest.
        """
        return self._judge(candidate, remove=True)

    @property
    def _before_ns(self) -> int:
        """Frames of windows that ended before it go."""
        return 0 if self.frames_days is None else self.now_ns - self.frames_days * NS_PER_DAY

    def _judge(self, candidate: Candidate, *, remove: bool) -> Judged:
        size = _bytes(candidate.path)
        with ExitStack() as held:
            try:
                verdict, reason = self._verdict(candidate, held)
                if remove and verdict is Verdict.GOES:
                    self._remove(candidate)
            except AtelierError as error:
                verdict, reason = Verdict.UNPROVED, str(error)
        return Judged(candidate, size, verdict, reason)

    def _verdict(self, candidate: Candidate, held: ExitStack) -> tuple[Verdict, str]:
        if candidate.what is What.JOURNAL:
            return self._of_journal(candidate.path, candidate.t0_ns, held)
        if candidate.what is What.FRAMES:
            return self._of_frames(candidate.path, held)
        return Verdict.GOES, ""

    def _of_journal(self, folder: Path, t0_ns: int, held: ExitStack) -> tuple[Verdict, str]:
        exchange, collector = folder.parents[1].name, folder.parent.name
        frames = frames_path(self.settings.lake, exchange, collector, t0_ns)
        if not frames.exists():
            late = self.now_ns >= t0_ns + SEALED_BY_NS
            verdict = Verdict.UNPROVED if late else Verdict.STAYS
            return verdict, "its frames are not sealed: materialise raw for its window"
        end_ns = _end_ns(frames)
        if not self.journals and end_ns >= self._before_ns:
            return Verdict.STAYS, "its window ended later"
        if self.now_ns < end_ns + SETTLED_AFTER_NS:
            return Verdict.STAYS, "its window has not been over for an hour"
        try:
            held.enter_context(lock_folder(folder))
        except BlockingIOError:
            return Verdict.STAYS, "it is being written"
        journal = read_journal(folder)
        _check_sealed(folder, journal, read_frames(frames))
        unread = sum(damage.unread_bytes for damage in journal.damage)
        if unread and end_ns >= self._before_ns:
            return Verdict.STAYS, f"{unread} of its bytes can't be read: it stays as its frames do"
        return Verdict.GOES, ""

    def _of_frames(self, frames: Path, held: ExitStack) -> tuple[Verdict, str]:
        if _end_ns(frames) >= self._before_ns:
            return Verdict.STAYS, "its window ended later"
        file = parse_path(frames)
        folder = journal_folder(self.settings.journal, file.exchange, file.name, file.t0_ns)
        if folder.is_dir():
            verdict, reason = self._of_journal(folder, file.t0_ns, held)
            if verdict is not Verdict.GOES:
                return verdict, f"the journal {folder} stays: {reason}"
        check_derived(frames, self.settings)
        return Verdict.GOES, ""

    def _remove(self, candidate: Candidate) -> None:
        path = candidate.path
        if candidate.what is What.LEFTOVER:
            remove_leftover(path)
        elif candidate.what is What.JOURNAL:
            remove_folder(path)
        else:
            file = parse_path(path)
            remove_folder(
                journal_folder(self.settings.journal, file.exchange, file.name, file.t0_ns)
            )
            remove_file(path, empty_folder=True)


def check_derived(frames: Path, settings: Settings) -> None:
    """Raise LakeError unless the lake holds all raw files of a window, as its frames give them.

    That is so where this version made them of these frames, by their footers, and they hold what
    their footers say. Otherwise the frames are decoded again: another version's files must be what
    this one makes.
    """
    journal = read_frames(frames)
    meta = journal.meta
    collector = parse_collector(meta.collector, meta.manifest, str(frames))
    paths = _raw_paths(collector, meta.window, settings.lake.absolute())
    sealed = frames.name, read_footer(frames).content_hash
    follows = [_is_made_of(sealed, path) for path in paths]
    if all(follows):
        return
    found = redecode(frames, settings, sample_rows=0).differences
    if found:
        raise LakeError(
            f"{found[0].path} is not what these frames give ({found[0]}): "
            "see `atelier redecode`, which replaces it with --write"
        )


def _is_made_of(frames: tuple[str, str], path: Path) -> bool:
    """Whether this version made a raw file of some frames (name, content hash), by its footer.

    Raises LakeError where the file is missing, damaged, or not what its footer says.
    """
    footer = read_window_footer(path)
    if content_hash(read_window(path)) != footer.content_hash:
        raise LakeError(f"{path} does not hold what its footer says: see `atelier redecode`")
    made_by = footer.schema_version, footer.package_version
    return made_by == (SCHEMA_VERSION, __version__) and frames in footer.input_hashes.items()


def _raw_paths(collector: Collector, window: Window, lake: Path) -> Iterator[Path]:
    """Where every raw file of a window belongs."""
    for symbol, datasets in collector.datasets.items():
        for kind in (*datasets, FileKind.GAPS, FileKind.CAPTURES):
            exchange = collector.exchange.name
            yield lake_path(lake, exchange, symbol, FileKind(kind), Mode.RAW, window.start_ns)


def _check_sealed(folder: Path, journal: Journal, sealed: Journal) -> None:
    """Raise LakeError unless a journal is sealed whole: the same segments, the same frames."""
    mine, theirs = (
        [(s.name, s.rows, s.meta, s.damage is None) for s in each.segments]
        for each in (journal, sealed)
    )
    if mine != theirs or _hash(journal.batches) != _hash(sealed.batches):
        raise LakeError(f"{folder} differs from its sealed frames: materialise raw for its window")


def _hash(batches: Iterable[pa.RecordBatch]) -> str:
    hasher = ContentHasher(FRAMES)
    for batch in batches:
        hasher.update(batch)
    return hasher.hexdigest()


def _end_ns(frames: Path) -> int:
    """When the window of some sealed frames ended, UTC ns."""
    return read_frames(frames).meta.window.end_ns


def _bytes(path: Path) -> int:
    """The size of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
