"""`atelier query`: SQL over the catalog, as a table or as CSV."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import pyarrow as pa

Lake = Annotated[
    Path | None, typer.Option(help="Read this lake instead of the catalog's.", show_default=False)
]


def query(
    sql: Annotated[str, typer.Argument(help="One statement that reads, such as a SELECT.")],
    lake: Lake = None,
    rows: Annotated[int, typer.Option(min=1, help="Most rows to print.")] = 50,
    csv: Annotated[
        bool, typer.Option("--csv", help="All rows as CSV, for other programs.")
    ] = False,
) -> None:
    """DuckDB over the catalog: trades, orderbooks, aggregates, gaps, captures, …."""
    from atelier_pipeline.settings import load_settings
    from atelier_pipeline.validate.catalog import catalog_lake
    from atelier_pipeline.validate.catalog import query as run

    most = None if csv else rows + 1
    if lake is None:
        catalog = load_settings().catalog
        table = run(sql, catalog_lake(catalog), catalog, max_rows=most)
    else:
        table = run(sql, lake, max_rows=most)
    if csv:
        print_csv(table)
    else:
        _print_table(table, rows)


def print_csv(table: "pa.Table") -> None:
    """Print all rows as CSV, for people and other programs."""
    from pyarrow import csv

    sys.stdout.flush()
    csv.write_csv(table, sys.stdout.buffer)


def _print_table(table: "pa.Table", rows: int) -> None:
    import polars as pl

    shown = pl.DataFrame(table.slice(0, rows))
    with pl.Config(
        tbl_rows=-1,
        tbl_cols=-1,
        tbl_width_chars=200,
        fmt_str_lengths=60,
        tbl_hide_dataframe_shape=True,
        tbl_hide_column_data_types=True,
        tbl_formatting="UTF8_FULL_CONDENSED",
        float_precision=None,
    ):
        typer.echo(shown)
    if table.num_rows > rows:
        typer.echo(f"the first {rows} rows; --rows N prints more, --csv all of them")
