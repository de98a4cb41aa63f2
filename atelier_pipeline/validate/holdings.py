"""What Parquet files hold of each symbol: spans, sizes and the figures that a person looks for.

Files may lie in a lake or in any other folder; their names and footers say what they are. Nothing
here judges them: a rule does that.
"""

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

import duckdb

from atelier_pipeline.errors import LakeError, QueryError
from atelier_pipeline.lake.names import SUFFIX, parse_name
from atelier_pipeline.lake.reader import Extent, read_footer, read_table
from atelier_pipeline.validate.catalog import memory_connection, words
from atelier_pipeline.validate.tables import TABLES, window_view

Figure: TypeAlias = float | int | str | None

_LATENCIES = {
    "latency p50 ms": "median(latency_p50_ns) / 1e6",
    "worst p99 ms": "max(latency_p99_ns) / 1e6",
}
_PRICED = {
    "volume": "sum(amount)",
    "notional": "sum(price * amount)",
    "vwap": "sum(price * amount) / nullif(sum(amount), 0)",
    "bought %": "100 * sum(amount) FILTER (side = 'buy') / nullif(sum(amount), 0)",
    "low": "min(price)",
    "high": "max(price)",
}
_QUALITY = {
    "valid book %": "100 * avg(book_valid::INT)",
    "gap %": "100 * avg(gap::INT)",
    "filled %": "100 * avg(filled::INT)",
    "late events": "sum(n_late)",
}
_FUNDING = {
    "last rate": "arg_max(funding_rate, TIME)",
    "lowest": "min(funding_rate)",
    "highest": "max(funding_rate)",
}
_INTEREST = {
    "last contracts": "arg_max(open_interest, TIME)",
    "last value": "arg_max(open_interest_value, TIME)",
    "change": "arg_max(open_interest, TIME) - arg_min(open_interest, TIME)",
}
_FIGURES: dict[str, dict[str, str]] = {
    "trades": _PRICED,
    "liquidations": _PRICED,
    "fundings": _FUNDING,
    "open_interests": _INTEREST,
    "orderbooks": {
        "messages": "count(*)",
        "snapshots": "count(*) FILTER (is_snapshot)",
        "levels a message": "avg(n_rows)",
    },
    "orderbooks_sync": {
        "ticks": "count(*)",
        "mean spread": "avg(ask - bid)",
        "last mid": "arg_max((ask + bid) / 2, TIME)",
        "levels a side": "avg(n_rows) / 2",
    },
    "snapshots": _QUALITY,
    "aggregates": {
        "mean spread": "avg(ob_spread)",
        "mean imbalance": "avg(ob_imbalance)",
        "volume": "sum(trade_volume)",
        "trades": "sum(trade_count)",
        "liquidations": "sum(liq_count)",
    },
    "gaps": {"causes": "histogram(cause)", "lost messages": "sum(lost)"},
    "captures": {
        "windows": "count(DISTINCT window_start)",
        "events": "sum(events)",
        "rejected": "sum(rejected)",
        "duplicates": "sum(duplicates)",
        **_LATENCIES,
    },
}
"""SQL by figure and table; TIME is the table's time. Sync events have the figures of raw ones."""

_TIMES = {
    "snapshots": "grid_ts",
    "aggregates": "make_timestamp_ns(ts_ns)",
    "gaps": "ts_start",
    "captures": "window_start",
}
_ENDS = {"gaps": "ts_end", "captures": "window_end"}

_MESSAGES = """
SELECT
    exchange, symbol, any_value(ts_event) AS ts_event, bool_or(is_snapshot) AS is_snapshot,
    count(*) AS n_rows
FROM ({}) WHERE NOT opening GROUP BY exchange, symbol, file_index, message
"""
_BOOKS = """
SELECT
    exchange, symbol, grid_ts, count(*) AS n_rows,
    max(price) FILTER (side = 'bid' AND level = 0) AS bid,
    min(price) FILTER (side = 'ask' AND level = 0) AS ask
FROM ({}) GROUP BY exchange, symbol, grid_ts
"""
_BY_BOOK = {"orderbooks": _MESSAGES, "orderbooks_sync": _BOOKS}


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file of a table; `table` is its name in TABLES, `bytes` its size on disk."""

    path: Path
    table: str
    exchange: str
    symbol: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What the files of one table hold of one symbol.

    Attributes:
        table: the table's name in TABLES.
        bytes: on disk.
        rows: without opening rows, which repeat an earlier window's last state.
        start_ns: time of the first row in UTC ns; None without rows.
        end_ns: time of the last row, or the end of the last loss or window.
        figures: by name; prices in quote units, amounts in base units, None where unknown.
    """

    exchange: str
    symbol: str
    table: str
    files: int
    bytes: int
    rows: int = 0
    start_ns: int | None = None
    end_ns: int | None = None
    figures: dict[str, Figure]


def stored_files(folder: Path) -> list[Path]:
    """The Parquet files of tables anywhere under `folder`, in order.

    Other files are passed over, and hidden folders: a day is compacted in one.

    Raises LakeError where there is no such folder.
    """
    if not folder.is_dir():
        raise LakeError(f"{folder} is no folder: expected one with Parquet files of a lake in it")
    found = (path for path in sorted(folder.rglob(f"*{SUFFIX}")) if _table_of(path) is not None)
    return [path for path in found if not _is_hidden(path.relative_to(folder))]


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def describe(path: Path) -> StoredFile:
    """What a file says about itself; raises LakeError where it is damaged or another's."""
    table = _table_of(path)
    if table is None:
        raise LakeError(f"{path.name} is no file of a table: expected one of {', '.join(TABLES)}")
    read_table(path, [])
    footer = read_footer(path)
    return StoredFile(path, table, footer.exchange, footer.symbol, path.stat().st_size)


def holdings(files: Iterable[StoredFile]) -> list[Holding]:
    """What `files` hold, by exchange, symbol and table; raises QueryError for damaged rows."""
    order = list(TABLES)
    ordered = sorted(files, key=lambda f: (order.index(f.table), str(f.path)))
    found: list[Holding] = []
    with closing(memory_connection()) as connection:
        for table, group in groupby(ordered, key=lambda f: f.table):
            found += _of_table(connection, table, list(group))
    return sorted(found, key=lambda h: (h.exchange, h.symbol, order.index(h.table)))


def _table_of(path: Path) -> str | None:
    try:
        name = parse_name(path.name)
    except LakeError:
        return None
    kinds = ((t.name, t.kind, t.mode) for t in TABLES.values())
    return next((table for table, *rest in kinds if rest == [name.kind, name.mode]), None)


def _of_table(
    connection: duckdb.DuckDBPyConnection, table: str, files: Sequence[StoredFile]
) -> list[Holding]:
    try:
        rows = connection.execute(_query(table, [file.path for file in files])).fetchall()
    except duckdb.Error as error:
        raise QueryError(f"can't read the {table} of {len(files)} files: {words(error)}") from None
    measured = {(exchange, symbol): rest for exchange, symbol, *rest in rows}
    owners = sorted({(file.exchange, file.symbol) for file in files})
    return [_holding(owner, table, files, measured.get(owner)) for owner in owners]


def _holding(
    owner: tuple[str, str], table: str, files: Sequence[StoredFile], row: list[Any] | None
) -> Holding:
    own = [file for file in files if (file.exchange, file.symbol) == owner]
    names = _figures(table)
    n_rows, start_ns, end_ns, *values = row or [0, None, None, *(None for _ in names)]
    return Holding(
        exchange=owner[0],
        symbol=owner[1],
        table=table,
        files=len(own),
        bytes=sum(file.bytes for file in own),
        rows=n_rows,
        start_ns=start_ns,
        end_ns=end_ns,
        figures={name: _figure(value) for name, value in zip(names, values, strict=True)},
    )


def _figure(value: Any) -> Figure:  # noqa: ANN401 - what a column of DuckDB holds
    if isinstance(value, dict):
        return ", ".join(f"{cause} {count}" for cause, count in sorted(value.items()))
    return value


def _figures(table: str) -> dict[str, str]:
    return _FIGURES.get(table) or _FIGURES[table.removesuffix("_sync")]


def _query(table: str, paths: Sequence[Path]) -> str:
    """Rows, span and figures of each symbol in some files of a table."""
    time = _TIMES.get(table, "grid_ts" if table.endswith("_sync") else "ts_event")
    by_book = _BY_BOOK.get(table)
    source = window_view(TABLES[table], [Extent(path) for path in paths])
    if by_book is not None:
        source = by_book.format(source)
    elif "opening" in TABLES[table].schema.names:
        source += " WHERE NOT opening"
    figures = ", ".join(sql.replace("TIME", time) for sql in _figures(table).values())
    rows = "count(*)" if by_book is None else "sum(n_rows)::BIGINT"
    span = f"epoch_ns(min({time})), epoch_ns(max({_ENDS.get(table, time)}))"
    return (
        f"SELECT exchange, symbol, {rows}, {span}, {figures} "  # noqa: S608 - SQL of our own
        f"FROM ({source}) GROUP BY exchange, symbol"
    )
