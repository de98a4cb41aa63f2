"""Sealing a journal: its frames as one Parquet file of the lake, which can be sealed again."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pyarrow as pa

from atelier_pipeline.errors import JournalError, LakeError
from atelier_pipeline.lake.footer import Footer
from atelier_pipeline.lake.journal import Journal, JournalMeta, Segment
from atelier_pipeline.lake.journal_reader import read_journal
from atelier_pipeline.lake.names import frames_path
from atelier_pipeline.lake.reader import iterate, read_notes
from atelier_pipeline.lake.storage import lock_folder
from atelier_pipeline.lake.writer import write_batches

_SEGMENTS_KEY = "segments"


def seal_journal(folder: Path, lake: Path) -> Path:
    """Write all readable frames of the journal in `folder` to their place in `lake`.

    The journal stays as it is. Sealing the same segments again gives the same bytes; a frames file
    that holds more than the journal is not replaced. Raises JournalError where the journal can't be
    read or is being written, LakeError where the lake refuses the file.
    """
    try:
        with lock_folder(folder):
            journal = read_journal(folder)
            return _write(journal, lake)
    except BlockingIOError:
        raise JournalError(f"{folder} is still being written: close it, then seal it") from None
    except OSError as error:
        raise JournalError(f"can't read {folder}: {error.strerror or error}") from error


def read_frames(path: Path) -> Journal:
    """The journal that was sealed into the file at `path`; frames are read as they are iterated.

    Raises LakeError for a file that is missing, damaged or not of this lake, while iterating too.
    """
    segments = _segments(path)
    metas = [segment.meta for segment in segments if segment.meta is not None]
    return Journal(metas[0], segments, _Frames(path))


@dataclass(frozen=True)
class _Frames:
    """The batches of a frames file, from its start at every iteration."""

    path: Path

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return iterate(self.path)


def _write(journal: Journal, lake: Path) -> Path:
    meta = journal.meta
    path = frames_path(lake, meta.exchange, meta.collector, meta.window.start_ns)
    _check_keeps(path, journal.segments)
    notes = {_SEGMENTS_KEY: msgspec.json.encode(journal.segments).decode()}
    return write_batches(journal.batches, path, _footer(meta), notes=notes).path


def _footer(meta: JournalMeta) -> Footer:
    return Footer(
        exchange=meta.exchange,
        collector=meta.collector,
        window_start=meta.window.start_ns,
        window_end=meta.window.end_ns,
        source=meta.source,
    )


def _check_keeps(path: Path, segments: tuple[Segment, ...]) -> None:
    """Frames exist once: raise LakeError where replacing the file would lose some of them."""
    if not path.exists():
        return
    rows = {segment.name: segment.rows for segment in segments}
    for sealed in _segments(path):
        if rows.get(sealed.name, 0) < sealed.rows:
            raise LakeError(
                f"{path} holds {sealed.rows} frames of {sealed.name}, the journal "
                f"{rows.get(sealed.name, 0)}: move the file away to seal what is left"
            )


def _segments(path: Path) -> tuple[Segment, ...]:
    try:
        text = read_notes(path)[_SEGMENTS_KEY]
        return msgspec.json.decode(text, type=tuple[Segment, ...])
    except (KeyError, msgspec.MsgspecError) as error:
        raise LakeError(f"{path} does not say which segments it was sealed from") from error
