import struct
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atelier_pipeline.lake.content import content_hash
from atelier_pipeline_tests.lake.rows import tables

SCHEMA = pa.schema(
    [
        ("t", pa.timestamp("ns", tz="UTC")),
        ("n", pa.uint64()),
        ("c", pa.uint32()),
        ("f", pa.float64()),
        ("s", pa.string()),
        ("b", pa.binary()),
        ("o", pa.bool_()),
    ]
)

PLAIN = pa.schema([("t", pa.int64()), *list(SCHEMA)[1:]])


def one(kind: pa.DataType, *values) -> str:
    return content_hash(pa.table({"x": pa.array(values, kind)}))


def bits(text: str) -> float:
    return struct.unpack(">d", bytes.fromhex(text))[0]


@settings(max_examples=40, deadline=None)
@given(tables(SCHEMA), st.lists(st.integers(0, 30), max_size=4))
def test_the_hash_does_not_depend_on_how_rows_are_cut(table, cuts):
    edges = [0, *sorted(min(cut, table.num_rows) for cut in cuts), table.num_rows]
    pieces = [table.slice(start, end - start) for start, end in pairwise(edges)]
    assert content_hash(pa.concat_tables(pieces)) == content_hash(table.combine_chunks())


@settings(max_examples=40, deadline=None)
@given(tables(SCHEMA))
def test_the_hash_does_not_depend_on_dictionary_encoding(table):
    names = ["s", "f", "n"]
    encoded = table
    for name in names:
        at = table.column_names.index(name)
        encoded = encoded.set_column(at, name, table[name].dictionary_encode())
    assert content_hash(encoded) == content_hash(table)


@settings(max_examples=40, deadline=None)
@given(tables(SCHEMA, max_rows=2), tables(SCHEMA, max_rows=2))
def test_tables_have_the_same_hash_when_and_only_when_their_values_are_the_same(left, right):
    def exact(table):
        def value(x):
            return struct.pack("<d", x) if isinstance(x, float) else x

        return [[value(x) for x in column] for column in table.cast(PLAIN).to_pydict().values()]

    assert (content_hash(left) == content_hash(right)) == (exact(left) == exact(right))


@pytest.mark.parametrize(
    ("kind", "left", "right"),
    [
        (pa.float64(), [0.0], [-0.0]),
        (pa.float64(), [bits("7ff8000000000000")], [bits("7ff8000000000001")]),
        (pa.float64(), [0.0], [None]),
        (pa.float64(), [0.1 + 0.2], [0.3]),
        (pa.uint64(), [0], [None]),
        (pa.string(), [""], [None]),
        (pa.string(), ["ab", "c"], ["a", "bc"]),
        (pa.string(), ["a", None], [None, "a"]),
        (pa.bool_(), [False], [None]),
        (pa.uint64(), [1, 2], [2, 1]),
        (pa.uint64(), [1, 1, 2], [1, 2, 2]),
        (pa.uint64(), [1, 2, 1], [1, 2, 2]),
        (pa.string(), ["a", "a", None], ["a", None, None]),
        (pa.string(), [None, ""], ["", None]),
        (pa.uint64(), [], [None]),
    ],
)
def test_values_that_are_nearly_the_same_have_other_hashes(kind, left, right):
    assert one(kind, *left) != one(kind, *right)


def test_what_lies_under_a_null_does_not_count():
    hidden = pa.Array.from_buffers(
        pa.float64(), 2, [pa.py_buffer(b"\x01"), pa.array([1.0, 7.0]).buffers()[1]]
    )
    assert hidden.to_pylist() == [1.0, None]
    assert content_hash(pa.table({"x": hidden})) == one(pa.float64(), 1.0, None)


def test_the_names_and_types_of_columns_count():
    hashes = {
        content_hash(pa.table({name: pa.array([1], kind)}))
        for name in ("x", "y")
        for kind in (pa.uint64(), pa.int64())
    }
    assert len(hashes) == 4


def test_the_hash_is_the_same_today_as_when_this_was_written():
    table = pa.table(
        {
            "t": pa.array([1, None, 3], pa.timestamp("ns", tz="UTC")),
            "f": pa.array([0.1, -0.0, None], pa.float64()),
            "s": pa.array(["BTC/USD", None, ""], pa.string()),
            "o": pa.array([True, False, None], pa.bool_()),
        }
    )
    assert content_hash(table) == (
        "9b0ff3db03d60322ee3271dbacfdf78372f5f95e3426f74b9a554abbe17d1f4d"
    )
