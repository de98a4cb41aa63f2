"""Rows to write, made by hypothesis or by hand."""

import struct

import pyarrow as pa
from hypothesis import strategies as st

from atelier_pipeline.lake.names import FileKind, Mode

T0 = 1_772_119_800_123_000_000
"""2026-02-26 15:30:00.123 UTC, the contract's example."""

times = st.integers(1_000_000_000, 2**62)
texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=12)


def values(kind: pa.DataType) -> st.SearchStrategy:
    """Any value of an Arrow type, floats by their bits."""
    if pa.types.is_timestamp(kind):
        return st.integers(-(2**63), 2**63 - 1)
    if pa.types.is_boolean(kind):
        return st.booleans()
    if pa.types.is_string(kind):
        return texts
    if pa.types.is_binary(kind):
        return st.binary(max_size=20)
    if pa.types.is_floating(kind):
        return st.binary(min_size=8, max_size=8).map(lambda bits: struct.unpack("<d", bits)[0])
    bits = kind.bit_width
    low, high = (0, 2**bits) if str(kind).startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1))
    return st.integers(low, high - 1)


@st.composite
def tables(draw: st.DrawFn, schema: pa.Schema, max_rows: int = 30) -> pa.Table:
    """A table of `schema` with any values and nulls, cut into chunks anywhere."""
    count = draw(st.integers(0, max_rows))
    arrays = [
        pa.array(
            draw(
                st.lists(st.none() | values(field.type), min_size=count, max_size=count),
            ),
            field.type,
        )
        for field in schema
    ]
    table = pa.Table.from_arrays(arrays, schema=schema)
    cut = draw(st.integers(0, count))
    return pa.concat_tables([table.slice(0, cut), table.slice(cut)])


def trades(count: int, first_ns: int = T0) -> pa.Table:
    """`count` trades of BTCUSDT on bybit, one a millisecond."""
    time = [first_ns + k * 1_000_000 for k in range(count)]
    columns = {
        "trade_ts": [t // 1_000_000 for t in time],
        "symbol": ["BTCUSDT"] * count,
        "side": ["buy" if k % 2 else "sell" for k in range(count)],
        "price": [80_000 + k % 7 * 0.1 for k in range(count)],
        "amount": [0.001 * (k % 11 + 1) for k in range(count)],
        "exchange": ["bybit"] * count,
        "id": [str(10**9 + k) for k in range(count)],
        "ts_event": time,
        "ts_recv": [t + 2_345_678 for t in time],
    }
    schema = FileKind.TRADES.schema(Mode.RAW)
    return pa.table([pa.array(columns[f.name], f.type) for f in schema], schema=schema)
