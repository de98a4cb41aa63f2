"""A closed day in one file: which pieces it was made of, and what took the place of a piece.

A compacted file holds the rows of its pieces, one behind the other. Its footer keeps each piece's
own footer, so that any piece can be cut out or given back. It is stamped like the first of them,
but with the nearest millisecond that none of them has: a reader that listed the names before the
day was compacted, or given its pieces back, finds a file missing and never other rows.
"""

import contextlib
import itertools
import os
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake.footer import Footer, from_text
from atelier_pipeline.lake.names import SUFFIX, date, parse_name
from atelier_pipeline.lake.storage import lock_folder

NS_PER_MS = 1_000_000
PIECES_KEY = "pieces"


class Piece(msgspec.Struct, frozen=True):
    """One piece of a compacted file.

    Attributes:
        name: the file that it was.
        rows: how many of the compacted file's rows are its own.
        notes: every key of its Parquet footer, as text.
    """

    name: str
    rows: int
    notes: dict[str, str]

    @property
    def footer(self) -> Footer:
        """What the piece says about itself."""
        return from_text(self.notes, self.name)

    @property
    def other_notes(self) -> dict[str, str]:
        """The keys of its footer that are no facts of a Footer."""
        facts = Footer.__struct_fields__
        return {key: text for key, text in self.notes.items() if key not in facts}


def day_name(names: Sequence[str]) -> str:
    """What the compacted file of the files `names` is called; none of them is called so."""
    first = parse_name(min(names))
    steps = (side * count * NS_PER_MS for count in itertools.count(1) for side in (1, -1))
    near = (replace(first, t0_ns=first.t0_ns + step) for step in steps)
    same_day = (name for name in near if date(name.t0_ns) == date(first.t0_ns))
    return next(name for name in map(str, same_day) if name not in names)


def to_note(pieces: Sequence[Piece], day: Mapping[str, str]) -> str:
    """`pieces` as text; of their notes only what differs from `day`, the notes of the whole."""
    kept = [
        (p.name, p.rows, {k: text for k, text in p.notes.items() if day.get(k) != text})
        for p in pieces
    ]
    return msgspec.json.encode(kept, order="sorted").decode()


def from_notes(notes: Mapping[str, str], path: object) -> tuple[Piece, ...]:
    """The pieces of the file at `path`, in the order of its rows; none where it is whole.

    Raises LakeError where they can't be read.
    """
    if PIECES_KEY not in notes:
        return ()
    day = {key: text for key, text in notes.items() if key != PIECES_KEY}
    try:
        kept = msgspec.json.decode(notes[PIECES_KEY], type=list[tuple[str, int, dict[str, str]]])
    except msgspec.MsgspecError as error:
        raise LakeError(f"{path} does not say which files it was made of: {error}") from error
    return tuple(Piece(name, rows, {**day, **own}) for name, rows, own in kept)


def day_file(path: Path) -> Path | None:
    """The compacted file that has taken the place of the lake file at `path`, there or not.

    None where the day of `path` lies in pieces. A folder holds one compacted file of a kind and
    mode, and then no other.
    """
    file = parse_name(path.name)
    start = f"{file.name}_{file.kind.datatype}_{file.mode}_"
    alike = [name for name in _names_in(path.parent) if name.startswith(start)]
    first = min((name for name in alike if name.endswith(SUFFIX)), default=None)
    day = None if first is None else path.parent / first
    return day if day is not None and PIECES_KEY.encode() in _metadata(day) else None


@contextlib.contextmanager
def day_open(path: Path) -> Generator[None, None, None]:
    """Keep the day of the lake file at `path` from being compacted, so that it can be written.

    Raises LakeError where it is compacted. Where the file system has no locks nothing is held:
    there, nothing is compacted either.
    """
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):
            held.enter_context(lock_folder(path.parent.parent, shared=True, wait=True))
        day = day_file(path)
        if day is not None:
            raise LakeError(
                f"{path} can't be written: all of its day lies in {day.name}; "
                "`atelier compact --undo` gives the day its pieces back"
            )
        yield


def _names_in(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _metadata(path: Path) -> Mapping[bytes, bytes]:
    try:
        return pq.read_metadata(path).metadata or {}
    except (OSError, ValueError, pa.ArrowException):
        return {}
