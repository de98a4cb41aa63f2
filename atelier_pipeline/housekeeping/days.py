"""The folders of a lake that hold a day of one kind of one symbol, and whether a day is closed.

Reads names and footers; writes nothing.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from atelier_pipeline.housekeeping.journals import find_journals
from atelier_pipeline.housekeeping.selection import NS_PER_DAY, Selection, day_start_ns
from atelier_pipeline.lake.names import (
    FileKind,
    LakeFile,
    Mode,
    frames_path,
    parse_name,
    parse_path,
    stamp,
)
from atelier_pipeline.lake.reader import read_pieces

KINDS = tuple(kind for kind in FileKind if kind is not FileKind.FRAMES)
"""Frames are never compacted: a window is decoded again from its own file."""

CLOSED_AFTER_NS = NS_PER_DAY
"""So long after its end nothing looks at a day's windows one by one any more: the longest window
that follows it has ended too, and its seam with this day is judged."""


@dataclass(frozen=True, slots=True)
class DayFolder:
    """One `date=…` folder: a UTC day of one kind of one symbol, all modes.

    `name` is the symbol as file names spell it.
    """

    path: Path
    lake: Path
    exchange: str
    name: str
    kind: FileKind
    day: dt.date

    def __str__(self) -> str:
        return str(self.path.relative_to(self.lake))

    @property
    def files(self) -> dict[Mode, list[LakeFile]]:
        """Its files by mode, in the order of their names, as they are now.

        Raises LakeError where the folder holds anything else than files of the lake; hidden ones
        are passed over.
        """
        files: dict[Mode, list[LakeFile]] = {}
        for path in sorted(self.path.iterdir()):
            if not path.name.startswith("."):
                file = parse_path(path)
                files.setdefault(file.mode, []).append(file)
        return files

    @property
    def in_pieces(self) -> bool:
        """Whether any of its modes has several files."""
        return any(len(files) > 1 for files in self.files.values())

    @property
    def is_compacted(self) -> bool:
        """Whether any of its files was made of several."""
        files = (files for files in self.files.values() if len(files) == 1)
        return any(read_pieces(file.path) for (file,) in files)

    def names(self, mode: Mode) -> list[str]:
        """The names of its files of one mode, or of the pieces that its only one was made of."""
        files = self.files.get(mode, [])
        pieces = read_pieces(files[0].path) if len(files) == 1 else ()
        return [piece.name for piece in pieces] or [file.path.name for file in files]


def find_days(lake: Path, chosen: Selection) -> list[DayFolder]:
    """The chosen folders in `lake`, ordered by day, exchange, symbol and kind."""
    found = list(_folders(lake.absolute(), chosen))
    return sorted(found, key=lambda d: (d.day, d.exchange, d.name, list(FileKind).index(d.kind)))


def why_open(day: DayFolder, journal: Path, now_ns: int, *, incomplete: bool = False) -> str | None:
    """Why something may still write into a day's folder; None where the day is closed.

    It is closed when it has been over for `CLOSED_AFTER_NS`, all of its journals are sealed, and,
    unless it may be `incomplete`, each of its captured windows has its aggregates.
    """
    if now_ns < day_start_ns(day.day) + NS_PER_DAY + CLOSED_AFTER_NS:
        return "its day has not been over for a day"
    for place in find_journals(journal, Selection(exchange=day.exchange)):
        sealed = frames_path(day.lake, day.exchange, place.collector, place.t0_ns)
        if place.day == day.day and not sealed.exists():
            return f"the journal {place.path} is not sealed"
    captured = _windows(day, FileKind.CAPTURES, Mode.RAW)
    missing = captured - _windows(day, FileKind.AGGREGATES, Mode.SYNC)
    if missing and not incomplete:
        return f"{len(missing)} of its windows have no aggregates, the first at {min(missing)}"
    return None


def _windows(day: DayFolder, kind: FileKind, mode: Mode) -> set[str]:
    """The stamps of a symbol's files of another kind of the same day."""
    path = day.path.parents[1] / kind / day.path.name
    folder = DayFolder(path, day.lake, day.exchange, day.name, kind, day.day)
    return {_stamp_of(name) for name in folder.names(mode)} if path.is_dir() else set()


def _stamp_of(name: str) -> str:
    return stamp(parse_name(name).t0_ns)


def _folders(lake: Path, chosen: Selection) -> Iterator[DayFolder]:
    for kind in KINDS:
        pattern = f"{chosen.exchange or '*'}/{chosen.name or '*'}/{kind}/date=????-??-??"
        for path in lake.glob(pattern):
            exchange, name = path.parents[2].name, path.parents[1].name
            try:
                day = dt.date.fromisoformat(path.name.removeprefix("date="))
            except ValueError:
                continue
            if chosen.has_time(day_start_ns(day)) and path.is_dir():
                yield DayFolder(path, lake, exchange, name, kind, day)
