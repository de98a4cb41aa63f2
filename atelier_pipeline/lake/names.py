"""Where every file of the lake lives and what it is called; nothing here reads a file's content.

`{lake}/{exchange}/{SYMBOL}/{folder}/date=YYYY-MM-DD/{SYMBOL}_{DATATYPE}_{MODE}_{stamp}.parquet`;
frames are a collector's, not a symbol's: `{lake}/frames/{exchange}/{collector}/date=…/…`. The stamp
is UTC to the millisecond. `/` in a symbol becomes `-`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

import pyarrow as pa

from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake import schemas
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.window import Window

SUFFIX = ".parquet"

_NS_PER_SEC = 1_000_000_000
_NS_PER_MS = 1_000_000
_LAST_NS = 2**63 - 1
_LONGEST_NAME = 128
"""Two of these, a datatype and a stamp stay below the 255 bytes that file systems allow."""

_DEPTH = 4
"""Folders between a lake and its files."""

_SYMBOL = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._/-]*")
_GROUP = re.compile(r"[a-z0-9][a-z0-9_-]*")
_STAMP_FORMAT = "%Y%m%d_%H%M%S.%f"


class Mode(StrEnum):
    """`raw`: as received. `sync`: on the grid."""

    RAW = "raw"
    SYNC = "sync"


class FileKind(StrEnum):
    """The ten kinds of file; the value is the folder. A Dataset's value names its kind."""

    ORDERBOOKS = "orderbooks"
    TRADES = "trades"
    LIQUIDATIONS = "liquidations"
    FUNDINGS = "fundings"
    OPEN_INTERESTS = "open_interests"
    SNAPSHOTS = "snapshots"
    AGGREGATES = "aggregates"
    GAPS = "gaps"
    CAPTURES = "captures"
    FRAMES = "frames"

    @property
    def datatype(self) -> str:
        """The word for this kind in file names."""
        return _DATATYPES[self]

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The modes that files of this kind come in."""
        return tuple(_SCHEMAS[self])

    def schema(self, mode: Mode | str) -> pa.Schema:
        """The exact Arrow schema of a file; raises LakeError for a mode this kind has not."""
        if mode not in _SCHEMAS[self]:
            raise LakeError(f"{self} files are {' or '.join(self.modes)}, not {mode!r}")
        return _SCHEMAS[self][Mode(mode)]


_DATATYPES = {
    FileKind.ORDERBOOKS: "ob",
    FileKind.TRADES: "trades",
    FileKind.LIQUIDATIONS: "liquidations",
    FileKind.FUNDINGS: "funding",
    FileKind.OPEN_INTERESTS: "oi",
    FileKind.SNAPSHOTS: "snapshot",
    FileKind.AGGREGATES: "agg",
    FileKind.GAPS: "gaps",
    FileKind.CAPTURES: "captures",
    FileKind.FRAMES: "frames",
}
_SCHEMAS: dict[FileKind, dict[Mode, pa.Schema]] = {
    **{FileKind(d): {Mode.RAW: schemas.RAW[d], Mode.SYNC: schemas.SYNC[d]} for d in Dataset},
    FileKind.SNAPSHOTS: {Mode.SYNC: schemas.SNAPSHOTS},
    FileKind.AGGREGATES: {Mode.SYNC: schemas.AGGREGATES},
    FileKind.GAPS: {Mode.RAW: schemas.GAPS},
    FileKind.CAPTURES: {Mode.RAW: schemas.CAPTURES},
    FileKind.FRAMES: {Mode.RAW: schemas.FRAMES},
}
_KINDS = {datatype: kind for kind, datatype in _DATATYPES.items()}
_FILE = re.compile(
    rf"(?P<name>.+)_(?P<datatype>{'|'.join(_KINDS)})_(?P<mode>raw|sync)"
    r"_(?P<stamp>[0-9]{8}_[0-9]{6}\.[0-9]{3})\.parquet"
)


@dataclass(frozen=True, slots=True)
class FileName:
    """What a file's own name says. `name` is the symbol as file names spell it, or a collector."""

    name: str
    kind: FileKind
    mode: Mode
    t0_ns: int

    def __str__(self) -> str:
        return f"{self.name}_{self.kind.datatype}_{self.mode}_{stamp(self.t0_ns)}{SUFFIX}"

    @property
    def schema(self) -> pa.Schema:
        """The exact Arrow schema of the file."""
        return self.kind.schema(self.mode)


@dataclass(frozen=True, slots=True)
class LakeFile:
    """A file at its place in a lake. `name`: see FileName; `t0_ns` is exact to the millisecond."""

    path: Path
    lake: Path
    exchange: str
    name: str
    kind: FileKind
    mode: Mode
    t0_ns: int


def stamp(time_ns: int) -> str:
    """`time_ns` (UTC ns) as YYYYMMDD_HHMMSS.mmm, cut to the millisecond.

    Raises LakeError for a time before 1970 or beyond int64.
    """
    return _utc(time_ns).strftime(_STAMP_FORMAT)[:-3]


def date(time_ns: int) -> str:
    """The UTC day of `time_ns` as YYYY-MM-DD; raises LakeError as `stamp` does."""
    return f"{_utc(time_ns):%Y-%m-%d}"


def file_name(symbol: str) -> str:
    """`symbol` as file and folder names spell it; raises LakeError where it is unsafe as one."""
    refused = ".." in symbol or "//" in symbol or symbol.endswith("/")
    if refused or len(symbol) > _LONGEST_NAME or not _SYMBOL.fullmatch(symbol):
        raise LakeError(
            f"symbol {symbol!r} can't name a file: 1 to {_LONGEST_NAME} of A-Z a-z 0-9 . _ / -, "
            "no leading dot or slash, no trailing slash, no '..' or '//'"
        )
    return symbol.replace("/", "-")


def group_name(name: str, what: str) -> str:
    """An exchange's or collector's `name`, unchanged; raises LakeError where it is unsafe."""
    if len(name) > _LONGEST_NAME or not _GROUP.fullmatch(name):
        raise LakeError(f"{what} {name!r} can't name a folder: a-z 0-9 _ -, no leading _ or -")
    return name


def lake_path(
    lake: Path, exchange: str, symbol: str, kind: FileKind | Dataset, mode: Mode | str, t0_ns: int
) -> Path:
    """The path of one symbol's file of one window; raises LakeError for a part that is unsafe."""
    kind = FileKind(kind)
    kind.schema(mode)
    if kind is FileKind.FRAMES:
        raise LakeError("frames belong to a collector, not to a symbol: use frames_path")
    if exchange == FileKind.FRAMES:
        raise LakeError("an exchange can't be called 'frames': that folder holds the frames")
    file = FileName(file_name(symbol), kind, Mode(mode), t0_ns)
    group = group_name(exchange, "exchange")
    return lake.joinpath(group, file.name, kind, f"date={date(t0_ns)}", str(file))


def frames_path(lake: Path, exchange: str, collector: str, t0_ns: int) -> Path:
    """The path of one collector's sealed frames of one window; raises LakeError as `lake_path`."""
    file = FileName(group_name(collector, "collector"), FileKind.FRAMES, Mode.RAW, t0_ns)
    folder = lake / FileKind.FRAMES / group_name(exchange, "exchange") / file.name
    return folder / f"date={date(t0_ns)}" / str(file)


def parse_stamp(text: str, name: str) -> int:
    """The time in UTC ns that `stamp` wrote; raises LakeError, which says `name`, for no time."""
    try:
        time = datetime.strptime(text, _STAMP_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        raise LakeError(f"{name!r} holds {text}, which is no time") from None
    whole = int(time.replace(microsecond=0).timestamp())
    return whole * _NS_PER_SEC + time.microsecond // 1000 * _NS_PER_MS


@lru_cache(maxsize=1024)
def parse_name(name: str) -> FileName:
    """What a file name of the lake says; raises LakeError for any other name."""
    match = _FILE.fullmatch(name)
    if match is None:
        raise LakeError(f"{name!r} is no lake file: not SYMBOL_DATATYPE_MODE_STAMP{SUFFIX}")
    kind, mode = _KINDS[match["datatype"]], Mode(match["mode"])
    kind.schema(mode)
    return FileName(match["name"], kind, mode, parse_stamp(match["stamp"], name))


def parse_path(path: Path) -> LakeFile:
    """The parts of a path from `lake_path` or `frames_path`; raises LakeError for any other."""
    file = parse_name(path.name)
    parents = path.parents
    if len(parents) > _DEPTH:
        lake = parents[_DEPTH]
        exchange = parents[2 if file.kind is FileKind.FRAMES else 3].name
        if _place(lake, exchange, file) == path:
            return LakeFile(path, lake, exchange, file.name, file.kind, file.mode, file.t0_ns)
    raise LakeError(f"{path} is not at the place in a lake that its name asks for")


def find_files(
    lake: Path,
    kind: FileKind | Dataset,
    mode: Mode | str,
    exchange: str | None = None,
    symbol: str | None = None,
    within: Window | None = None,
) -> list[LakeFile]:
    """The files of one kind, ordered by (t0, exchange, name); other files are passed over.

    Args:
        lake: the lake's root; one that does not exist has no files.
        kind: the kind of file.
        mode: `raw` or `sync`.
        exchange: only this one.
        symbol: only this one; for frames the collector.
        within: only files whose t0 lies in this interval.
    """
    kind, name = FileKind(kind), "*" if symbol is None else file_name(symbol)
    kind.schema(mode)
    group = "*" if exchange is None else group_name(exchange, "exchange")
    place = f"frames/{group}/{name}" if kind is FileKind.FRAMES else f"{group}/{name}/{kind}"
    pattern = f"{place}/date=*/{name}_{kind.datatype}_{mode}_*{SUFFIX}"
    found = [f for f in _parsed(lake.glob(pattern)) if within is None or f.t0_ns in within]
    return sorted(found, key=lambda f: (f.t0_ns, f.exchange, f.name))


def _parsed(paths: Iterator[Path]) -> Iterator[LakeFile]:
    for path in paths:
        try:
            yield parse_path(path)
        except LakeError:
            continue


def _place(lake: Path, exchange: str, file: FileName) -> Path | None:
    """Where `file` belongs, or None where a part of it is unsafe."""
    try:
        if file.kind is FileKind.FRAMES:
            return frames_path(lake, exchange, file.name, file.t0_ns)
        return lake_path(lake, exchange, file.name, file.kind, file.mode, file.t0_ns)
    except LakeError:
        return None


def _utc(time_ns: int) -> datetime:
    if not 0 <= time_ns <= _LAST_NS:
        raise LakeError(f"{time_ns} ns is no time since 1970 in int64 nanoseconds")
    seconds, rest = divmod(time_ns, _NS_PER_SEC)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)
