"""The catalog: a DuckDB file of views over the lake, and reading it with SQL.

The views find the lake's files whenever they are read, so that a new window shows at once, and the
file can be replaced while others read it. Nothing here judges data or writes to the lake.
"""

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeVar

import duckdb
import pyarrow as pa

from atelier_pipeline.errors import QueryError
from atelier_pipeline.lake.storage import put_file
from atelier_pipeline.validate.tables import TABLES, lake_view, quoted, verbatim

_numbers = itertools.count()

Result = TypeVar("Result")


def build_catalog(lake: Path, catalog: Path) -> None:
    """Make the DuckDB file `catalog` of views over `lake`, by absolute path, or replace it whole.

    Connections that hold the old file go on. Raises LakeError where the file can't be written.
    """
    with tempfile.TemporaryDirectory(prefix="atelier-catalog-") as folder:
        built = Path(folder) / catalog.name
        with closing(duckdb.connect(built)) as connection:
            _create_views(connection, lake)

        def copy(file: BinaryIO) -> None:
            with built.open("rb") as source:
                shutil.copyfileobj(source, file)

        put_file(catalog, copy, replace=True)
    # Left by a writer of the old file that was killed; DuckDB would replay it on the new one.
    catalog.with_name(f"{catalog.name}.wal").unlink(missing_ok=True)


def connect(catalog: Path) -> duckdb.DuckDBPyConnection:
    """A connection that reads `catalog`, in UTC; its own statements can change nothing in it.

    The file is attached to a database in memory: DuckDB hands out one shared instance for a file
    name, which would still be the old file after a replacement. Raises QueryError where it is
    missing or no catalog.
    """
    if not catalog.is_file():
        raise QueryError(f"no catalog at {catalog}: materialise `catalog`, or set ATELIER_CATALOG")
    connection = memory_connection()
    try:
        connection.execute(f"ATTACH {quoted(catalog)} AS atelier (READ_ONLY)")
        connection.execute("USE atelier")
    except duckdb.Error as error:
        connection.close()
        raise QueryError(f"can't read the catalog {catalog}: {words(error)}") from None
    return connection


def catalog_lake(catalog: Path) -> Path:
    """The lake that a catalog's views read; raises QueryError as `connect` does."""
    with closing(connect(catalog)) as connection:
        try:
            rows = connection.execute("SELECT path FROM lake_root").fetchall()
        except duckdb.Error:
            raise QueryError(
                f"{catalog} does not say which lake it reads: materialise `catalog` again"
            ) from None
    return Path(rows[0][0])


def lake_connection(lake: Path) -> duckdb.DuckDBPyConnection:
    """A connection in memory, in UTC, with the catalog's views over `lake`."""
    connection = memory_connection()
    _create_views(connection, lake)
    return connection


def memory_connection() -> duckdb.DuckDBPyConnection:
    """An empty database in memory, in UTC.

    What does not fit goes to a temporary folder of its own, not to `.tmp` in the working directory.
    """
    spill = Path(tempfile.gettempdir()) / f"atelier-duckdb-{os.getpid()}-{next(_numbers)}"
    connection = duckdb.connect(config={"temp_directory": str(spill)})
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def query(
    sql: str, lake: Path, catalog: Path | None = None, *, max_rows: int | None = None
) -> pa.Table:
    """The rows of one SELECT over the catalog, or over the same views made on the spot.

    The query reads the lake and nothing else: it can't write a file, attach a database, load an
    extension or change a setting. One that a day was compacted under is run once again.

    Args:
        sql: one statement that reads (SELECT, FROM, WITH, VALUES, DESCRIBE, SHOW, SUMMARIZE).
        lake: the lake that the catalog's views read.
        catalog: the catalog's file; None makes the views in memory.
        max_rows: the most rows to return; None returns all.

    Raises:
        QueryError: in the database's words, or where lake or catalog can't be read.
    """
    if not lake.is_dir():
        raise QueryError(f"no lake at {lake}: nothing was captured yet, or ATELIER_LAKE is wrong")
    opened = lake_connection(lake) if catalog is None else connect(catalog)
    with closing(opened) as connection:
        _confine(connection, lake)
        try:
            return _settled(lambda: _read(connection, sql, max_rows))
        except duckdb.Error as error:
            raise QueryError(words(error)) from None


def printable(table: pa.Table) -> pa.Table:
    """`table` with times as text to the nanosecond, which Python's datetime can't hold."""
    columns = [
        column.cast(pa.timestamp("ns")).cast(pa.string())
        if pa.types.is_timestamp(column.type)
        else column
        for column in table.columns
    ]
    return pa.table(columns, names=table.column_names)


def _create_views(connection: duckdb.DuckDBPyConnection, lake: Path) -> None:
    connection.execute(f"CREATE VIEW lake_root AS SELECT {quoted(lake.absolute())} AS path")
    for table in TABLES.values():
        view = f"CREATE VIEW {table.name} AS {lake_view(table, lake)}"
        _settled(partial(connection.execute, view))


def _confine(connection: duckdb.DuckDBPyConnection, lake: Path) -> None:
    """Let the connection reach the lake's files alone, for good.

    https://duckdb.org/docs/2.0/operations_manual/securing_duckdb/overview
    """
    folder = lake.resolve()
    # Files are checked by their names, patterns as they are written.
    allowed = f"{quoted(folder)}, {quoted(verbatim(folder))}"
    for setting in (
        "autoinstall_known_extensions = false",
        "autoload_known_extensions = false",
        f"allowed_directories = [{allowed}]",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"SET {setting}")


def _settled(act: Callable[[], Result]) -> Result:
    """What `act` gives, done again where a file was gone after it had been listed.

    So it is when a day is compacted meanwhile. The second time its one file is listed.
    """
    try:
        return act()
    except duckdb.IOException as error:
        if "No such file" not in str(error):
            raise
    return act()


def _read(connection: duckdb.DuckDBPyConnection, sql: str, max_rows: int | None) -> pa.Table:
    """The rows of one SELECT.

    An allowed folder may be written to as well, and in DuckDB 2.0 a SELECT can hold a COPY or an
    INSERT as a common table expression. The table function `query` refuses everything but a SELECT
    that only reads.
    """
    relation = connection.sql("SELECT * FROM query($sql)", params={"sql": sql})
    if max_rows is not None:
        relation = relation.limit(max_rows)
    return relation.to_arrow_table()


def words(error: duckdb.Error) -> str:
    """DuckDB's message without the excerpt of a query that is not the user's own text."""
    return str(error).split("\n\nLINE ")[0]
