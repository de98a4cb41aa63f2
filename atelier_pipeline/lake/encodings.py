"""How columns become Parquet bytes: encodings, compression, and what depends on the rows.

Nothing here opens a file. docs/decisions/parquet.md has the figures behind each choice.
"""

from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from atelier_pipeline.lake.names import FileKind, FileName, Mode
from atelier_pipeline.market.events import NS_PER_MS

Chunks: TypeAlias = "pa.ChunkedArray[Any]"
Column: TypeAlias = "pa.Array[Any]"

_CODES = pa.dictionary(pa.int32(), pa.string())

_REPEATED = frozenset({"price", "size"})
"""Floats that may come back again and again, so that a dictionary is smaller than their bits."""

_TEXTS = {
    "id": "DELTA_BYTE_ARRAY",
    "payload": "DELTA_LENGTH_BYTE_ARRAY",
    "gap_id": "DELTA_BYTE_ARRAY",
    "detail": "DELTA_LENGTH_BYTE_ARRAY",
}
"""Text that hardly repeats; ids often share their first digits with the one before."""

_LOOKED_AT = 1 << 16
_MOST_DISTINCT = 0.3
"""Of the rows looked at; with more values than that a dictionary is larger than zstd's matches."""

_FEWEST_TO_COMPARE = 64
"""Rows; of fewer, Arrow makes a dictionary as fast as they are compared."""

_SYNC_BATCH = 1 << 15
"""Rows that Parquet encodes at once; its own 1024 take a tenth more time."""

_FEWEST_REPEATS = 4
"""Rows a time, from which on zstd's matches are smaller than differences of nanoseconds."""


@lru_cache(maxsize=64)
def encoded_schema(schema: pa.Schema) -> pa.Schema:
    """The schema with text that repeats as dictionaries; in a file it is text all the same."""
    return pa.schema(
        [
            field.with_type(_CODES) if _is_repeated_text(field.name, field.type) else field
            for field in schema
        ]
    )


def encoded(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """The rows in one piece, with the schema that `encoded_schema` gave."""
    columns = [
        _dictionaries(column) if pa.types.is_dictionary(field.type) else _joined(column)
        for field, column in zip(schema, rows.columns, strict=True)
    ]
    return pa.table(columns, schema=schema)


def writer_options(name: FileName, rows_per_group: int, first: pa.Table | None) -> dict[str, Any]:
    """The options of a pyarrow ParquetWriter for the file `name`.

    `first` is its first row group, None where it has no rows: what it is like decides for the
    whole file. Raw rows are chosen for size; sync rows, of which there are ten times as many, for
    speed.
    """
    encodings = _encodings(name.kind, name.mode)
    if name.kind is FileKind.ORDERBOOKS and name.mode is Mode.RAW and first is not None:
        encodings = encodings | _by_rows(first)
    return {
        "compression": "zstd",
        "compression_level": 3 if name.mode is Mode.SYNC else 6,
        "use_dictionary": [name for name, encoding in encodings.items() if encoding is None],
        "column_encoding": {k: v for k, v in encodings.items() if v is not None},
        "max_rows_per_page": rows_per_group,
        "write_batch_size": _SYNC_BATCH if name.mode is Mode.SYNC else None,
        "write_statistics": True,
        "write_page_checksum": True,
        "store_schema": False,
    }


@lru_cache(maxsize=64)
def _encodings(kind: FileKind, mode: Mode) -> dict[str, str | None]:
    """The Parquet encodings of columns by name, whatever their rows; None = dictionary."""
    as_it_lies = kind is FileKind.ORDERBOOKS and mode is Mode.SYNC
    return {f.name: _encoding(f, as_it_lies=as_it_lies) for f in kind.schema(mode)}


def _encoding(field: "pa.Field[Any]", *, as_it_lies: bool) -> str | None:
    name, kind = field.name, field.type
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return _TEXTS.get(name)
    if as_it_lies or pa.types.is_boolean(kind):
        return "PLAIN"
    if name in _REPEATED:
        return None
    return "BYTE_STREAM_SPLIT" if pa.types.is_floating(kind) else "DELTA_BINARY_PACKED"


def _by_rows(first: pa.Table) -> dict[str, str]:
    """The encodings of a raw book that its first rows change."""
    looked_at = first.slice(0, _LOOKED_AT)
    plain = [name for name in _REPEATED if _is_diverse(looked_at[name])]
    if _repeats_ns(looked_at["ts_recv"]):
        plain.append("ts_recv")
    return dict.fromkeys(plain, "PLAIN")


def _is_diverse(column: Chunks) -> bool:
    return len(column.unique()) > _MOST_DISTINCT * len(column)


def _repeats_ns(column: Chunks) -> bool:
    """Whether times of a finer clock than milliseconds stand still for some rows each."""
    times: NDArray[np.int64] = column.drop_null().cast(pa.int64()).to_numpy()
    changes = int(np.count_nonzero(np.diff(times)))
    return _FEWEST_REPEATS * (changes + 1) <= len(times) and bool((times % NS_PER_MS).any())


def _joined(column: Chunks) -> "Column | Chunks":
    """In one piece; pyarrow copies a single chunk as well."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _dictionaries(text: "pa.ChunkedArray[pa.StringScalar]") -> "Column | Chunks":
    """Text as numbers of a dictionary, which is in order of appearance, however it was cut.

    Of millions of rows most chunks lie in the same memory: these are looked at once.
    """
    if len(text.chunks) == 1:
        return _dictionary(text.chunks[0])
    known: dict[tuple[int, ...], pa.DictionaryArray[Any, Any]] = {}
    chunks: list[pa.DictionaryArray[Any, Any]] = []
    for chunk in text.chunks:
        place = _place_in_memory(chunk)
        if place not in known:
            known[place] = _dictionary(chunk)
        chunks.append(known[place])
    return _joined(pa.chunked_array(chunks).unify_dictionaries())


def _dictionary(text: "pa.Array[pa.StringScalar]") -> "pa.DictionaryArray[Any, Any]":
    if len(text) < _FEWEST_TO_COMPARE or not _is_one_text(text):
        return text.dictionary_encode()
    return pa.DictionaryArray.from_arrays(np.zeros(len(text), np.int32), text.slice(0, 1))


def _is_one_text(text: "pa.Array[pa.StringScalar]") -> bool:
    """Whether all rows are the same, as symbols are: known in a tenth of what encoding takes."""
    _, starts, data = text.buffers()
    if text.null_count or starts is None or data is None:
        return False
    offsets = np.frombuffer(memoryview(starts), np.int32, len(text) + 1, 4 * text.offset)
    first, second, end = offsets[[0, 1, -1]].tolist()
    width = second - first
    if end - first != width * len(text) or (np.diff(offsets) != width).any():
        return False
    whole = np.frombuffer(memoryview(data), np.uint8)[first:end]
    return np.array_equal(whole[width:], whole[: end - first - width])


def _place_in_memory(chunk: "pa.Array[Any]") -> tuple[int, ...]:
    buffers = (0 if buffer is None else buffer.address for buffer in chunk.buffers())
    return (*buffers, chunk.offset, len(chunk))


def _is_repeated_text(name: str, kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) and name not in _TEXTS
