"""The `atelier` command: parses, calls, prints. What a command does lives in the room it calls.

Each module beside holds some commands; it imports what they call inside them, so that `--help`
answers at once. Exit codes: 0 ok, 1 failed, 2 bad usage.
"""

import signal
import sys
from typing import Annotated, NoReturn

import typer

from atelier_pipeline import __version__
from atelier_pipeline.cli.demo import demo, ui
from atelier_pipeline.cli.fetch import fetch
from atelier_pipeline.cli.housekeeping import compact, prune, redecode
from atelier_pipeline.cli.load import load
from atelier_pipeline.cli.query import query
from atelier_pipeline.cli.read import read
from atelier_pipeline.cli.replay import replay
from atelier_pipeline.cli.simulate import simulate
from atelier_pipeline.cli.workers import data_worker, market_worker, markets, multi
from atelier_pipeline.errors import AtelierError, SettingsError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Capture crypto market data once, derive everything else from it.",
)
COMMANDS = (
    *(demo, ui, data_worker, market_worker, markets, multi),
    *(fetch, read, load, replay, redecode, query, simulate),
    *(compact, prune),
)
for command in COMMANDS:
    app.command()(command)


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
        typer.echo(f"atelier_pipeline {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Capture crypto market data once, derive everything else from it."""
