"""Recorded frames as text: `*.frames.gz`, one line `<ts_recv_ns> <payload>` for each frame.

The time is UTC ns, 0 where it is not known. A payload is whatever stands behind the first space, to
the end of the line.
"""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake.storage import put_file

SUFFIX = ".frames.gz"

_LAST_NS = 2**63 - 1
_LONGEST_LINE = 1 << 28


def read_recording(path: Path) -> Iterator[tuple[int, bytes]]:
    """The frames of a recording as (ts_recv in UTC ns, payload), in the order of its lines.

    Reads as it is iterated. Raises LakeError, naming file and line, for a line that has another
    form, a file that is no whole gzip file, and one that can't be read.
    """
    number = 0
    try:
        with gzip.open(path, "rb") as file:
            while line := file.readline(_LONGEST_LINE):
                number += 1
                yield _frame(line, path, number)
    except (OSError, EOFError, zlib.error) as error:
        raise LakeError(f"{path} can't be read after line {number}: {error}") from error


def write_recording(path: Path, frames: Iterable[tuple[int, bytes]]) -> int:
    """Write (ts_recv in UTC ns, payload) frames to a new or replaced file; returns its bytes.

    The same frames give the same bytes. Raises LakeError for a frame that no line can hold.
    """

    def write(file: BinaryIO) -> None:
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
            for number, (ts_recv, payload) in enumerate(frames, 1):
                packed.write(_line(ts_recv, payload, path, number))

    return put_file(path, write, replace=True)


def _frame(line: bytes, path: Path, number: int) -> tuple[int, bytes]:
    time, space, payload = line.removesuffix(b"\n").partition(b" ")
    # isdigit, since int() takes signs, underscores and spaces too; on bytes it is ASCII alone.
    if not (time.isdigit() and space and payload) or int(time) > _LAST_NS:
        raise LakeError(f"{path}, line {number}: {line[:80]!r} is not '<ts_recv_ns> <payload>'")
    return int(time), payload


def _line(ts_recv: int, payload: bytes, path: Path, number: int) -> bytes:
    if not 0 <= ts_recv <= _LAST_NS or not payload or b"\n" in payload:
        raise LakeError(f"{path}: frame {number} is empty, holds a line break or has no time")
    return b"%d %s\n" % (ts_recv, payload)
