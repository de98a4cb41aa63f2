"""The one way to write a Parquet file: schema checked, footer complete, same rows same bytes."""

import itertools
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake.content import ContentHasher
from atelier_pipeline.lake.encodings import encoded, encoded_schema, writer_options
from atelier_pipeline.lake.footer import Footer, to_text
from atelier_pipeline.lake.names import (
    FileKind,
    FileName,
    LakeFile,
    file_name,
    parse_name,
    parse_path,
)
from atelier_pipeline.lake.pieces import day_open
from atelier_pipeline.lake.source import claim_lake
from atelier_pipeline.lake.storage import put_file

ROWS_PER_GROUP = 1 << 20
_FRAMES_PER_GROUP = 1 << 14
"""Frames are large: a group of them is about 10 MB."""

_FEWEST_TO_PART = 1 << 16


class Written(msgspec.Struct, frozen=True):
    """A file that was written: where, how many rows and bytes, and the hash of its content."""

    path: Path
    rows: int
    bytes: int
    content_hash: str


def write_table(table: pa.Table, path: Path, footer: Footer, *, replace: bool = True) -> Written:
    """Write `table` to `path`, whole and durable, or not at all.

    The path's name gives the schema, which `table` must have exactly, also with zero rows. In a
    lake the footer's source must be the lake's. With `replace` false a name that is taken raises
    FileExistsError. Raises LakeError where anything else is refused.
    """
    return write_batches([table], path, footer, replace=replace)


def write_batches(
    batches: Iterable[pa.Table | pa.RecordBatch],
    path: Path,
    footer: Footer,
    *,
    replace: bool = True,
    notes: Mapping[str, str] | None = None,
    groups: Iterable[int] | None = None,
) -> Written:
    """As `write_table`, for rows that come piece by piece; how they are cut changes no byte.

    `notes` are further keys for the Parquet footer. `groups` are the numbers of rows, none of them
    more than ROWS_PER_GROUP, of the first row groups; those after them are as large as may be.
    """
    name = parse_name(path.name)
    body = _Body(batches, name, footer, notes or {}, groups or ())
    with _checked_place(path, name, footer):
        size = put_file(path, body.write, replace=replace)
    return Written(path, body.rows, size, body.content_hash)


class _Body:
    """The bytes of one Parquet file, and what becomes known while they are written."""

    def __init__(
        self,
        batches: Iterable[pa.Table | pa.RecordBatch],
        name: FileName,
        footer: Footer,
        notes: Mapping[str, str],
        groups: Iterable[int],
    ) -> None:
        self._batches, self._name, self._footer, self._notes = batches, name, footer, notes
        self._groups = groups
        self.rows = 0
        self.content_hash = ""

    def write(self, file: BinaryIO) -> None:
        schema, kind = self._name.schema, self._name.kind
        size = _FRAMES_PER_GROUP if kind is FileKind.FRAMES else ROWS_PER_GROUP
        sizes = itertools.chain(self._groups, itertools.repeat(size))
        hasher, encoded_as = ContentHasher(schema), encoded_schema(schema)
        groups = _groups(_checked(self._batches, schema, self._name), sizes, encoded_as)
        first = next(groups, None)
        options = writer_options(self._name, size, first)
        with pq.ParquetWriter(file, encoded_as, **options) as writer:
            for group in itertools.chain([] if first is None else [first], groups):
                for batch in group.to_batches():
                    hasher.update(batch)
                for part in _apart(group):
                    writer.write_table(part, row_group_size=size)
                self.rows += group.num_rows
            self.content_hash = hasher.hexdigest()
            facts = msgspec.structs.replace(self._footer, content_hash=self.content_hash)
            writer.add_key_value_metadata({**to_text(facts), **self._notes})


@contextmanager
def _checked_place(path: Path, name: FileName, footer: Footer) -> Generator[None, None, None]:
    """A file says the same by its name and by its footer, and belongs to its lake and day."""
    owner = footer.collector if name.kind is FileKind.FRAMES else file_name(footer.symbol)
    if owner != name.name:
        raise LakeError(f"{path.name} can't hold {owner}, which its footer names")
    place = _place(path)
    if place is None:
        yield
        return
    if place.exchange != footer.exchange:
        raise LakeError(f"{path} can't hold {footer.exchange} data, which its footer names")
    claim_lake(place.lake, footer.source)
    with day_open(path):
        yield


def _place(path: Path) -> LakeFile | None:
    try:
        return parse_path(path)
    except LakeError:
        return None


def _checked(
    batches: Iterable[pa.Table | pa.RecordBatch], schema: pa.Schema, name: FileName
) -> Iterator[pa.Table]:
    for batch in batches:
        check_schema(batch.schema, schema, str(name))
        table = batch if isinstance(batch, pa.Table) else pa.Table.from_batches([batch])
        yield table.replace_schema_metadata(None)


def check_schema(found: pa.Schema, wanted: pa.Schema, what: str) -> None:
    """Raise LakeError, naming the first column that differs, unless the schemas are the same."""
    if found.equals(wanted):
        return
    if found.names != wanted.names:
        missing = [name for name in wanted.names if name not in found.names]
        extra = [name for name in found.names if name not in wanted.names]
        raise LakeError(
            f"{what}: columns are not {wanted.names} in this order: "
            f"missing {missing}, unknown {extra}"
        )
    for have, want in zip(found, wanted, strict=True):
        if not have.equals(want):
            raise LakeError(f"{what}: column {want.name!r} is {_kind(have)}, not {_kind(want)}")


def _kind(field: "pa.Field[Any]") -> str:
    return f"{field.type}{'' if field.nullable else ' not null'}"


def _groups(
    tables: Iterable[pa.Table], sizes: Iterator[int], schema: pa.Schema
) -> Iterator[pa.Table]:
    """The same rows in tables of `sizes` rows, the last one shorter, each in one piece."""
    waiting: list[pa.Table] = []
    rows, size = 0, next(sizes)
    for table in tables:
        waiting.append(table)
        rows += table.num_rows
        while rows >= size:
            whole = pa.concat_tables(waiting)
            yield encoded(whole.slice(0, size), schema)
            waiting = [whole.slice(size)]
            rows, size = rows - size, next(sizes)
    if rows:
        yield encoded(pa.concat_tables(waiting), schema)


def _apart(group: pa.Table) -> list[pa.Table]:
    """Opening rows of a book in a group of their own.

    The catalog's views leave them out: so DuckDB counts and compares what is left by what each
    group says of its columns, and reads none of it. Small files are not worth a second group.
    """
    if "opening" not in group.column_names or group.num_rows < _FEWEST_TO_PART:
        return [group]
    opening = int(np.argmin(group["opening"].to_numpy()))
    return [group.slice(0, opening), group.slice(opening)] if opening else [group]
