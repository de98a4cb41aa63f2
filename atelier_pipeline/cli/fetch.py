"""`atelier fetch`: raw streams of several exchanges at once."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def fetch(
    markets: Annotated[
        list[str] | None,
        typer.Argument(
            help="EXCHANGE or EXCHANGE:SYMBOL; default: bybit, coinbase and kraken.",
            show_default=False,
        ),
    ] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", "--duration", help="How many seconds to fetch.")
    ] = 60.0,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--dir",
            help="The lake for the raw files; default: ATELIER_LAKE.",
            metavar="DIR",
            show_default=False,
        ),
    ] = None,
    store: Annotated[
        bool, typer.Option("--store/--no-store", help="Keep raw files, or only show what comes.")
    ] = True,
    source: Annotated[
        Literal["live", "simulated"],
        typer.Option(help="The exchanges' own feeds, or those of `atelier simulate`."),
    ] = "live",
) -> None:
    """Raw streams of several exchanges at once, to the terminal and into raw files.

    Frames are kept in ATELIER_JOURNAL too. Exit code 1 where anything went wrong.
    """
    from atelier_pipeline.cli.workers import run_workers
    from atelier_pipeline.errors import SettingsError
    from atelier_pipeline.settings import load_settings
    from atelier_pipeline.workers import DataWorker
    from atelier_pipeline.workers.fetch import fetch_manifest

    if store and folder is None and source == "simulated":
        raise SettingsError("simulated data needs a lake of its own: say --dir, or --no-store")
    lake = (folder or load_settings().lake) if store else None
    manifest = fetch_manifest(markets or (), source, lake, terminal=True)
    run_workers([DataWorker(manifest, name="fetch", duration_secs=seconds)])
    if lake is not None:
        typer.echo(f"raw files are in {lake}; see them: atelier read --dir {lake}")
