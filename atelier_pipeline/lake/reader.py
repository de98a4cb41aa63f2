"""Reading the lake: one file, one kind over windows and symbols, and what lies on disk."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake.footer import Footer, from_text
from atelier_pipeline.lake.names import FileKind, LakeFile, Mode, date, find_files, parse_name
from atelier_pipeline.lake.pieces import Piece, day_file, from_notes
from atelier_pipeline.lake.schemas import SCHEMA_VERSION
from atelier_pipeline.lake.writer import check_schema
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.window import Window

_ROWS_AT_ONCE = 1 << 14

_UNREADABLE = (OSError, ValueError, pa.ArrowException)
"""What pyarrow raises for damaged files; a name that is no UTF-8 is a plain ValueError."""


class DiskUse(msgspec.Struct, frozen=True, kw_only=True):
    """What a lake holds of one kind and mode of one symbol; for frames, of one collector.

    `first_t0_ns` and `last_t0_ns` are the stamps of its first and last file, UTC ns.
    """

    exchange: str
    name: str
    kind: FileKind
    mode: Mode
    files: int
    rows: int
    bytes: int
    first_t0_ns: int
    last_t0_ns: int


@dataclass(frozen=True, slots=True)
class Extent:
    """Where the rows of a window's file lie: `rows` of `file` from row `first` on; None: all."""

    file: Path
    first: int = 0
    rows: int | None = None


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """The rows of a file with the exact schema that its name asks for, or some of its columns.

    Raises LakeError for a file that is missing, damaged, not of this lake, or of a newer schema.
    """
    schema = parse_name(path.name).schema
    unknown = [name for name in columns or () if name not in schema.names]
    if unknown:
        raise LakeError(f"{path} has no columns {unknown}; it has {schema.names}")
    with _open(path) as file:
        check_schema(file.schema_arrow.remove_metadata(), schema, str(path))
        try:
            table = file.read(columns=None if columns is None else list(columns))
        except _UNREADABLE as error:
            raise LakeError(f"{path} is damaged: {error}") from error
    return table.replace_schema_metadata(None)


def iterate(path: Path) -> Iterator[pa.RecordBatch]:
    """The rows of a file, a batch at a time, in little memory; raises LakeError as `read_table`."""
    schema = parse_name(path.name).schema
    with _open(path) as file:
        check_schema(file.schema_arrow.remove_metadata(), schema, str(path))
        try:
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE):
                yield batch.replace_schema_metadata(None)
        except _UNREADABLE as error:
            raise LakeError(f"{path} is damaged: {error}") from error


def read_footer(path: Path) -> Footer:
    """What a file says about itself; raises LakeError as `read_table` does."""
    return from_text(read_notes(path), path)


def read_notes(path: Path) -> dict[str, str]:
    """Every key of a file's Parquet footer, as text; raises LakeError as `read_table` does."""
    with _open(path) as file:
        return _notes(file)


def read_pieces(path: Path) -> tuple[Piece, ...]:
    """What a compacted file was made of, none for another; raises LakeError as `read_table`."""
    return from_notes(read_notes(path), path)


def read_window(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """The rows of the file at `path`, also where its day has been compacted into one file.

    Raises LakeError as `read_table` does, and where the day's file has no such piece.
    """
    day = None if path.is_file() else day_file(path)
    if day is None:
        return read_table(path, columns)
    first, piece = _piece(day, path)
    with _open(day) as file:
        check_schema(file.schema_arrow.remove_metadata(), parse_name(day.name).schema, str(day))
        try:
            table = _rows_from(file, first, piece.rows, columns)
        except _UNREADABLE as error:
            raise LakeError(f"{day} is damaged: {error}") from error
    return table.replace_schema_metadata(None)


def read_window_footer(path: Path) -> Footer:
    """What the file at `path` says about itself, or said before its day was compacted.

    Raises LakeError as `read_window` does.
    """
    day = None if path.is_file() else day_file(path)
    return read_footer(path) if day is None else _piece(day, path)[1].footer


def window_exists(path: Path) -> bool:
    """Whether the file at `path` is there, or a piece of its compacted day."""
    return find_extent(path) is not None


def find_extent(path: Path) -> Extent | None:
    """Where the rows of the lake file at `path` lie, whether or not its day is compacted.

    None where there is neither. Raises LakeError for a compacted day that can't be read.
    """
    day = None if path.is_file() else day_file(path)
    if day is None:
        return Extent(path) if path.is_file() else None
    found = _find_piece(day, path.name)
    return None if found is None else Extent(day, found[0], found[1].rows)


def window_dataset(path: Path) -> ds.Dataset:
    """The rows of the file at `path` to be scanned by columns; those of a compacted day in memory.

    Raises LakeError as `read_window` does.
    """
    return ds.dataset(path if path.is_file() else read_window(path))


def read_kind(
    lake: Path,
    kind: FileKind | Dataset,
    mode: Mode | str,
    exchange: str | None = None,
    symbol: str | None = None,
    within: Window | None = None,
    columns: Sequence[str] | None = None,
) -> pa.Table:
    """The rows of all files that `find_files` finds, in its order; no files give zero rows.

    `within` chooses windows of compacted days too.
    """
    nothing = FileKind(kind).schema(mode).empty_table()
    if columns is not None:
        nothing = nothing.select(list(columns))
    paths = _windows(find_files(lake, kind, mode, exchange, symbol), within)
    return pa.concat_tables([nothing, *(read_window(path, columns) for path in paths)])


def count_rows(path: Path) -> int:
    """How many rows a file has, from its footer; raises LakeError as `read_table` does."""
    with _open(path) as file:
        return file.metadata.num_rows


def disk_use(lake: Path, exchange: str | None = None) -> list[DiskUse]:
    """What lies in `lake`, ordered by exchange, name, kind and mode; reads the footers alone."""
    files = [
        file
        for kind in FileKind
        for mode in kind.modes
        for file in find_files(lake, kind, mode, exchange)
    ]
    ordered = sorted(files, key=_owner)
    return [_use(list(group)) for _, group in groupby(ordered, key=_owner)]


def _windows(files: Sequence[LakeFile], within: Window | None) -> Iterator[Path]:
    """The files to read whole, and those that a compacted day holds of the chosen windows."""
    for file in files:
        if within is None:
            yield file.path
        elif date(within.start_ns) <= date(file.t0_ns) <= date(within.end_ns):
            names = [piece.name for piece in read_pieces(file.path)] or [file.path.name]
            chosen = (name for name in names if parse_name(name).t0_ns in within)
            yield from (file.path.with_name(name) for name in chosen)


def _piece(day: Path, path: Path) -> tuple[int, Piece]:
    """The piece of a compacted file that was at `path`, and the number of its first row."""
    found = _find_piece(day, path.name)
    if found is None:
        raise LakeError(
            f"{path} does not exist: its day lies in {day.name}, which has no such piece"
        )
    return found


def _find_piece(day: Path, name: str) -> tuple[int, Piece] | None:
    first = 0
    for piece in read_pieces(day):
        if piece.name == name:
            return first, piece
        first += piece.rows
    return None


def _rows_from(
    file: pq.ParquetFile, first: int, count: int, columns: Sequence[str] | None
) -> pa.Table:
    """`count` rows from row `first` on; reads the row groups that have some of them."""
    wanted: list[int] = []
    skipped = 0
    end = 0
    for group in range(file.num_row_groups):
        start, end = end, end + file.metadata.row_group(group).num_rows
        if start < first + count and end > first:
            wanted.append(group)
        elif end <= first:
            skipped = end
    table = file.read_row_groups(wanted, columns=None if columns is None else list(columns))
    return table.slice(first - skipped, count)


def _use(files: Sequence[LakeFile]) -> DiskUse:
    first = files[0]
    return DiskUse(
        exchange=first.exchange,
        name=first.name,
        kind=first.kind,
        mode=first.mode,
        files=len(files),
        rows=sum(count_rows(file.path) for file in files),
        bytes=sum(file.path.stat().st_size for file in files),
        first_t0_ns=first.t0_ns,
        last_t0_ns=files[-1].t0_ns,
    )


def _owner(file: LakeFile) -> tuple[str, str, int, str]:
    return file.exchange, file.name, list(FileKind).index(file.kind), file.mode


def _open(path: Path) -> pq.ParquetFile:
    """The opened file, once it is known to be whole, of this lake and not of a newer schema."""
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
    except FileNotFoundError:
        raise LakeError(f"{path} does not exist") from None
    except _UNREADABLE as error:
        raise LakeError(f"{path} is no whole Parquet file: {error}") from error
    try:
        _check_version(from_text(_notes(file), path), path)
    except LakeError:
        file.close()
        raise
    return file


def _check_version(footer: Footer, path: Path) -> None:
    version = footer.schema_version
    if version > SCHEMA_VERSION:
        raise LakeError(f"{path} has schema {version}, newer than {SCHEMA_VERSION}: update atelier")


def _notes(file: pq.ParquetFile) -> dict[str, str]:
    metadata: dict[bytes, bytes] = file.metadata.metadata or {}
    return {
        key.decode(errors="replace"): value.decode(errors="replace")
        for key, value in metadata.items()
    }
