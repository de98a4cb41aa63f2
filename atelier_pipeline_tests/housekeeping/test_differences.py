"""Differences are none exactly where the content is equal, and are told row by row."""

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atelier_pipeline.errors import LakeError
from atelier_pipeline.housekeeping.differences import differences
from atelier_pipeline.lake.content import content_hash
from atelier_pipeline.lake.names import FileKind, Mode
from atelier_pipeline.validate.tables import TABLES
from atelier_pipeline_tests.lake.rows import T0, tables, trades


def changed(table: pa.Table, column: str, row: int, value: object) -> pa.Table:
    """The table with another value at one place."""
    values = table[column].to_pylist()
    values[row] = value
    array = pa.array(values, table.schema.field(column).type)
    return table.set_column(table.column_names.index(column), column, array)


@st.composite
def edits(draw: st.DrawFn) -> tuple[pa.Table, pa.Table]:
    """A table of any kind of file, and another one made of its rows: some lost, doubled, moved."""
    table = TABLES[draw(st.sampled_from(sorted(TABLES)))]
    rows = draw(tables(table.schema, max_rows=6))
    order = draw(st.lists(st.integers(0, max(rows.num_rows - 1, 0)), max_size=7))
    return rows, rows.take(pa.array(order, pa.int64())) if rows.num_rows else rows


@given(edits())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_there_are_none_exactly_where_the_content_is_the_same(pair):
    old, new = pair
    found = differences(old, new)
    assert found.is_none == (content_hash(old) == content_hash(new))
    assert found.is_none == (found.sample.num_rows == 0)
    assert old.num_rows - found.missing == new.num_rows - found.added
    assert differences(old, old).is_none


def test_a_changed_row_is_told_with_what_differs_in_it():
    old = trades(5)
    new = changed(changed(old, "price", 3, 1.5), "side", 3, "buyer")
    found = differences(old, new)
    assert (found.added, found.missing, found.changed, found.reordered) == (0, 0, 1, 0)
    assert found.columns == {"side": 1, "price": 1}
    assert str(found) == "1 changed in side, price"
    assert found.sample.to_pylist() == [
        {
            "kind": "changed",
            "old_row": 3,
            "new_row": 3,
            "row": "id=1000000003",
            "old": "side=buy, price=80000.3",
            "new": "side=buyer, price=1.5",
        }
    ]


def test_added_and_missing_rows_are_told_whole_and_in_their_order():
    rows = trades(6, T0)
    found = differences(rows.slice(0, 4), pa.concat_tables([rows.slice(5), rows.slice(1, 3)]))
    assert str(found) == "1 added; 1 missing"
    told = found.sample.to_pylist()
    assert [(row["kind"], row["old_row"], row["new_row"]) for row in told] == [
        ("added", None, 0),
        ("missing", 0, None),
    ]
    assert told[0]["old"] is None
    assert told[0]["new"] == (
        "trade_ts=1772119800128, symbol=BTCUSDT, side=buy, price=80000.5, amount=0.006, "
        "exchange=bybit, ts_event=2026-02-26 15:30:00.128000000, "
        "ts_recv=2026-02-26 15:30:00.130345678"
    )


def test_rows_in_another_order_are_told():
    rows = trades(4)
    found = differences(rows, rows.take([3, 0, 1, 2]))
    assert str(found) == "another order at 1 places"
    assert found.sample.select(["kind", "old_row", "new_row"]).to_pylist() == [
        {"kind": "reordered", "old_row": 3, "new_row": 0}
    ]


def test_rows_of_one_identity_are_paired_in_their_order():
    schema = FileKind.LIQUIDATIONS.schema(Mode.RAW)
    row = {"symbol": "X", "side": "buy", "price": 1.0, "amount": 2.0, "ts_event": T0, "ts_recv": T0}
    old = pa.Table.from_pylist([row, row], schema)
    new = pa.Table.from_pylist([row, {**row, "amount": 3.0}, row], schema)
    found = differences(old, new)
    assert str(found) == "1 added; 1 changed in amount"


def test_floats_count_by_their_bits():
    old = changed(trades(2), "price", 0, 0.0)
    assert str(differences(old, changed(old, "price", 0, -0.0))) == "1 changed in price"
    nan = changed(old, "price", 0, float("nan"))
    assert differences(nan, nan).is_none


def test_a_null_is_not_a_zero():
    old = changed(trades(2), "amount", 1, None)
    assert differences(old, changed(old, "amount", 1, 0.0)).columns == {"amount": 1}


def test_no_more_rows_are_told_than_asked_for():
    found = differences(trades(0), trades(9), sample_rows=2)
    assert (found.added, found.sample["new_row"].to_pylist()) == (9, [0, 1])


def test_tables_of_two_kinds_are_refused():
    with pytest.raises(LakeError, match="the new table: columns are not"):
        differences(trades(1), FileKind.GAPS.schema(Mode.RAW).empty_table())
