"""Lakes of made-up windows, small enough to write by the hundred, and what their views show."""

import datetime as dt
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from atelier_pipeline.housekeeping.selection import day_start_ns
from atelier_pipeline.lake.content import content_hash
from atelier_pipeline.lake.footer import Footer
from atelier_pipeline.lake.names import FileKind, Mode, lake_path
from atelier_pipeline.lake.writer import write_table
from atelier_pipeline.validate.catalog import lake_connection, query
from atelier_pipeline.validate.tables import TABLES, Table

DAY = dt.date(2026, 2, 26)
DAY_NS = day_start_ns(DAY)
HOUR_NS = 3_600_000_000_000
LATER_NS = DAY_NS + 72 * HOUR_NS
"""When the day and the one after it are closed."""


@dataclass(frozen=True)
class MadeUp:
    """One window of one symbol; `rows` in each of its files."""

    hour: int
    rows: int
    symbol: str = "BTC/USD"
    exchange: str = "kraken"
    collector: str = "main"
    windowed: bool = True

    @property
    def t0_ns(self) -> int:
        return DAY_NS + self.hour * HOUR_NS

    def table(self, table: Table) -> pa.Table:
        """Rows that differ from those of every other window; every third value is null."""
        seeds = [self.t0_ns + k for k in range(self.rows)]
        names = {"symbol": self.symbol, "exchange": self.exchange}
        columns = [
            pa.array([names[f.name]] * self.rows, f.type)
            if f.name in names
            else pa.array([_value(f.type, s + n, k) for k, s in enumerate(seeds)], f.type)
            for n, f in enumerate(table.schema)
        ]
        return pa.table(columns, schema=table.schema)

    def path(self, lake: Path, kind: FileKind, mode: Mode) -> Path:
        return lake_path(lake, self.exchange, self.symbol, kind, mode, self.t0_ns)

    def write(self, lake: Path, names: Iterable[str] = tuple(TABLES)) -> None:
        for name in names:
            table = TABLES[name]
            rows = self.table(table)
            footer = Footer(
                exchange=self.exchange,
                symbol=self.symbol,
                collector=self.collector,
                window_start=self.t0_ns if self.windowed else None,
                window_end=self.t0_ns + HOUR_NS if self.windowed else None,
                source="live",
                settings_hash="0123456789abcdef",
                input_hashes={"some.parquet": content_hash(rows)},
            )
            write_table(rows, self.path(lake, table.kind, table.mode), footer)


def _value(kind: pa.DataType, seed: int, row: int) -> object:
    if pa.types.is_boolean(kind):
        return row == 0
    if row % 3 == 2:
        return None
    if pa.types.is_floating(kind):
        return seed / 7
    return f"text {seed}" if pa.types.is_string(kind) else seed


def views(lake: Path) -> dict[str, pa.Table]:
    """All rows of every view of the catalog, in the order in which they lie on disk."""
    with closing(lake_connection(lake)) as connection:
        return {name: connection.sql(f"FROM {name}").to_arrow_table() for name in TABLES}


def counted(lake: Path) -> dict[str, int]:
    """How many rows a user counts in every view of the catalog."""
    counts = ", ".join(f"(SELECT count(*) FROM {name}) AS {name}" for name in TABLES)  # noqa: S608 - our own names
    return query(f"SELECT {counts}", lake).to_pylist()[0]


def contents(lake: Path) -> dict[str, bytes]:
    """Every file below `lake`, hidden ones too, by its path."""
    return {
        str(path.relative_to(lake)): path.read_bytes() for path in lake.rglob("*") if path.is_file()
    }
