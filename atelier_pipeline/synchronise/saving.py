"""An engine's state as bytes: all that its next rows may rest on, and its counters.

The bytes are MessagePack around raw arrays and Arrow streams: nothing in them is ever executed, and
another machine reads the same values from them.
"""

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from atelier_pipeline.errors import SettingsError
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.window import Window
from atelier_pipeline.synchronise.settings import SyncSettings

VERSION = 1

PackedArray: TypeAlias = tuple[str, tuple[int, ...], bytes]
"""Its dtype, shape and values."""


class SavedBook(msgspec.Struct, frozen=True, kw_only=True):
    """A book, what is known of its last applied message, and the messages no tick has had yet."""

    sides: tuple[PackedArray, ...]
    trail: tuple[PackedArray, ...]
    newest: tuple[int, int]
    columns: tuple[PackedArray, ...]
    times: tuple[PackedArray, ...]


class SavedEmission(msgspec.Struct, frozen=True, kw_only=True):
    """The next tick of a worker without windows, and the times that decide when it comes out."""

    first: tuple[int, int] | None
    newest: int
    newest_driving: int
    next_ns: int | None


class SavedEngine(msgspec.Struct, frozen=True, kw_only=True):
    """A MarketSynchronizer: how it was made, and what it holds."""

    version: int
    settings: SyncSettings
    exchange: str
    symbol: str
    datasets: tuple[Dataset, ...]
    window: Window | None
    cut_depth: int | None
    refused: Mapping[Dataset, int]
    late: Mapping[Dataset, int]
    is_final: bool
    emission: SavedEmission
    book: SavedBook
    pending: Mapping[Dataset, bytes]


class _Versioned(msgspec.Struct, frozen=True):
    version: int


def to_bytes(saved: SavedEngine) -> bytes:
    """The state as bytes; `from_bytes` turns it back."""
    return msgspec.msgpack.encode(saved)


def from_bytes(data: bytes) -> SavedEngine:
    """The state in bytes that `to_bytes` gave; SettingsError for any others."""
    try:
        version = msgspec.msgpack.decode(data, type=_Versioned).version
        if version == VERSION:
            return msgspec.msgpack.decode(data, type=SavedEngine)
    except (msgspec.MsgspecError, SettingsError) as error:
        raise SettingsError(f"no state of a MarketSynchronizer: {error}") from error
    raise SettingsError(f"a state of version {version} can't be resumed by version {VERSION}")


def packed(array: NDArray[Any]) -> PackedArray:
    """An array of plain numbers or flags."""
    return array.dtype.str, array.shape, array.tobytes()


def unpacked(saved: PackedArray) -> NDArray[Any]:
    """The array again, free to be changed; SettingsError where its parts do not fit."""
    kind, shape, data = saved
    try:
        dtype = np.dtype(kind)
    except TypeError as error:
        raise SettingsError(f"no state of a MarketSynchronizer: {error}") from error
    if dtype.hasobject or len(data) != math.prod(shape) * dtype.itemsize:
        raise SettingsError("no state of a MarketSynchronizer: an array does not fit its shape")
    return np.frombuffer(data, dtype).reshape(shape).copy()


def packed_table(table: pa.Table) -> bytes:
    """A table as an Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue().to_pybytes()


def unpacked_table(data: bytes, schema: pa.Schema) -> pa.Table:
    """The table again; SettingsError where it is none of that schema."""
    try:
        table = pa.ipc.open_stream(data).read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        raise SettingsError(f"no state of a MarketSynchronizer: {error}") from error
    if not table.schema.equals(schema):
        raise SettingsError("no state of a MarketSynchronizer: a table has other columns")
    return table
