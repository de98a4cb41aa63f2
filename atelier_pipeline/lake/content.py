"""The canonical bytes of Arrow columns, and the hash over them.

The bytes depend on the values in row order and their types alone: not on how rows are split into
chunks, on dictionary encoding, or on what lies in memory under a null. Floats count by their bits.
"""

import hashlib
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Column: TypeAlias = "pa.Array[Any]"
Canonical: TypeAlias = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]

_NOTHING = np.empty(0, np.uint8)


class ContentHasher:
    """sha256 over batches of one schema; any split of the same rows gives the same hash."""

    def __init__(self, schema: pa.Schema) -> None:
        self._fields = [f"{field.name}:{_value_type(field.type)}" for field in schema]
        self._parts = [[hashlib.sha256() for _ in range(3)] for _ in self._fields]
        self._rows = 0

    def update(self, batch: pa.RecordBatch) -> None:
        """Add the rows of `batch`, which has the schema's columns."""
        for column, parts in zip(batch.columns, self._parts, strict=True):
            for part, data in zip(parts, canonical(column, self._rows), strict=True):
                part.update(data.data)
        self._rows += batch.num_rows

    def hexdigest(self) -> str:
        """The hash of all rows so far, in 64 hex digits."""
        whole = hashlib.sha256(str(self._rows).encode())
        for field, parts in zip(self._fields, self._parts, strict=True):
            whole.update(f"\n{field}\n".encode())
            whole.update(b"".join(part.digest() for part in parts))
        return whole.hexdigest()


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
        column = column.fill_null(_zero(column.type))
    if _is_text(column.type):
        return nulls, *_text(column)
    return nulls, _NOTHING, _fixed(column)


def _text(column: Column) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    if not len(column):
        return _NOTHING, _NOTHING
    _, starts, data = column.buffers()
    end = column.offset + len(column) + 1
    offsets = _view(starts)[4 * column.offset : 4 * end].view(np.int32)
    return np.diff(offsets).view(np.uint8), _view(data)[offsets[0] : offsets[-1]]


def _fixed(column: Column) -> NDArray[np.uint8]:
    if pa.types.is_timestamp(column.type):
        column = column.view(pa.int64())
    return np.ascontiguousarray(column.to_numpy(zero_copy_only=False)).view(np.uint8)


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
