"""Closed days into one file per dataset and symbol, and back into their windows' files.

A day's folder is rebuilt beside itself under a hidden name, proved equal row by row from what lies
on disk, and swapped with the old one in one step: a reader sees all pieces or the whole, never
both. One that has listed the names before finds a file missing, never other rows: no piece is
called like the whole. At any moment the folder with the visible name is the truth and the hidden
one rubbish, so that a run that was cut short leaves nothing else to repair.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import msgspec
import pyarrow as pa

from atelier_pipeline.errors import LakeError
from atelier_pipeline.housekeeping.days import DayFolder, find_days, why_open
from atelier_pipeline.housekeeping.selection import Selection
from atelier_pipeline.lake.content import ContentHasher
from atelier_pipeline.lake.footer import Footer, to_text
from atelier_pipeline.lake.names import LakeFile, parse_name
from atelier_pipeline.lake.pieces import PIECES_KEY, Piece, day_name, to_note
from atelier_pipeline.lake.reader import (
    count_rows,
    iterate,
    read_notes,
    read_pieces,
)
from atelier_pipeline.lake.schemas import SCHEMA_VERSION
from atelier_pipeline.lake.storage import (
    link_file,
    lock_folder,
    remove_folder,
    swap_folders,
)
from atelier_pipeline.lake.writer import ROWS_PER_GROUP, write_batches

GATHERED_ROWS = 1 << 16
"""Windows of fewer rows share a row group: what each group says of its columns has a price."""

STAGED = ".staged"
"""How the hidden name of a folder ends that is being built, or that was swapped out."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The days to compact, and those that stay in pieces, each with the reason."""

    days: tuple[DayFolder, ...]
    left: tuple[tuple[DayFolder, str], ...]


_Build: TypeAlias = Callable[[Sequence[LakeFile], Path], None]


class Compacted(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a day's folder: its files and bytes before and after, its rows in both."""

    folder: Path
    rows: int
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int


def days_to_compact(
    lake: Path, journal: Path, now_ns: int, chosen: Selection, *, incomplete: bool = False
) -> Plan:
    """Which of the chosen days lie in pieces, and whether they are closed at `now_ns` (UTC ns).

    `incomplete`: also days of which some windows have no aggregates and may never have.
    """
    days: list[DayFolder] = []
    left: list[tuple[DayFolder, str]] = []
    for day in find_days(lake, chosen):
        try:
            if not day.in_pieces:
                continue
            why = why_open(day, journal, now_ns, incomplete=incomplete)
        except LakeError as error:
            why = str(error)
        if why is None:
            days.append(day)
        else:
            left.append((day, why))
    return Plan(tuple(days), tuple(left))


def days_to_expand(lake: Path, chosen: Selection) -> list[DayFolder]:
    """Which of the chosen days are compacted."""
    return [day for day in find_days(lake, chosen) if day.is_compacted]


def compact_day(day: DayFolder) -> Compacted:
    """Make one file of each mode's files, which holds their rows in the order of their names.

    Raises LakeError, and leaves the day as it is, where a piece is damaged or of an older schema,
    where the pieces don't belong together, where the folder changes meanwhile or can't be swapped.
    """
    return _rebuilt(day, _merge)


def expand_day(day: DayFolder) -> Compacted:
    """Give each piece of a compacted day its file back, byte by byte where this version wrote it.

    Raises LakeError, and leaves the day as it is, as `compact_day` does.
    """
    return _rebuilt(day, _split)


def staged_folders(lake: Path) -> list[Path]:
    """What runs that were cut short have left beside the days of `lake`: rubbish, always."""
    return sorted(lake.glob(f"*/*/*/.date=*{STAGED}"))


def _rebuilt(day: DayFolder, build: _Build) -> Compacted:
    """Swap a day's folder for one with the files that `build` makes of each mode's."""
    staged = day.path.with_name(f".{day.path.name}{STAGED}")
    before = _state(day.path)
    remove_folder(staged)
    try:
        for files in day.files.values():
            build(files, staged)
        after = _state(staged)
        rows = sum(count_rows(staged / name) for name in after)
        _swap(day, staged, before)
    finally:
        remove_folder(staged)
    return Compacted(
        folder=day.path,
        rows=rows,
        files_before=len(before),
        files_after=len(after),
        bytes_before=sum(size for _, size, _ in before.values()),
        bytes_after=sum(size for _, size, _ in after.values()),
    )


def _state(folder: Path) -> dict[str, tuple[int, int, int]]:
    """What tells that a file of `folder` was replaced: inode, bytes, and time of change in ns."""
    visible = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    stats = ((path.name, path.stat()) for path in visible)
    return {name: (stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in stats}


def _swap(day: DayFolder, staged: Path, before: dict[str, tuple[int, int, int]]) -> None:
    """Swap the folders while nobody writes into the day, if nobody has since it was read."""
    with ExitStack() as held:
        try:
            held.enter_context(lock_folder(day.path.parent, wait=True))
        except OSError as error:
            raise LakeError(f"can't hold {day.path.parent}: {error.strerror or error}") from error
        if _state(day.path) != before:
            raise LakeError(f"{day.path} has changed while it was read: run the command again")
        swap_folders(staged, day.path)


def _merge(files: Sequence[LakeFile], staged: Path) -> None:
    """One file of several; an only one is taken as it is."""
    if len(files) == 1:
        link_file(files[0].path, staged / files[0].path.name)
        return
    whole = staged / day_name([file.path.name for file in files])
    pieces = [Piece(f.path.name, count_rows(f.path), read_notes(f.path)) for f in files]
    footer = _day_footer(pieces)
    notes = {PIECES_KEY: to_note(pieces, to_text(footer))}
    for fewest in (GATHERED_ROWS, 1):
        rows = (batch for file in files for batch in iterate(file.path))
        groups = row_groups([piece.rows for piece in pieces], fewest)
        written = write_batches(rows, whole, footer, notes=notes, groups=groups)
        if written.bytes <= sum(file.path.stat().st_size for file in files):
            break
    _prove(whole, pieces)


def row_groups(pieces: Iterable[int], fewest: int) -> Iterator[int]:
    """The rows of each row group, given those of each piece.

    Groups end where pieces end, so that a window is read by itself and keeps the dictionaries that
    made it small; pieces of fewer rows are gathered until there are `fewest`.
    """
    gathered = 0
    for rows in pieces:
        if gathered and gathered + rows > ROWS_PER_GROUP:
            yield gathered
            gathered = 0
        gathered += rows
        if gathered >= fewest:
            whole, rest = divmod(gathered, ROWS_PER_GROUP)
            yield from [*[ROWS_PER_GROUP] * whole, *([rest] if rest else [])]
            gathered = 0


def _split(files: Sequence[LakeFile], staged: Path) -> None:
    """The pieces of a compacted file; another one is taken as it is."""
    for file in files:
        pieces = read_pieces(file.path)
        if not pieces:
            link_file(file.path, staged / file.path.name)
        rows = _Rows(iterate(file.path))
        for piece in pieces:
            path, own = staged / piece.name, rows.take(piece.rows)
            written = write_batches(own, path, piece.footer, notes=piece.other_notes)
            for found in (written.content_hash, _hash(piece, iterate(path))):
                _check_hash(piece, found)


def _day_footer(pieces: Sequence[Piece]) -> Footer:
    """What holds for all pieces together; raises LakeError where they don't belong together."""
    footers = [piece.footer for piece in pieces]
    for piece, footer in zip(pieces, footers, strict=True):
        _check_piece(piece, footer, footers[0])
    starts = [f.window_start for f in footers if f.window_start is not None]
    ends = [f.window_end for f in footers if f.window_end is not None]
    return Footer(
        exchange=footers[0].exchange,
        symbol=footers[0].symbol,
        source=footers[0].source,
        collector=_common(f.collector for f in footers),
        settings_hash=_common(f.settings_hash for f in footers),
        window_start=min(starts, default=None),
        window_end=max(ends, default=None),
        input_hashes={p.name: f.content_hash for p, f in zip(pieces, footers, strict=True)},
    )


def _check_piece(piece: Piece, footer: Footer, first: Footer) -> None:
    if PIECES_KEY in piece.notes:
        raise LakeError(f"{piece.name} is a compacted file beside others: `--undo` comes first")
    if footer.schema_version != SCHEMA_VERSION:
        raise LakeError(
            f"{piece.name} has schema {footer.schema_version}, not {SCHEMA_VERSION}: "
            "decode it again first"
        )
    for fact in ("exchange", "symbol", "source"):
        if getattr(footer, fact) != getattr(first, fact):
            raise LakeError(f"{piece.name} is of another {fact} than the files before it")
    if (footer.window_start is None) != (first.window_start is None):
        raise LakeError(
            f"{piece.name} lies beside files of the other sort: with and without window"
        )


def _common(texts: Iterable[str]) -> str:
    """The text that all have; "" where they differ."""
    different = set(texts)
    return different.pop() if len(different) == 1 else ""


def _prove(whole: Path, pieces: Sequence[Piece]) -> None:
    """Read a compacted file back: cut where its pieces end, it holds what each of them promised."""
    rows = _Rows(iterate(whole))
    for piece in pieces:
        _check_hash(piece, _hash(piece, rows.take(piece.rows)))
    if rows.any_left():
        raise LakeError(f"{whole.name} has more rows than the files it was made of")


def _hash(piece: Piece, rows: Iterable[pa.RecordBatch]) -> str:
    hasher = ContentHasher(parse_name(piece.name).schema)
    for batch in rows:
        hasher.update(batch)
    return hasher.hexdigest()


def _check_hash(piece: Piece, found: str) -> None:
    promised = piece.footer.content_hash
    if found != promised:
        raise LakeError(f"{piece.name} holds values of hash {found}, its footer says {promised}")


class _Rows:
    """Batches of rows, taken by their number."""

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._batches = (batch for batch in batches if batch.num_rows)
        self._next: pa.RecordBatch | None = next(self._batches, None)

    def take(self, count: int) -> Iterator[pa.RecordBatch]:
        """The next `count` rows; raises LakeError where there are fewer."""
        while count:
            batch = self._next
            if batch is None:
                raise LakeError("a compacted file has fewer rows than its pieces had")
            rows = min(count, batch.num_rows)
            whole = rows == batch.num_rows
            self._next = next(self._batches, None) if whole else batch.slice(rows)
            count -= rows
            yield batch.slice(0, rows)

    def any_left(self) -> bool:
        """Whether there are rows that nobody has taken."""
        return self._next is not None
