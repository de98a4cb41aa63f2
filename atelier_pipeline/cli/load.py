"""`atelier load`: the newest files of a manifest's symbols, read whole and proved."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from atelier_pipeline.lake.names import LakeFile
    from atelier_pipeline.manifest import WorkerPlan


@dataclass(frozen=True, slots=True)
class Checked:
    """One thing that was checked of a symbol.

    Attributes:
        problem: what is wrong; empty where it is as it should be.
        result: for people.
    """

    symbol: str
    what: str
    stamp: str = ""
    rows: int = 0
    problem: str = ""
    result: str = "ok"


def load(
    config: Annotated[Path, typer.Option("--config", help="The manifest (TOML).")],
    lake: Annotated[
        Path | None,
        typer.Option(
            help="Where the files are; default: the manifest's parquet outputs, or ATELIER_LAKE.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Load and verify the newest files of a manifest's symbols; exit code 1 on a failure.

    Each file must open, have its schema, as many rows as it counts, in order, and the content
    that its footer promises; the sync rows of each tick must be those that its snapshot counts.
    """
    from rich.console import Console
    from rich.progress import track

    from atelier_pipeline.manifest import load_manifest
    from atelier_pipeline.manifest.plan import plan_workers
    from atelier_pipeline.manifest.refusals import Refusals

    plans = plan_workers(load_manifest(config), Refusals(str(config)))
    checked: list[Checked] = []
    for plan in track(plans, "verifying", console=Console(stderr=True), transient=True):
        for root in [lake] if lake is not None else _lakes(plan):
            checked += _check(plan, root)
    _print(checked)
    failed = sum(bool(each.problem) for each in checked)
    symbols = len({each.symbol for each in checked})
    typer.echo(f"{symbols:,} symbols, {len(checked):,} checks, {failed:,} failed")
    if failed:
        raise typer.Exit(1)


def _lakes(plan: "WorkerPlan") -> list[Path]:
    from atelier_pipeline.settings import load_settings

    folders = dict.fromkeys(output.dir for output in plan.output if output.dir is not None)
    return [Path(folder).expanduser() for folder in folders] or [load_settings().lake]


def _check(plan: "WorkerPlan", lake: Path) -> Iterator[Checked]:
    """Every file of a symbol, what is missing of it, and its index."""
    from atelier_pipeline.lake.names import FileKind
    from atelier_pipeline.lake.verify import newest_files

    symbol = f"{plan.exchange.name} {plan.symbol}"
    files = newest_files(lake, plan.exchange.name, plan.symbol)
    yield from (_check_file(symbol, file) for file in files)
    kinds = {str(file.kind) for file in files}
    for dataset in sorted(plan.datasets - kinds):
        # Where nothing was traded or liquidated a worker has no raw file to write.
        if kinds and dataset in {"trades", "liquidations"}:
            yield Checked(symbol, dataset, result="none yet")
        else:
            yield Checked(symbol, dataset, problem=f"no file in {lake}")
    yield from (
        _check_ticks(symbol, plan, file) for file in files if file.kind is FileKind.SNAPSHOTS
    )


def _check_file(symbol: str, file: "LakeFile") -> Checked:
    from atelier_pipeline.errors import LakeError
    from atelier_pipeline.lake.names import stamp
    from atelier_pipeline.lake.verify import verify_file

    what, time = f"{file.kind} {file.mode}", stamp(file.t0_ns)
    try:
        rows = verify_file(file.path)
    except LakeError as error:
        return Checked(symbol, what, time, problem=str(error))
    return Checked(symbol, what, time, rows)


def _check_ticks(symbol: str, plan: "WorkerPlan", index: "LakeFile") -> Checked:
    from atelier_pipeline.errors import LakeError
    from atelier_pipeline.lake.names import stamp
    from atelier_pipeline.lake.verify import verify_ticks

    what, time = "rows of each tick", stamp(index.t0_ns)
    try:
        ticks = verify_ticks(index.lake, plan.exchange.name, plan.symbol, index.path)
    except LakeError as error:
        return Checked(symbol, what, time, problem=str(error))
    return Checked(symbol, what, time, ticks)


def _print(checked: list[Checked]) -> None:
    """One row for each check, then every problem in its own words."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    console, table = Console(), Table(box=SIMPLE)
    for heading in ("symbol", "checked", "newest, UTC"):
        table.add_column(heading, no_wrap=True)
    table.add_column("rows", justify="right", no_wrap=True)
    table.add_column("result")
    for each in checked:
        result = "[red]failed" if each.problem else f"[green]{each.result}"
        table.add_row(each.symbol, each.what, each.stamp, f"{each.rows:,}", result)
    console.print(table)
    for each in checked:
        if each.problem:
            words = f"{each.symbol}: {each.what}: {each.problem}"
            console.print(words, highlight=False, markup=False, soft_wrap=True)
