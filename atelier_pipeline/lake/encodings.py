"""How columns become Parquet bytes: encodings, compression, and what depends on the rows.

Nothing here opens a file. docs/decisions/parquet.md has the figures behind each choice.
"""

from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from atelier_pipeline.lake.names import FileKind, FileName, Mode
from atelier_pipeline.market.events import NS_PER_MS

Chunks: TypeAlias = "pa.ChunkedArray[Any]"

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

_FEWEST_REPEATS = 4
"""Rows a time, from which on zstd's matches are smaller than differences of nanoseconds."""


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
        _joined(_dictionaries(column) if pa.types.is_dictionary(field.type) else column)
        for field, column in zip(schema, rows.columns, strict=True)
    ]
    return pa.table(columns, schema=schema)


def writer_options(name: FileName, rows_per_group: int, first: pa.Table | None) -> dict[str, Any]:
    """The options of a pyarrow ParquetWriter for the file `name`.

    `first` is its first row group, None where it has no rows: what it is like decides for the
    whole file. Raw rows are chosen for size; sync rows, of which there are ten times as many, for
    speed.
    """
    encodings = {field.name: _encoding(name, field, first) for field in name.schema}
    return {
        "compression": "zstd",
        "compression_level": 3 if name.mode is Mode.SYNC else 6,
        "use_dictionary": [name for name, encoding in encodings.items() if encoding is None],
        "column_encoding": {k: v for k, v in encodings.items() if v is not None},
        "max_rows_per_page": rows_per_group,
        "write_statistics": True,
        "write_page_checksum": True,
        "store_schema": False,
    }


def _encoding(file: FileName, field: "pa.Field[Any]", first: pa.Table | None) -> str | None:
    """The Parquet encoding of a column; None = dictionary."""
    name, kind = field.name, field.type
    is_book = file.kind is FileKind.ORDERBOOKS
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return _TEXTS.get(name)
    if (is_book and file.mode is Mode.SYNC) or pa.types.is_boolean(kind):
        return "PLAIN"
    column = None if first is None else first[name].slice(0, _LOOKED_AT)
    if name in _REPEATED:
        return "PLAIN" if is_book and column is not None and _is_diverse(column) else None
    if pa.types.is_floating(kind):
        return "BYTE_STREAM_SPLIT"
    is_repeated = is_book and name == "ts_recv" and column is not None and _repeats_ns(column)
    return "PLAIN" if is_repeated else "DELTA_BINARY_PACKED"


def _is_diverse(column: Chunks) -> bool:
    return len(column.unique()) > _MOST_DISTINCT * len(column)


def _repeats_ns(column: Chunks) -> bool:
    """Whether times of a finer clock than milliseconds stand still for some rows each."""
    times: NDArray[np.int64] = column.drop_null().cast(pa.int64()).to_numpy()
    changes = int(np.count_nonzero(np.diff(times)))
    return _FEWEST_REPEATS * (changes + 1) <= len(times) and bool((times % NS_PER_MS).any())


def _joined(column: Chunks) -> "pa.Array[Any] | Chunks":
    """In one piece; pyarrow copies a single chunk as well."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _dictionaries(text: "pa.ChunkedArray[pa.StringScalar]") -> Chunks:
    """Text as numbers of a dictionary, which is in order of appearance, however it was cut.

    Of millions of rows most chunks lie in the same memory: these are looked at once.
    """
    known: dict[tuple[int, ...], pa.DictionaryArray[Any, Any]] = {}
    chunks: list[pa.DictionaryArray[Any, Any]] = []
    for chunk in text.chunks:
        place = _place_in_memory(chunk)
        if place not in known:
            known[place] = chunk.dictionary_encode()
        chunks.append(known[place])
    return pa.chunked_array(chunks).unify_dictionaries()


def _place_in_memory(chunk: "pa.Array[Any]") -> tuple[int, ...]:
    buffers = (0 if buffer is None else buffer.address for buffer in chunk.buffers())
    return (*buffers, chunk.offset, len(chunk))


def _is_repeated_text(name: str, kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) and name not in _TEXTS
