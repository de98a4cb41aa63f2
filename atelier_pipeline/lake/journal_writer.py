"""Writing a journal: frames wait in memory until `flush` makes them durable.

`append` and `extend` may be called by one thread, an event loop's say, while `flush` runs in
another. No clock is read here: times are the caller's.
"""

import os
import threading
from bisect import bisect_right
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import pyarrow as pa
import pyarrow.compute as pc

from atelier_pipeline.errors import JournalError
from atelier_pipeline.lake import journal
from atelier_pipeline.lake.frame_batches import Frame, frames_batch
from atelier_pipeline.lake.journal import FrameKind, JournalMeta, Segment
from atelier_pipeline.lake.journal_messages import (
    END_OF_STREAM,
    Check,
    batch_message,
    head_message,
)
from atelier_pipeline.lake.journal_reader import check_same, read_segments
from atelier_pipeline.lake.schemas import FRAMES
from atelier_pipeline.lake.storage import lock_folder, make_folder, sync_folder

_KINDS = frozenset(str(kind) for kind in FrameKind)

_BATCH_BYTES = 16 << 20
"""Of payload in one batch: what a flush needs beside the rows, however many have waited."""

_NOTHING = pa.RecordBatch.from_pylist([], schema=FRAMES)


class JournalWriter:
    """The newest segment of a journal, open for this process alone; made by `open`.

    Attributes:
        path: the segment.
        first_connection: the lowest number above those of all connections in earlier segments.
    """

    def __init__(
        self,
        path: Path,
        meta: JournalMeta,
        resources: ExitStack,
        next_seq: int,
        first_connection: int,
    ) -> None:
        self.path = path
        self.first_connection = first_connection
        self._next_seq = next_seq
        self._waiting: list[Frame] = []
        self._check = Check()
        self._refusal = ""
        self._appending = threading.Lock()
        self._writing = threading.Lock()
        self._file: BinaryIO = resources.enter_context(path.open("xb"))
        self._write(head_message(journal.head(meta)))
        self._resources = resources

    @classmethod
    def open(cls, folder: Path, meta: JournalMeta) -> "JournalWriter":
        """Start the next segment in `folder`; `seq` goes on after the last row that is readable.

        Raises JournalError where another process writes there, where the folder holds another
        window, and where it can't be written.
        """
        with _explained(folder), ExitStack() as stack:
            make_folder(folder)
            stack.enter_context(lock_folder(folder))
            segments, batches = read_segments(folder)
            for segment in segments:
                check_same(meta, segment.meta or meta, folder)
            writer = cls(
                _next_path(folder, segments),
                meta,
                stack,
                next_seq=_highest(batches, "seq") + 1,
                first_connection=_highest(batches, "connection") + 1,
            )
            sync_folder(folder)
            writer._resources = stack.pop_all()
        return writer

    @property
    def next_seq(self) -> int:
        """The `seq` that the next row gets."""
        return self._next_seq

    def append(self, ts_recv: int, connection: int, kind: str, payload: bytes) -> int:
        """Keep one row until the next flush; `ts_recv` in UTC ns. Returns the row's `seq`.

        Raises JournalError after `close` and after a flush that failed.
        """
        if kind not in _KINDS:
            raise _unknown(kind)
        with self._appending:
            if self._refusal:
                raise JournalError(self._refusal)
            seq = self._next_seq
            self._next_seq += 1
            self._waiting.append((ts_recv, connection, kind, payload))
        return seq

    def extend(self, frames: Sequence[Frame]) -> None:
        """Keep many rows, all or none, as `append` keeps one."""
        unknown = {kind for _, _, kind, _ in frames} - _KINDS
        if unknown:
            raise _unknown(min(unknown))
        with self._appending:
            if self._refusal:
                raise JournalError(self._refusal)
            self._waiting += frames
            self._next_seq += len(frames)

    def flush(self) -> int:
        """Make the waiting rows durable; returns how many there were.

        Raises JournalError where that fails: nothing can be written to this segment any more, and
        the rows from the failed batch on are lost.
        """
        with self._writing:
            with self._appending:
                frames, self._waiting = self._waiting, []
                seq = self._next_seq - len(frames)
            for first, last in _batches(frames):
                message = batch_message(frames_batch(frames[first:last], seq + first), {})
                self._write(message, rows=len(frames) - first)
            return len(frames)

    def close(self) -> None:
        """Flush, then mark the segment as whole; without effect the second time.

        Raises JournalError as `flush` does. After a flush that failed the segment gets no mark.
        """
        try:
            if not self._refusal:
                self.flush()
                self._end()
        finally:
            self._refusal = self._refusal or f"{self.path} is closed"
            # What a failed flush left in the buffer fails again; what counted is durable already.
            with suppress(OSError):
                self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _end(self) -> None:
        with self._writing:
            mark = {journal.MARK_KEY: journal.CLOSED}
            self._write(batch_message(_NOTHING, mark), end=END_OF_STREAM)

    def _write(self, message: memoryview, rows: int = 0, end: bytes = b"") -> None:
        """Make a message durable, and `end` behind it; so many rows are lost where that fails."""
        try:
            self._file.writelines([*self._check.added(message), end])
            self._file.flush()
            os.fdatasync(self._file.fileno())
        except OSError as error:
            self._refusal = (
                f"{self.path} can't be written: {error.strerror or error}; "
                f"{rows} frames are lost, and no more are taken"
            )
            raise JournalError(self._refusal) from error


@contextmanager
def _explained(folder: Path) -> Generator[None, None, None]:
    try:
        yield
    except BlockingIOError:
        raise JournalError(f"{folder} is being written or sealed by another process") from None
    except OSError as error:
        raise JournalError(
            f"can't open a journal in {folder}: {error.strerror or error}"
        ) from error


def _unknown(kind: str) -> JournalError:
    return JournalError(f"{kind!r} is no kind of frame; those are {', '.join(FrameKind)}")


def _next_path(folder: Path, segments: Sequence[Segment]) -> Path:
    numbers = [journal.segment_number(folder / segment.name) for segment in segments]
    return folder / f"segment-{max(numbers, default=-1) + 1:03d}{journal.SUFFIX}"


def _highest(batches: Sequence[pa.RecordBatch], column: str) -> int:
    """The largest number in a column, -1 where there are no rows."""
    return max((pc.max(batch[column]).as_py() for batch in batches), default=-1)


def _batches(frames: Sequence[Frame]) -> Iterator[tuple[int, int]]:
    """Where batches of at most _BATCH_BYTES, or of one row, begin and end."""
    sizes = list(accumulate((len(frame[3]) for frame in frames), initial=0))
    first = 0
    while first < len(frames):
        last = max(bisect_right(sizes, sizes[first] + _BATCH_BYTES) - 1, first + 1)
        yield first, last
        first = last
