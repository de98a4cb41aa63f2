"""The ticks of one market over a range of time, from all sync files that hold some of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from operator import index
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake.names import FileKind, LakeFile, Mode, find_files, stamp
from atelier_pipeline.lake.reader import iterate
from atelier_pipeline.market.events import NS_PER_MS

Time: TypeAlias = datetime | int
"""A datetime with a time zone, or UTC nanoseconds since the Unix epoch."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NS_PER_US = 1_000
_LAST_NS = 2**63 - 1
_ONE_TICK_A_ROW = {FileKind.SNAPSHOTS, FileKind.AGGREGATES}


@dataclass(frozen=True, slots=True)
class TickRange:
    """The ticks stamped after `after_ns`, up to and with `until_ns`: those of a window [t0, t1)."""

    after_ns: int
    until_ns: int

    def __str__(self) -> str:
        return f"after {_shown(self.after_ns)} up to {_shown(self.until_ns)}"


def utc_ns(time: Time) -> int:
    """`time` in UTC ns; LakeError for a datetime without a zone and for what int64 can't hold."""
    if isinstance(time, datetime):
        if time.tzinfo is None:
            raise LakeError(f"{time} has no time zone: say tzinfo=UTC, or give UTC ns as an int")
        time_ns = (time - _EPOCH) // timedelta(microseconds=1) * _NS_PER_US
    else:
        time_ns = index(time)
    stamp(time_ns)
    return time_ns


def tick_range(start: Time | None, end: Time | None) -> TickRange:
    """The ticks of the interval [start, end), None for no limit: start + P … end, as in a window.

    LakeError where the interval is empty, or as `utc_ns`.
    """
    after_ns = 0 if start is None else utc_ns(start)
    until_ns = _LAST_NS if end is None else utc_ns(end)
    if after_ns >= until_ns:
        raise LakeError(f"a range that starts at {start} can't end at {end}: nothing lies between")
    return TickRange(after_ns, until_ns)


def tick_batches(
    lake: Path, kind: FileKind, exchange: str, symbol: str, ticks: TickRange
) -> Iterator[pa.RecordBatch]:
    """The sync rows of a kind at some ticks, in order, a batch at a time; none without files.

    LakeError where the files are not in order of ticks, or hold a tick twice.
    """
    column = "ts_ns" if kind is FileKind.AGGREGATES else "grid_ts"
    newest = np.array([-1])
    for file in _files(lake, kind, exchange, symbol, ticks):
        for batch in iterate(file.path):
            stamps: NDArray[np.int64] = batch[column].cast(pa.int64()).to_numpy()
            _check_order(np.concatenate([newest, stamps]), file)
            first, end = np.searchsorted(stamps, [ticks.after_ns, ticks.until_ns], "right")
            if first < end:
                yield batch.slice(int(first), int(end - first))
            if end < len(stamps):
                return
            newest = np.append(newest, stamps)[-1:]


def require_ticks(
    lake: Path, kind: FileKind, exchange: str, symbol: str, ticks: TickRange
) -> Iterator[pa.RecordBatch]:
    """As `tick_batches`, but LakeError, at once, where there are none: it says what there is."""
    batches = tick_batches(lake, kind, exchange, symbol, ticks)
    first = next(batches, None)
    if first is None:
        raise LakeError(_absence(lake, kind, exchange, symbol, ticks))
    return chain([first], batches)


def _files(
    lake: Path, kind: FileKind, exchange: str, symbol: str, ticks: TickRange
) -> list[LakeFile]:
    """The files that may hold some of the ticks, by their names alone.

    A file ends where the next one begins; a stamp is cut to the millisecond.
    """
    found = find_files(lake, kind, Mode.SYNC, exchange, symbol)
    ends = [file.t0_ns + NS_PER_MS for file in found[1:]]
    return [
        file
        for file, end_ns in zip(found, [*ends, _LAST_NS], strict=False)
        if file.t0_ns <= ticks.until_ns and end_ns > ticks.after_ns
    ]


def _check_order(stamps: NDArray[np.int64], file: LakeFile) -> None:
    least = 1 if file.kind in _ONE_TICK_A_ROW else 0
    wrong = np.flatnonzero(np.diff(stamps) < least)
    if len(wrong):
        raise LakeError(
            f"{file.path} has the tick {_shown(int(stamps[wrong[0] + 1]))} after "
            f"{_shown(int(stamps[wrong[0]]))}: files of one market overlap, or one is not sorted"
        )


def _absence(lake: Path, kind: FileKind, exchange: str, symbol: str, ticks: TickRange) -> str:
    """Why there are no ticks, and which ones there are."""
    files = find_files(lake, kind, Mode.SYNC)
    if not files:
        return f"{lake} is no lake with {kind} files"
    exchanges = sorted({file.exchange for file in files})
    if exchange not in exchanges:
        return f"{lake} has no {kind} of exchange {exchange!r}, but of {', '.join(exchanges)}"
    of_symbol = find_files(lake, kind, Mode.SYNC, exchange, symbol)
    if not of_symbol:
        names = sorted({file.name for file in files if file.exchange == exchange})
        return f"{lake} has no {kind} of {exchange} {symbol!r}, but of {', '.join(names)}"
    return (
        f"{lake} has no {kind} of {exchange} {symbol} {ticks}; its files begin at "
        f"{_shown(of_symbol[0].t0_ns)}, the last one at {_shown(of_symbol[-1].t0_ns)}"
    )


def _shown(time_ns: int) -> str:
    return f"{np.datetime64(time_ns, 'ns')} UTC"
