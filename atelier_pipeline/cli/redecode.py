"""`atelier redecode`: raw files again from frames, and every difference."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import pyarrow as pa

    from atelier_pipeline.lake.names import LakeFile
    from atelier_pipeline.redecode import Difference

NS_PER_SEC = 1_000_000_000
SECS_PER_DAY = 86_400


def redecode(
    lake: Annotated[
        Path | None, typer.Option(help="The lake; default: ATELIER_LAKE.", show_default=False)
    ] = None,
    exchange: Annotated[str | None, typer.Option(help="Only this exchange.")] = None,
    collector: Annotated[str | None, typer.Option(help="Only this collector.")] = None,
    date: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only windows of this UTC day.")
    ] = None,
    rows: Annotated[int, typer.Option(min=0, help="Rows shown of each difference.")] = 3,
    write: Annotated[
        bool, typer.Option("--write", help="Replace the raw files of windows that differ.")
    ] = False,
) -> None:
    """Raw files again from frames, and every difference; exit code 1 if there is any."""
    from rich.console import Console
    from rich.progress import track

    from atelier_pipeline.redecode import redecode as run
    from atelier_pipeline.settings import load_settings

    root = load_settings().lake if lake is None else lake
    console, places = Console(), _frames(root, exchange, collector, date)
    same = 0
    differences: list[Difference] = []
    for place in track(places, "decoding", console=Console(stderr=True), transient=True):
        done = run(place.path, root, write=write)
        same += done.same
        differences += done.differences
    for each in differences:
        console.print(f"{each.path.relative_to(root)}: {each}", highlight=False, soft_wrap=True)
        _show(each.only_in_lake, f"only in the lake, first {rows}", rows)
        _show(each.only_redecoded, f"only when decoded again, first {rows}", rows)
    typer.echo(_summary(len(places), same, len(differences), root, write=write))
    if differences and not write:
        raise typer.Exit(1)


def _frames(
    lake: Path, exchange: str | None, collector: str | None, date: datetime | None
) -> "list[LakeFile]":
    """The sealed frames that were asked for."""
    from datetime import UTC

    from atelier_pipeline.lake.names import FileKind, Mode, find_files
    from atelier_pipeline.market.window import Window

    day = None
    if date is not None:
        start = int(date.replace(tzinfo=UTC).timestamp())
        day = Window(start * NS_PER_SEC, (start + SECS_PER_DAY) * NS_PER_SEC)
    return find_files(lake, FileKind.FRAMES, Mode.RAW, exchange, collector, day)


def _show(table: "pa.Table", title: str, rows: int) -> None:
    if rows and table.num_rows:
        from atelier_pipeline.cli.query import print_csv

        typer.echo(title)
        print_csv(table.slice(0, rows))


def _summary(windows: int, same: int, different: int, lake: Path, *, write: bool) -> str:
    if not windows:
        return f"{lake} has no frames that fit: nothing was decoded"
    replaced = ", replaced" if write and different else ""
    return f"{windows:,} windows: {same:,} raw files are the same, {different:,} differ{replaced}"
