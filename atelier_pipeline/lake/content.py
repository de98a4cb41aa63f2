"""The canonical bytes of Arrow columns, and the hash over them.

The bytes depend on the values in row order and their types alone: not on how rows are split into
chunks, on dictionary encoding, or on what lies in memory under a null. Floats count by their bits.

Times, ids, flags and text mostly repeat the row before. The hash takes them by runs: the numbers of
the rows that differ from the one before, and the values there.
"""

import hashlib
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Column: TypeAlias = "pa.Array[Any]"
Canonical: TypeAlias = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]

_NOTHING = np.empty(0, np.uint8)
_FIRST = np.zeros(1, np.int64)
_EMPTY = hashlib.sha256()
_ALL = slice(None)
_UNSIGNED = {8: np.uint8, 16: np.uint16, 32: np.uint32, 64: np.uint64}

_FEW = 8

_BY_ROWS = frozenset({"level", "id", "seq"})
"""Columns, besides floats and payloads, in which hardly a row repeats the one before."""


class ContentHasher:
    """sha256 over batches of one schema; any split of the same rows gives the same hash."""

    def __init__(self, schema: pa.Schema) -> None:
        self._fields = _fields(schema)
        self._columns = [_Runs() if in_runs else _Rows() for _, in_runs in self._fields]
        self._rows = 0

    def update(self, batch: pa.RecordBatch) -> None:
        """Add the rows of `batch`, which has the schema's columns."""
        if not batch.num_rows:
            return
        for column, hashed in zip(batch.columns, self._columns, strict=True):
            hashed.update(column)
        self._rows += batch.num_rows

    def hexdigest(self) -> str:
        """The hash of all rows so far, in 64 hex digits."""
        parts = [str(self._rows).encode()]
        for (field, _), hashed in zip(self._fields, self._columns, strict=True):
            parts += field, hashed.digest()
        return hashlib.sha256(b"".join(parts)).hexdigest()


@lru_cache(maxsize=64)
def _fields(schema: pa.Schema) -> tuple[tuple[bytes, bool], ...]:
    """What the hash says of each column, and whether it takes it by runs."""
    kinds = [(field.name, _value_type(field.type)) for field in schema]
    return tuple((f"\n{name}:{kind}\n".encode(), _in_runs(name, kind)) for name, kind in kinds)


class _Rows:
    """The hash of a column, row by row."""

    def __init__(self) -> None:
        self._nulls, self._lengths, self._values = _Part(), _Part(), _Part()
        self._rows = 0

    def update(self, column: Column) -> None:
        self.add(canonical(column, self._rows), len(column))

    def add(self, parts: Canonical, rows: int) -> None:
        """Some rows in canonical form."""
        nulls, lengths, values = parts
        self._nulls.add(nulls)
        self._lengths.add(lengths)
        self._values.add(values)
        self._rows += rows

    @property
    def rows(self) -> int:
        return self._rows

    def digest(self) -> bytes:
        return self._nulls.digest() + self._lengths.digest() + self._values.digest()


class _Part:
    """sha256 over pieces; most columns have no nulls, and numbers no lengths."""

    __slots__ = ("_hash",)

    def __init__(self) -> None:
        self._hash = _EMPTY

    def add(self, data: NDArray[Any]) -> None:
        if not len(data):
            return
        if self._hash is _EMPTY:
            self._hash = hashlib.sha256(data.data)
        else:
            self._hash.update(data.data)

    def digest(self) -> bytes:
        return self._hash.digest()


class _Runs:
    """The hash of a column by its runs of equal values."""

    def __init__(self) -> None:
        self._starts = _Part()
        self._values = _Rows()
        self._rows = 0
        self._last: Column | None = None

    def update(self, column: Column) -> None:
        rows, last = len(column), self._last
        self._last = column
        if _is_one_run(column):
            column = column.slice(0, 1)
        read = _Text if _is_text(_value_type(column.type)) else _Bits
        values = read(column)
        starts = values.starts() if len(column) > 1 else _FIRST
        if last is not None and _same(column.slice(0, 1), last.slice(len(last) - 1)):
            starts = starts[1:]
        self._values.add(values.at(starts, self._values.rows), len(starts))
        self._starts.add(starts + self._rows if self._rows else starts)
        self._rows += rows

    def digest(self) -> bytes:
        return self._starts.digest() + self._values.digest()


class _Bits:
    """Numbers, times or flags as bits, 0 where they are null.

    Small columns are many, and a call of Arrow's kernels costs more than the few rows of one: this
    looks at their memory.
    """

    def __init__(self, column: Column) -> None:
        if isinstance(column, pa.DictionaryArray):
            column = column.dictionary_decode()
        self._is_null = _nulls(column)
        values = _values(column)
        self._values = values if self._is_null is None else np.where(self._is_null, 0, values)

    def starts(self) -> NDArray[np.int64]:
        """The first row, and each that differs from the one before."""
        differs = self._values[1:] != self._values[:-1]
        if self._is_null is not None:
            differs |= self._is_null[1:] != self._is_null[:-1]
        return _behind(differs)

    def at(self, rows: NDArray[np.int64] | slice, first_row: int) -> Canonical:
        """The canonical bytes of some rows."""
        nulls = _NOTHING if self._is_null is None else _numbered(self._is_null[rows], first_row)
        return nulls, _NOTHING, self._values[rows]


class _Text:
    """Text, as such or as numbers of a dictionary."""

    def __init__(self, column: Column) -> None:
        self._column = column

    def starts(self) -> NDArray[np.int64]:
        """The first row, and each that differs from the one before."""
        keys = _keys(self._column)
        if not _is_text(keys.type):
            return _Bits(keys).starts()
        if keys.null_count:
            return _Bits(keys.dictionary_encode().indices).starts()
        return _behind(pc.not_equal(keys[1:], keys[:-1]).to_numpy(zero_copy_only=False))

    def at(self, rows: NDArray[np.int64], first_row: int) -> Canonical:
        """The canonical bytes of some rows."""
        if len(rows) <= _FEW:
            return _of_few([self._column[row].as_py() for row in rows.tolist()], first_row)
        is_all = len(rows) == len(self._column)
        return canonical(self._column if is_all else self._column.take(rows), first_row)


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
    if not _is_text(column.type):
        return _Bits(column).at(_ALL, first_row)
    is_null = _nulls(column)
    if is_null is None:
        return _NOTHING, *_text(column)
    lengths, data = _text(column)
    if lengths[is_null].any():
        lengths, data = _text(column.fill_null(_blank(column.type)))
    return _numbered(is_null, first_row), lengths, data


def _of_few(texts: list[str | bytes | None], first_row: int) -> Canonical:
    """The canonical bytes of a few texts, one by one; Arrow's `take` is slow for these."""
    nulls = [first_row + row for row, text in enumerate(texts) if text is None]
    parts = [text.encode() if isinstance(text, str) else text or b"" for text in texts]
    lengths = [len(part) for part in parts]
    data = np.frombuffer(b"".join(parts), np.uint8)
    return np.array(nulls, np.int64), np.array(lengths, np.int32), data


def _in_runs(name: str, kind: pa.DataType) -> bool:
    return not (name in _BY_ROWS or pa.types.is_floating(kind) or pa.types.is_binary(kind))


def _is_one_run(column: Column) -> bool:
    """Whether a look at what the column is like shows that all its rows are the same."""
    if isinstance(column, pa.DictionaryArray) and len(column.dictionary) == 1:
        return not column.null_count
    return column.null_count == len(column)


def _same(column: Column, other: Column) -> bool:
    pairs = zip(canonical(column), canonical(other), strict=True)
    return all(np.array_equal(mine, theirs) for mine, theirs in pairs)


def _behind(differs: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Row 0, and the rows behind those for which `differs` is true."""
    return np.concatenate([_FIRST, differs.nonzero()[0] + 1])


def _numbered(is_null: NDArray[np.bool_], first_row: int) -> NDArray[np.int64]:
    return is_null.nonzero()[0] + first_row


def _keys(column: Column) -> Column:
    """Values that differ where those of the column do."""
    if not isinstance(column, pa.DictionaryArray):
        return column
    known = column.dictionary
    is_set = not known.null_count and len(known.unique()) == len(known)
    return column.indices if is_set else column.dictionary_decode()


def _nulls(column: Column) -> NDArray[np.bool_] | None:
    """Which rows are null; None where none is."""
    if not column.null_count:
        return None
    return _flags(column.buffers()[0], column) == 0


def _values(column: Column) -> NDArray[Any]:
    """The memory of a column of fixed width; flags a byte each."""
    data = column.buffers()[1]
    if pa.types.is_boolean(column.type):
        return _flags(data, column)
    width = column.type.bit_width
    first, end = (width // 8 * row for row in (column.offset, column.offset + len(column)))
    return _view(data)[first:end].view(_UNSIGNED[width])


def _flags(buffer: pa.Buffer | None, column: Column) -> NDArray[np.uint8]:
    """The bits of the rows of a column, a byte each."""
    skipped = column.offset % 8
    bits = _view(buffer)[column.offset // 8 :]
    return np.unpackbits(bits, count=skipped + len(column), bitorder="little")[skipped:]


def _text(column: Column) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    if not len(column):
        return _NOTHING, _NOTHING
    _, starts, data = column.buffers()
    end = column.offset + len(column) + 1
    offsets = _view(starts)[4 * column.offset : 4 * end].view(np.int32)
    return offsets[1:] - offsets[:-1], _view(data)[offsets[0] : offsets[-1]]


def _view(buffer: pa.Buffer | None) -> NDArray[np.uint8]:
    """Arrow leaves out the buffer where a column has no data."""
    return _NOTHING if buffer is None else np.frombuffer(memoryview(buffer), np.uint8)


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_binary(kind)


def _value_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if isinstance(kind, pa.DictionaryType) else kind


def _blank(kind: pa.DataType) -> str | bytes:
    return "" if pa.types.is_string(kind) else b""
