"""All rules, and running them over the files of one window.

Bad data is a failed rule, never an exception: a file that can't be read fails every rule that needs
it, with the reason.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import duckdb
import pyarrow as pa

from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake.names import lake_path
from atelier_pipeline.lake.reader import Extent, find_extent
from atelier_pipeline.market.window import Window
from atelier_pipeline.validate.aggregate_rules import AGGREGATE_RULES
from atelier_pipeline.validate.book_marks import mark_books
from atelier_pipeline.validate.catalog import memory_connection, printable, words
from atelier_pipeline.validate.raw_rules import RAW_RULES
from atelier_pipeline.validate.rule import Finding, Limits, Rule, Stage
from atelier_pipeline.validate.seam_rules import SEAM_RULES
from atelier_pipeline.validate.sync_rules import SYNC_RULES
from atelier_pipeline.validate.tables import TABLES, Table, path_list, window_view

RULES: tuple[Rule, ...] = (*RAW_RULES, *SEAM_RULES, *SYNC_RULES, *AGGREGATE_RULES)
SAMPLE_ROWS = 20
_MARKS = "book_marks"

DEFAULT_LIMITS = Limits()

_FILES = pa.schema(
    [
        *((name, pa.string()) for name in ("table_name", "kind", "symbol", "path")),
        ("present", pa.bool_()),
    ]
)
_WANTED = pa.Table.from_pylist(
    [
        {
            "table_name": name,
            "position": position,
            "column_name": column,
            "column_type": kind,
            "nullable": column in table.nullable,
        }
        for name, table in TABLES.items()
        for position, (column, kind) in enumerate(table.columns)
    ]
)
_TABLES = """
CREATE TEMP TABLE found (path TEXT, position BIGINT, column_name TEXT, column_type TEXT);
CREATE TEMP TABLE statistics (path TEXT, column_name TEXT, nulls BIGINT, low TEXT, high TEXT);
"""
_FOOTERS = """
INSERT INTO found
SELECT path, column_id - 1, name, duckdb_type
FROM parquet_schema(PATHS) JOIN extents USING (file_name) WHERE num_children IS NULL;
INSERT INTO statistics
SELECT path, path_in_schema, stats_null_count, stats_min_value, stats_max_value
FROM (
    SELECT
        file_name, path_in_schema, stats_null_count, stats_min_value, stats_max_value,
        row_group_num_rows,
        sum(row_group_num_rows) OVER (
            PARTITION BY file_name, column_id ORDER BY row_group_id
        ) AS group_end
    FROM parquet_metadata(PATHS)
) JOIN extents USING (file_name)
WHERE group_end > first_row AND group_end - row_group_num_rows < end_row;
"""
"""In a compacted day the statistics are of the row groups that have rows of the window."""

_EXTENTS = pa.schema(
    [
        *((name, pa.string()) for name in ("path", "file_name")),
        *((name, pa.int64()) for name in ("first_row", "end_row")),
    ]
)
_ALL_ROWS = 2**62


@dataclass(frozen=True, slots=True)
class WindowFiles:
    """The files of some symbols of one exchange in one window, there or not."""

    lake: Path
    exchange: str
    symbols: tuple[str, ...]
    window: Window

    @property
    def before(self) -> "WindowFiles":
        """Those of the window that ends where this one starts."""
        start_ns, end_ns = self.window.start_ns, self.window.end_ns
        return replace(self, window=Window(2 * start_ns - end_ns, start_ns))

    def path(self, table: Table, symbol: str) -> Path:
        """Where one symbol's file of `table` belongs."""
        start_ns = self.window.start_ns
        return lake_path(
            self.lake.absolute(), self.exchange, symbol, table.kind, table.mode, start_ns
        )

    def present(self, table: Table) -> dict[Path, Extent]:
        """Where the files of `table` lie that are there, in the order of `symbols`."""
        paths = (self.path(table, symbol) for symbol in self.symbols)
        found = ((path, _find(path)) for path in paths)
        return {path: extent for path, extent in found if extent is not None}


def rules_of(stage: Stage) -> tuple[Rule, ...]:
    """The rules that judge the files of `stage`, in the order in which they are shown."""
    return tuple(rule for rule in RULES if rule.stage is stage)


def run_rule(
    rule: Rule,
    lake: Path,
    exchange: str,
    symbols: Sequence[str],
    window: Window,
    limits: Limits = DEFAULT_LIMITS,
) -> Finding:
    """What `rule` finds in the files of `symbols` in one window."""
    return _run([rule], WindowFiles(lake, exchange, tuple(symbols), window), limits)[0]


def check_files(
    files: WindowFiles, limits: Limits = DEFAULT_LIMITS, stage: Stage | None = None
) -> list[Finding]:
    """What every rule finds, or every rule of one stage, in the order of RULES."""
    return _run(RULES if stage is None else rules_of(stage), files, limits)


def _run(rules: Sequence[Rule], files: WindowFiles, limits: Limits) -> list[Finding]:
    with closing(_connection()) as connection:
        _set_variables(connection, files, limits)
        _add_expectations(connection, files)
        views: set[str] = set()
        return [_judge(connection, rule, files, views) for rule in rules]


@cache
def _database(_process: int) -> duckdb.DuckDBPyConnection:
    """One for all windows that a process judges: to open one takes 20 ms of its time."""
    return memory_connection()


def _connection() -> duckdb.DuckDBPyConnection:
    """A connection in UTC whose variables, tables and views are its own, gone when it is closed."""
    try:
        connection = _database(os.getpid()).cursor()
        connection.execute("SET TimeZone = 'UTC'")
    except duckdb.Error:
        # A fatal error, such as one of the disk, ends a database for good.
        _database.cache_clear()
        return memory_connection()
    return connection


def _judge(
    connection: duckdb.DuckDBPyConnection, rule: Rule, files: WindowFiles, views: set[str]
) -> Finding:
    """What one rule finds; `views` has the tables that rules before it have read, and its own."""
    try:
        _add_views(connection, rule, files, views)
        offending = (
            0 if _beyond_doubt(connection, rule, files, views) else _count(connection, rule.query)
        )
        sample = _sample(connection, rule.query) if offending else pa.table({})
    except duckdb.Error as error:
        reason = f"could not be judged: {words(error)}"
        offending, sample = 1, pa.table({"problem": [reason]})
    return Finding(
        rule=rule.name,
        stage=rule.stage,
        severity=rule.severity,
        description=rule.description,
        passed=offending == 0,
        offending=offending,
        sample=sample,
    )


def _beyond_doubt(
    connection: duckdb.DuckDBPyConnection, rule: Rule, files: WindowFiles, views: set[str]
) -> bool:
    """Whether nothing can offend; where that can't be told, the rule's own query says why."""
    if rule.doubt is None:
        return False
    try:
        if _MARKS in rule.doubt and _MARKS not in views:
            books = TABLES["orderbooks_sync"]
            extents = files.present(books).values()
            mark_books(connection, [window_view(books, [extent]) for extent in extents])
            views.add(_MARKS)
        return _count(connection, rule.doubt) == 0
    except duckdb.Error:
        return False


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    """Results stream: one that is not read to its end blocks the connection."""
    [(rows,)] = connection.execute(f"SELECT count(*) FROM ({query})").fetchall()  # noqa: S608 - ours
    return int(rows)


def _sample(connection: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    rows = connection.sql(f"SELECT * FROM ({query}) ORDER BY ALL LIMIT {SAMPLE_ROWS}")  # noqa: S608 - ours
    return printable(rows.to_arrow_table())


def _set_variables(
    connection: duckdb.DuckDBPyConnection, files: WindowFiles, limits: Limits
) -> None:
    window = {"t0": files.window.start_ns, "t1": files.window.end_ns, "exchange": files.exchange}
    for name, value in {**window, **asdict(limits)}.items():
        connection.execute(f"SET VARIABLE {name} = $value", {"value": value})


def _add_expectations(connection: duckdb.DuckDBPyConnection, files: WindowFiles) -> None:
    """The tables that every rule finds."""
    connection.execute(_TABLES)
    connection.register("wanted", _WANTED)
    connection.register("files", pa.Table.from_pylist(list(_expected(files)), _FILES))


def _expected(files: WindowFiles) -> Iterator[dict[str, str | bool]]:
    for name, table in TABLES.items():
        for symbol in files.symbols:
            path = files.path(table, symbol)
            yield {
                "table_name": name,
                "kind": table.kind,
                "symbol": symbol,
                "path": str(path),
                "present": _find(path) is not None,
            }


def _add_views(
    connection: duckdb.DuckDBPyConnection, rule: Rule, files: WindowFiles, views: set[str]
) -> None:
    """The tables that the rule reads: making a view opens every file of it."""
    wanted = [(name, name, files) for name in rule.reads]
    wanted += [(f"{name}_before", name, files.before) for name in rule.reads_before]
    for view, name, its_files in wanted:
        if view not in views:
            rows = window_view(TABLES[name], list(its_files.present(TABLES[name]).values()))
            connection.execute(f"CREATE TEMP VIEW {view} AS {rows}")
            views.add(view)
    if rule.footers:
        _read_footers(connection, [files.present(TABLES[name]) for name in rule.footers])


def _read_footers(
    connection: duckdb.DuckDBPyConnection, present: Sequence[dict[Path, Extent]]
) -> None:
    rows = [_extent(path, extent) for found in present for path, extent in found.items()]
    connection.register("extents", pa.Table.from_pylist(rows, _EXTENTS))
    connection.execute("DELETE FROM found; DELETE FROM statistics")
    if rows:
        files = {extent.file: None for found in present for extent in found.values()}
        connection.execute(_FOOTERS.replace("PATHS", path_list(list(files))))


def _find(path: Path) -> Extent | None:
    """Where a file's rows lie; a day that does not say which windows it holds has none of them."""
    try:
        return find_extent(path)
    except LakeError:
        return None


def _extent(path: Path, extent: Extent) -> dict[str, str | int]:
    rows = _ALL_ROWS if extent.rows is None else extent.rows
    return {
        "path": str(path),
        "file_name": str(extent.file),
        "first_row": extent.first,
        "end_row": extent.first + rows,
    }
