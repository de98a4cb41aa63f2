"""The lake's files as SQL tables: their names, columns and nulls, for the catalog and the rules.

Column names and paths become SQL text here and nowhere else. In SQL u64 is a signed BIGINT: the
arithmetic of UBIGINT raises or wraps below zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from atelier_pipeline.lake.names import SUFFIX, FileKind, Mode
from atelier_pipeline.lake.reader import Extent
from atelier_pipeline.lake.schemas import FEATURES, UTC_NS
from atelier_pipeline.market.datasets import Dataset

_TYPES: dict[pa.DataType, str] = {
    pa.string(): "VARCHAR",
    pa.uint64(): "UBIGINT",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    UTC_NS: "TIMESTAMPTZ_NS",
}
_PLACE = ("file_index", "file_row_number")
"""Virtual columns of read_parquet: which file of the list, and which row of it, both from 0."""


@dataclass(frozen=True, slots=True)
class Table:
    """One kind and mode of file under the name that SQL knows it by.

    Attributes:
        name: the view's name.
        kind, mode: of the files.
        nullable: the columns that may be null; every other column is always known.
    """

    name: str
    kind: FileKind
    mode: Mode
    nullable: frozenset[str] = frozenset()

    @property
    def schema(self) -> pa.Schema:
        """The exact Arrow schema of the files."""
        return self.kind.schema(self.mode)

    @property
    def columns(self) -> list[tuple[str, str]]:
        """(name, DuckDB type in the file) of each column, in order."""
        return [(field.name, _TYPES[field.type]) for field in self.schema]


_QUALITY = frozenset({"n_trades", "n_liquidations", "bid_levels", "ask_levels", "book_age_ns"})
_NULLABLE: dict[str, frozenset[str]] = {
    "fundings": frozenset({"next_funding_ts", "interval_hours"}),
    "open_interests": frozenset({"open_interest_value"}),
    "snapshots": _QUALITY,
    "aggregates": _QUALITY | {name for name, _ in FEATURES},
    "gaps": frozenset({"update_id_before", "update_id_after", "lost", "detail", "ts_known"}),
    "captures": frozenset(
        {
            *("opened_at", "closed_at", "clock_offset_ns", "latency_p50_ns", "latency_p99_ns"),
            *("first_trade_id", "last_trade_id", "first_update_id", "last_update_id"),
            *("head_events", "head_hash", "tail_events", "tail_hash"),
        }
    ),
}
_CHANGE_LOG = frozenset({"side", "level", "price", "size", "update_id"})
"""A message without levels is one row without side, level, price and size."""

_ORDER = ("trades", "orderbooks", "liquidations", "fundings", "open_interests")


def _raw(name: str) -> Table:
    nullable = _CHANGE_LOG if name == Dataset.ORDERBOOKS else _NULLABLE.get(name, frozenset())
    return Table(name, FileKind(name), Mode.RAW, nullable)


def _sync(name: str) -> Table:
    suffix = "_sync" if name in set(Dataset) else ""
    return Table(name + suffix, FileKind(name), Mode.SYNC, _NULLABLE.get(name, frozenset()))


TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        *(_raw(name) for name in _ORDER),
        *(_sync(name) for name in (*_ORDER, "snapshots", "aggregates")),
        *(_raw(name) for name in ("gaps", "captures")),
    )
}
"""Every table by name, in the order in which the catalog shows them."""


def quoted(text: object) -> str:
    """`text` as an SQL string literal; DuckDB knows no other escape in it than the doubled '."""
    return "'" + str(text).replace("'", "''") + "'"


def verbatim(path: Path) -> str:
    """`path` as a pattern that matches nothing else: a folder may be called `data[1]`."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in str(path))


def lake_view(table: Table, lake: Path) -> str:
    """A SELECT over all of the lake's files of `table`, with the day of the folder as `date`.

    It finds the files that are there when it runs. Made while there are none it has its columns
    and no rows; made while there are some, and all of them gone, it fails. Opening rows are left
    out: they repeat the last state of an earlier window.
    """
    file = f"*_{table.kind.datatype}_{table.mode}_*{SUFFIX}"
    folders = f"*/*/{table.kind}/date=*/{file}"
    pattern = quoted(f"{verbatim(lake.resolve())}/{folders}")
    options = "hive_partitioning = true, hive_types = {'date': DATE}"
    source = f"read_parquet({pattern}, {options})"
    if next(lake.glob(folders), None) is None:
        # Not for all: behind a union DuckDB counts 10 million rows by reading them, in 200 ms and
        # not in 2 from the files' statistics.
        nothing = _nothing([*table.columns, ("date", "DATE")])
        found = f"read_parquet({pattern}, {options}, allow_empty = true)"
        source = f"({nothing} UNION ALL BY NAME SELECT * FROM {found})"  # noqa: S608 - quoted path
    view = f'SELECT {_exposed(table)}, "date" FROM {source}'  # noqa: S608 - our own columns
    return f"{view} WHERE NOT opening" if "opening" in table.schema.names else view


def window_view(table: Table, extents: Sequence[Extent]) -> str:
    """A SELECT over the rows of `extents`, in their order, with `file_index, file_row_number`.

    Both are counted from 0, as if each extent was a file of its own. Opening rows are kept.
    """
    if any(extent.rows is not None for extent in extents):
        return "\nUNION ALL\n".join(
            _extent_view(table, index, extent) for index, extent in enumerate(extents)
        )
    nothing = _nothing([*table.columns, *((name, "BIGINT") for name in _PLACE)])
    paths = [extent.file for extent in extents]
    files = f"read_parquet({path_list(paths)}, hive_partitioning = false)"
    source = files if paths else f"({nothing})"
    return f"SELECT {_exposed(table)}, {', '.join(_PLACE)} FROM {source}"  # noqa: S608 - as above


def _extent_view(table: Table, index: int, extent: Extent) -> str:
    """The rows of one extent; DuckDB passes over the row groups that have none of them."""
    place = f"{index} AS file_index, file_row_number - {extent.first} AS file_row_number"
    files = f"read_parquet({path_list([extent.file])}, hive_partitioning = false)"
    rows = f"SELECT {_exposed(table)}, {place} FROM {files}"  # noqa: S608 - as above
    if extent.rows is None:
        return rows
    end = extent.first + extent.rows
    return f"{rows} WHERE file_row_number >= {extent.first} AND file_row_number < {end}"


def path_list(paths: Sequence[Path]) -> str:
    """`paths` as an SQL list of patterns that match these files alone."""
    return f"[{', '.join(quoted(verbatim(path)) for path in paths)}]"


def _exposed(table: Table) -> str:
    """The select list that turns a file's columns into a table's."""
    return ", ".join(
        f'CAST("{name}" AS BIGINT) AS "{name}"' if kind == "UBIGINT" else f'"{name}"'
        for name, kind in table.columns
    )


def _nothing(columns: Sequence[tuple[str, str]]) -> str:
    """A SELECT with these columns and no rows."""
    nulls = ", ".join(f'CAST(NULL AS {kind}) AS "{name}"' for name, kind in columns)
    return f"SELECT {nulls} WHERE false"
