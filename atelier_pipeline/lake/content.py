"""The canonical bytes of Arrow columns, and the hash over them.

The bytes depend on the values in row order and their types alone: not on how rows are split into
chunks, on dictionary encoding, or on what lies in memory under a null. Floats count by their bits.

Times, ids, flags and text mostly repeat the row before. The hash takes them by runs: the numbers of
the rows that differ from the one before, and the values there.
"""

import hashlib
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Column: TypeAlias = "pa.Array[Any]"
Canonical: TypeAlias = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]

_NOTHING = np.empty(0, np.uint8)
_FIRST = np.zeros(1, np.int64)

_BY_ROWS = frozenset({"level", "id", "seq"})
"""Columns, besides floats and payloads, in which hardly a row repeats the one before."""


class ContentHasher:
    """sha256 over batches of one schema; any split of the same rows gives the same hash."""

    def __init__(self, schema: pa.Schema) -> None:
        kinds = [_value_type(field.type) for field in schema]
        self._fields = [f"{field.name}:{kind}" for field, kind in zip(schema, kinds, strict=True)]
        self._columns = [
            _Runs() if _in_runs(field.name, kind) else _Rows()
            for field, kind in zip(schema, kinds, strict=True)
        ]
        self._rows = 0

    def update(self, batch: pa.RecordBatch) -> None:
        """Add the rows of `batch`, which has the schema's columns."""
        for column, hashed in zip(batch.columns, self._columns, strict=True):
            hashed.update(column)
        self._rows += batch.num_rows

    def hexdigest(self) -> str:
        """The hash of all rows so far, in 64 hex digits."""
        whole = hashlib.sha256(str(self._rows).encode())
        for field, hashed in zip(self._fields, self._columns, strict=True):
            whole.update(f"\n{field}\n".encode())
            whole.update(hashed.digest())
        return whole.hexdigest()


class _Rows:
    """The hash of a column, row by row."""

    def __init__(self) -> None:
        self._parts = [hashlib.sha256() for _ in range(3)]
        self._rows = 0

    def update(self, column: Column) -> None:
        self.add(canonical(column, self._rows), len(column))

    def add(self, parts: Canonical, rows: int) -> None:
        """Some rows in canonical form."""
        for part, data in zip(self._parts, parts, strict=True):
            if len(data):
                part.update(data.data)
        self._rows += rows

    @property
    def rows(self) -> int:
        return self._rows

    def digest(self) -> bytes:
        return b"".join(part.digest() for part in self._parts)


class _Runs:
    """The hash of a column by its runs of equal values."""

    def __init__(self) -> None:
        self._starts = hashlib.sha256()
        self._values = _Rows()
        self._rows = 0
        self._last: Column | None = None

    def update(self, column: Column) -> None:
        if not len(column):
            return
        starts = _starts(column)
        if self._last is not None and _same(column.slice(0, 1), self._last):
            starts = starts[1:]
        self._starts.update((starts + self._rows).data)
        self._values.add(_at(column, starts, self._values.rows), len(starts))
        self._rows += len(column)
        self._last = column.slice(len(column) - 1)

    def digest(self) -> bytes:
        return self._starts.digest() + self._values.digest()


def _in_runs(name: str, kind: pa.DataType) -> bool:
    return not (name in _BY_ROWS or pa.types.is_floating(kind) or pa.types.is_binary(kind))


def _same(column: Column, other: Column) -> bool:
    pairs = zip(canonical(column), canonical(other), strict=True)
    return all(np.array_equal(mine, theirs) for mine, theirs in pairs)


def _starts(column: Column) -> NDArray[np.int64]:
    """The first row, and each that differs from the one before."""
    keys = _without_nulls(_keys(column))
    if _is_text(keys.type):
        differs = pc.not_equal(keys[1:], keys[:-1]).to_numpy(zero_copy_only=False)
    else:
        numbers = _numbers(keys)
        differs = numbers[1:] != numbers[:-1]
    if column.null_count:
        is_null = column.is_null().to_numpy(zero_copy_only=False)
        differs = differs | (is_null[1:] != is_null[:-1])
    return np.concatenate([_FIRST, np.flatnonzero(differs) + 1])


def _keys(column: Column) -> Column:
    """Values that differ where those of the column do."""
    if not isinstance(column, pa.DictionaryArray):
        return column
    known = column.dictionary
    is_set = not known.null_count and len(known.unique()) == len(known)
    return column.indices if is_set else column.dictionary_decode()


def _at(column: Column, rows: NDArray[np.int64], first_row: int) -> Canonical:
    """The canonical bytes of some rows; Arrow's `take` is slow where there are few."""
    if len(rows) in {1, len(column)}:
        return canonical(column.slice(int(rows[0]), len(rows)), first_row)
    is_number = not (_is_text(column.type) or isinstance(column, pa.DictionaryArray))
    if is_number and not column.null_count:
        return _NOTHING, _NOTHING, _numbers(column)[rows].view(np.uint8)
    return canonical(column.take(rows), first_row)


def _without_nulls(column: Column) -> Column:
    return column.fill_null(_zero(column.type)) if column.null_count else column


def content_hash(table: pa.Table) -> str:
    """sha256 over the schema's names and types and over the values of `table` in row order."""
    hasher = ContentHasher(table.schema)
    for batch in table.to_batches():
        hasher.update(batch)
    return hasher.hexdigest()


def canonical(column: Column, first_row: int = 0) -> Canonical:
    """The canonical bytes of a column: int64 rows that are null, int32 lengths of text, values.

    `first_row` is added to the row numbers of nulls. A null has length 0 or value 0; columns of
    fixed width have no lengths.
    """
    if isinstance(column, pa.DictionaryArray):
        column = column.dictionary_decode()
    nulls = _NOTHING
    if column.null_count:
        is_null = column.is_null().to_numpy(zero_copy_only=False)
        nulls = (np.flatnonzero(is_null).astype(np.int64) + first_row).view(np.uint8)
        column = _without_nulls(column)
    if _is_text(column.type):
        return nulls, *_text(column)
    return nulls, _NOTHING, _numbers(column).view(np.uint8)


def _text(column: Column) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    if not len(column):
        return _NOTHING, _NOTHING
    _, starts, data = column.buffers()
    end = column.offset + len(column) + 1
    offsets = _view(starts)[4 * column.offset : 4 * end].view(np.int32)
    return np.diff(offsets).view(np.uint8), _view(data)[offsets[0] : offsets[-1]]


def _numbers(column: Column) -> NDArray[Any]:
    if pa.types.is_timestamp(column.type):
        column = column.view(pa.int64())
    return np.ascontiguousarray(column.to_numpy(zero_copy_only=False))


def _view(buffer: pa.Buffer | None) -> NDArray[np.uint8]:
    """Arrow leaves out the buffer where a column has no data."""
    return _NOTHING if buffer is None else np.frombuffer(memoryview(buffer), np.uint8)


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_binary(kind)


def _value_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if isinstance(kind, pa.DictionaryType) else kind


def _zero(kind: pa.DataType) -> str | bytes | int | bool:
    if pa.types.is_string(kind):
        return ""
    if pa.types.is_binary(kind):
        return b""
    return False if pa.types.is_boolean(kind) else 0
