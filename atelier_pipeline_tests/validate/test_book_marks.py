"""Doubts: rules over sync books ask their own query wherever it would find something."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atelier_pipeline.validate.book_marks import mark_books
from atelier_pipeline.validate.catalog import memory_connection
from atelier_pipeline.validate.rule import Stage
from atelier_pipeline.validate.rules import rules_of, run_rule
from atelier_pipeline.validate.tables import TABLES
from atelier_pipeline_tests.validate.judging import SYMBOL, change
from atelier_pipeline_tests.validate.small_lake import PERIOD_NS, T0, Row, SmallLake, window

DOUBTED = [rule for rule in rules_of(Stage.SYNC) if "book_marks" in (rule.doubt or "")]
BOOKS, SNAPSHOTS = "orderbooks_sync", "snapshots"
NAMES = sorted({name for rule in DOUBTED for name in rule.reads})
TICKS = 3

ODD_VALUES: dict[str, list[Any]] = {
    "grid_ts": [T0 + k * PERIOD_NS + away for k in range(TICKS + 2) for away in (-1, 0, 1)],
    "side": ["bid", "ask", "x", None],
    "level": [0, 1, 2, 3, 16_000, 16_384, 32_768, None],
    "price": [97.0, 98.0, 99.0, 101.0, 102.0, 103.0, 0.0, -1.0, float("nan"), float("inf"), None],
    "size": [1.0, 0.0, float("nan"), float("inf"), None],
    "symbol": [SYMBOL, "ETH/USD", None],
}


@pytest.mark.parametrize("rule", DOUBTED, ids=lambda rule: rule.name)
def test_where_nothing_is_odd_the_query_over_all_rows_is_not_asked(good_lake: Path, rule: Any):
    asked = replace(rule, query="SELECT error('asked')")
    assert run_rule(asked, good_lake, "bybit", [SYMBOL], window()).passed


@pytest.mark.parametrize("rule", DOUBTED, ids=lambda rule: rule.name)
def test_where_something_is_odd_it_is_asked(tmp_path: Path, rule: Any):
    lake = SmallLake().damaged(BOOKS, change(5, level=7)).write(tmp_path / "lake")
    asked = replace(rule, query="SELECT error('asked')")
    [row] = run_rule(asked, lake, "bybit", [SYMBOL], window()).sample.to_pylist()
    assert row["problem"].endswith("asked")


def test_a_book_deeper_than_places_go_is_judged_by_all_of_its_rows(tmp_path: Path):
    lake = SmallLake()
    deep = [
        row | {"level": level, "price": 2e5 + level}
        for row in lake.rows[BOOKS][3:4]
        for level in range(2, 33_000)
    ]
    lake.damaged(BOOKS, lambda rows: [*rows[:4], *deep, *rows[4:]])
    lake.damaged(SNAPSHOTS, change(0, ask_levels=33_000)).write(tmp_path / "lake")
    for rule in DOUBTED:
        assert run_rule(rule, tmp_path / "lake", "bybit", [SYMBOL], window()).passed


@st.composite
def books(draw: st.DrawFn) -> tuple[list[Row], list[Row]]:
    """Sync books and snapshots of three ticks with some values changed, rows moved, or neither."""
    rows, counts = list[Row](), list[Row]()
    for k in range(1, TICKS + 1):
        tick = {"grid_ts": T0 + k * PERIOD_NS, "symbol": SYMBOL}
        bids, asks = draw(st.integers(0, 3)), draw(st.integers(0, 3))
        sides = [("bid", i, 99.0 - i) for i in range(bids)]
        sides += [("ask", i, 101.0 + i) for i in range(asks)]
        rows += [tick | {"side": s, "level": i, "price": p, "size": 1.0} for s, i, p in sides]
        counts.append(tick | {"bid_levels": bids, "ask_levels": asks})
    for _ in range(draw(st.integers(0, 3)) if rows else 0):
        place = draw(st.integers(0, len(rows) - 1))
        name = draw(st.sampled_from([*ODD_VALUES, "moved", "repeated", "gone"]))
        if name in ODD_VALUES:
            rows[place] = rows[place] | {name: draw(st.sampled_from(ODD_VALUES[name]))}
        else:
            taken = rows[place] if name == "repeated" else rows.pop(place)
            if name != "gone":
                rows.insert(draw(st.integers(0, len(rows))), taken)
        if not rows:
            break
    return rows, counts


@settings(max_examples=60, deadline=None)
@given(books())
def test_no_offending_row_is_beyond_doubt(drawn: tuple[list[Row], list[Row]]):
    with closing(memory_connection()) as connection:
        _set_up(connection, {BOOKS: drawn[0], SNAPSHOTS: drawn[1]})
        mark_books(connection, ["FROM orderbooks_sync"])
        for rule in DOUBTED:
            if connection.sql(rule.query).limit(1).fetchall():
                assert connection.sql(str(rule.doubt)).limit(1).fetchall(), rule.name


def _set_up(connection: duckdb.DuckDBPyConnection, rows: dict[str, list[Row]]) -> None:
    """The tables that the rules read; those that `rows` does not have are empty."""
    variables = {"t0": T0, "t1": T0 + TICKS * PERIOD_NS, "period_ns": PERIOD_NS}
    for name, value in variables.items():
        connection.execute(f"SET VARIABLE {name} = $value", {"value": value})
    connection.register("files", pa.table({"symbol": [SYMBOL]}))
    place = [("file_index", pa.int64()), ("file_row_number", pa.int64())]
    for name in NAMES:
        placed = [
            row | {"file_index": 0, "file_row_number": i}
            for i, row in enumerate(rows.get(name, []))
        ]
        schema = pa.schema([*TABLES[name].schema, *place])
        connection.register(name, pa.Table.from_pylist(placed, schema))
