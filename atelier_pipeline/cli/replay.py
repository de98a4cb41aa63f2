"""`atelier replay`: recorded frames through the whole line, and what came of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from atelier_pipeline.replay import Replayed
    from atelier_pipeline.validate.rule import Finding

NS_PER_MS = 1_000_000
REPLAY_QUERY = "SELECT exchange, symbol, dataset, events, verified FROM captures"
REPLAYED = ("frames", "events", "verified", "losses", "files", "checks")


def replay(
    frames: Annotated[list[Path], typer.Argument(help="Recorded frames, *.frames.gz.")],
    exchange: Annotated[
        str | None, typer.Option(help="The exchange; default: the file's folder.")
    ] = None,
    depth: Annotated[
        int | None, typer.Option(help="Subscribed book depth; default: as acknowledged.")
    ] = None,
    lake: Annotated[Path, typer.Option(help="Where the files go.")] = Path("data/replay"),
    period_ms: Annotated[int, typer.Option(min=1, help="The grid's period.")] = 100,
) -> None:
    """Recorded frames through the whole line, on the recording's own clock."""
    from rich.console import Console

    from atelier_pipeline.replay import replay as run

    console = Console(stderr=True)
    replayed: list[Replayed] = []
    for recording in frames:
        with console.status(f"replaying {recording.name}"):
            replayed.append(
                run(
                    recording, lake, exchange=exchange, depth=depth, period_ns=period_ms * NS_PER_MS
                )
            )
    _print_replayed(frames, replayed)
    typer.echo(f'files are in {lake}; try: atelier query --lake {lake} "{REPLAY_QUERY}"')
    if any(f.severity == "ERROR" for each in replayed for f in each.failed):
        raise typer.Exit(1)


def _print_replayed(recordings: list[Path], replayed: "list[Replayed]") -> None:
    """One row for each recording, then every loss and every rule that found something."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    console, table = Console(), Table("recording", *REPLAYED, box=SIMPLE)
    table.columns[0].overflow = "fold"
    notes: list[str] = []
    for recording, each in zip(recordings, replayed, strict=True):
        name = f"{each.collector.exchange.name}/{recording.name}"
        losses = each.losses()
        numbers = (each.frames, each.events(), each.verified, losses.total(), len(each.files))
        checks = f"{len(each.findings) - len(each.failed)} of {len(each.findings)}"
        table.add_row(name, *(f"{number:,}" for number in numbers), checks)
        notes += [f"{name}: {count} x {cause}" for cause, count in losses.items()]
        notes += [f"{name}: {_sentence(finding)}" for finding in each.failed]
    console.print(table)
    for note in notes:
        console.print(note, highlight=False, markup=False, soft_wrap=True)


def _sentence(finding: "Finding") -> str:
    first = finding.sample.slice(0, 1).to_pylist()
    return f"{finding.severity} {finding.rule}: {finding.offending} offending, first {first[0]}"
