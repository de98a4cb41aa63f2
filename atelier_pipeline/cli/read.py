"""`atelier read`: what stored files hold, per symbol."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from atelier_pipeline.validate.holdings import Figure, Holding, StoredFile

_NS_PER_SEC = 1_000_000_000
_WHOLE = 100
"""From here on two decimals tell enough."""


def read(
    folder: Annotated[
        Path | None,
        typer.Option(
            "--dir", help="A lake or any folder of its files; default: ATELIER_LAKE.", metavar="DIR"
        ),
    ] = None,
    exchange: Annotated[str | None, typer.Option(help="Only this exchange.")] = None,
    symbol: Annotated[str | None, typer.Option(help="Only this symbol.")] = None,
) -> None:
    """Per-symbol statistics of stored files: rows, spans, spreads, volumes, valid books, losses.

    Prices are in quote units, amounts in base units, times in UTC. Exit code 1 where a file is
    damaged or nothing was found.
    """
    from rich.console import Console

    from atelier_pipeline.settings import load_settings
    from atelier_pipeline.validate.holdings import holdings

    root = load_settings().lake if folder is None else folder
    files, damaged = _described(root)
    wanted = [f for f in files if exchange in {None, f.exchange} and symbol in {None, f.symbol}]
    console = Console()
    with Console(stderr=True).status("reading"):
        found = holdings(wanted)
    _print(found, console)
    for problem in damaged:
        console.print(f"passed over: {problem}", highlight=False, markup=False, soft_wrap=True)
    typer.echo(_summary(root, found, len(damaged)))
    if damaged or not found:
        raise typer.Exit(1)


def _described(root: Path) -> "tuple[list[StoredFile], list[str]]":
    """The files under `root` that can be read, and a sentence for each that can't."""
    from rich.console import Console
    from rich.progress import track

    from atelier_pipeline.errors import LakeError
    from atelier_pipeline.validate.holdings import describe, stored_files

    files: list[StoredFile] = []
    damaged: list[str] = []
    for path in track(stored_files(root), "opening", console=Console(stderr=True), transient=True):
        try:
            files.append(describe(path))
        except LakeError as error:
            damaged.append(str(error))
    return files, damaged


def _print(found: "list[Holding]", console: "Console") -> None:
    """For each symbol a row for each kind of file, then the figures, equal ones once."""
    from itertools import groupby

    from rich.box import SIMPLE
    from rich.table import Column, Table

    for (exchange, symbol), group in groupby(found, key=lambda h: (h.exchange, h.symbol)):
        table = Table(title=f"{exchange} {symbol}", title_justify="left", box=SIMPLE)
        table.add_column("data", no_wrap=True)
        for heading in ("files", "rows", "KiB", "from, UTC", "span"):
            table.add_column(heading, justify="right", no_wrap=True)
        figures = Table.grid(Column(no_wrap=True), Column(overflow="fold"), padding=(0, 2))
        told = {""}
        for holding in group:
            table.add_row(holding.table, *_cells(holding))
            line = _figures(holding)
            if line not in told:
                figures.add_row(f"  {holding.table}", line)
            told.add(line)
        console.print(table, figures)


def _cells(holding: "Holding") -> tuple[str, ...]:
    numbers = (holding.files, holding.rows, -(-holding.bytes // 1024))
    return *(f"{number:,}" for number in numbers), *_span(holding.start_ns, holding.end_ns)


def _figures(holding: "Holding") -> str:
    """The figures that could be measured, in one line."""
    known = ((name, value) for name, value in holding.figures.items() if value is not None)
    return ", ".join(_figure(name, value) for name, value in known)


def _figure(name: str, value: "Figure") -> str:
    share = name.removesuffix(" %")
    return f"{name} {_shown(value)}" if share == name else f"{share} {_shown(value)} %"


def _span(start_ns: int | None, end_ns: int | None) -> tuple[str, str]:
    """The first instant to the second, and how long it lasted."""
    from datetime import UTC, datetime, timedelta

    if start_ns is None or end_ns is None:
        return "", ""
    start = datetime.fromtimestamp(start_ns // _NS_PER_SEC, UTC)
    lasted = timedelta(seconds=(end_ns - start_ns) // _NS_PER_SEC)
    return f"{start:%Y-%m-%d %H:%M:%S}", str(lasted)


def _shown(value: "Figure") -> str:
    if not isinstance(value, float):
        return f"{value:,}" if isinstance(value, int) else str(value)
    return f"{value:,.2f}" if abs(value) >= _WHOLE else f"{value:.4g}"


def _summary(root: Path, found: "list[Holding]", damaged: int) -> str:
    if not found:
        return f"{root} has no files that fit: nothing was read"
    symbols = len({(h.exchange, h.symbol) for h in found})
    files, rows = sum(h.files for h in found), sum(h.rows for h in found)
    rest = f"; {damaged:,} files can't be read" if damaged else ""
    return f"{symbols:,} symbols, {files:,} files, {rows:,} rows in {root}{rest}"
