"""The `atelier` command: parses, calls, prints. What a command does lives in the room it calls.

Imports are inside the commands, so that `--help` answers at once. Exit codes: 0 ok, 1 failed, 2 bad
usage.
"""

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from atelier_pipeline.errors import AtelierError, SettingsError

if TYPE_CHECKING:
    import pyarrow as pa

    from atelier_pipeline.replay import Replayed
    from atelier_pipeline.validate.rule import Finding

NS_PER_MS = 1_000_000
REPLAYED = ("frames", "events", "verified", "losses", "files", "checks")
REPLAY_QUERY = "SELECT exchange, symbol, dataset, events, verified FROM captures"

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Capture crypto market data once, derive everything else from it.",
)

Lake = Annotated[
    Path | None, typer.Option(help="Read this lake instead of the catalog's.", show_default=False)
]


def main() -> None:
    """Run the command line; a user's mistake ends in one sentence, never in a traceback."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        app()
    except SettingsError as error:
        _end(str(error), 2)
    except AtelierError as error:
        _end(str(error), 1)
    except KeyboardInterrupt:
        _end("interrupted", 130)


def _end(message: str, code: int) -> NoReturn:
    print(f"atelier: {message}", file=sys.stderr)  # noqa: T201 - the command's own words
    sys.exit(code)


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it so
    if wanted:
        from atelier_pipeline import __version__

        typer.echo(f"atelier_pipeline {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Capture crypto market data once, derive everything else from it."""


@app.command()
def demo(
    seconds: Annotated[int, typer.Option(min=5, max=50, help="How long to capture.")] = 15,
) -> None:
    """The whole pipeline once on simulated exchanges, through Dagster, into data/demo."""
    from atelier_pipeline.orchestration.demo import run_demo

    if not run_demo(seconds=seconds):
        raise typer.Exit(1)


@app.command()
def ui(
    profile: Annotated[
        str, typer.Option(help="demo: simulated exchanges and data/demo; live: the real ones.")
    ] = "demo",
    port: Annotated[int, typer.Option(help="Port of the web page, on loopback.")] = 3000,
) -> None:
    """Dagster's web page and daemon on this machine; Ctrl-C ends both."""
    from atelier_pipeline.orchestration.ui import run_ui

    raise typer.Exit(run_ui(profile=profile, port=port))


@app.command()
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
    from atelier_pipeline.validate.catalog import query as run

    settings = load_settings()
    catalog = settings.catalog if lake is None else None
    table = run(sql, lake, catalog, max_rows=None if csv else rows + 1)
    if csv:
        _print_csv(table)
    else:
        _print_table(table, rows)


def _print_csv(table: "pa.Table") -> None:
    from pyarrow import csv

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


@app.command()
def simulate(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8765,
    seed: Annotated[int, typer.Option(help="Seed of the market.")] = 7,
    rate: Annotated[float, typer.Option(help="Book messages per second and symbol.")] = 20.0,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Listen beyond this machine.")
    ] = False,
) -> None:
    """The simulated exchanges as WebSocket servers, until Ctrl-C."""
    from atelier_pipeline.simulator import run

    run(host=host, port=port, seed=seed, rate=rate, allow_remote=allow_remote)


@app.command()
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


if __name__ == "__main__":
    main()
