"""Commands that run workers: manifests run live, without Dagster."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from atelier_pipeline.manifest import Manifest
    from atelier_pipeline.workers.terminal import TerminalSink
    from atelier_pipeline.workers.worker import Worker

Config = Annotated[Path, typer.Option(help="The manifest, a TOML file.")]
Duration = Annotated[
    float | None,
    typer.Option(
        help="Seconds to run, instead of the manifest's duration_hours.", show_default=False
    ),
]


def data_worker(config: Config, duration: Duration = None) -> None:
    """Run a DataWorker: events as they are received, to the manifest's outputs."""
    from atelier_pipeline.workers import DataWorker, TerminalSink

    terminal = TerminalSink()
    run_workers([DataWorker.from_file(config, duration_secs=duration, terminal=terminal)], terminal)


def market_worker(config: Config, duration: Duration = None) -> None:
    """Run a MarketWorker: market snapshots on the grid, to the manifest's outputs."""
    from atelier_pipeline.workers import MarketWorker, TerminalSink

    terminal = TerminalSink()
    run_workers(
        [MarketWorker.from_file(config, duration_secs=duration, terminal=terminal)], terminal
    )


def markets(
    exchange: Annotated[str, typer.Argument(help="bybit, coinbase, kraken, …")],
    config: Annotated[
        Path | None,
        typer.Option(help="A manifest; default: the exchange's own.", show_default=False),
    ] = None,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="The one of `atelier simulate`, not the real one.")
    ] = False,
    duration: Duration = None,
) -> None:
    """Market snapshots of one exchange, live."""
    from atelier_pipeline.exchanges.registry import exchange_named
    from atelier_pipeline.manifest import load_manifest
    from atelier_pipeline.settings import load_settings
    from atelier_pipeline.workers import MarketWorker, TerminalSink

    exchange_named(exchange)
    path = load_settings().manifests / f"{exchange}.toml" if config is None else config
    manifest = _of_exchange(load_manifest(path), exchange, path)
    if simulated:
        collect = manifest.collect.model_copy(update={"source": "simulated"})
        manifest = manifest.model_copy(update={"collect": collect})
    terminal = TerminalSink()
    worker = MarketWorker(manifest, name=path.stem, duration_secs=duration, terminal=terminal)
    run_workers([worker], terminal)


def multi(
    configs: Annotated[list[Path], typer.Argument(help="Manifests, a MarketWorker for each.")],
    duration: Duration = None,
) -> None:
    """Several MarketWorkers side by side, each with its own manifest."""
    from atelier_pipeline.workers import MarketWorker, TerminalSink

    terminal = TerminalSink()
    workers = [
        MarketWorker.from_file(path, duration_secs=duration, terminal=terminal) for path in configs
    ]
    run_workers(workers, terminal)


def _of_exchange(manifest: "Manifest", exchange: str, path: Path) -> "Manifest":
    """The manifest with the workers of one exchange alone."""
    from atelier_pipeline.errors import SettingsError

    default = manifest.collect.exchange
    kept = tuple(w for w in manifest.workers if (w.exchange or default) == exchange)
    if not kept:
        raise SettingsError(f"{path}: no worker captures {exchange}")
    return manifest.model_copy(update={"workers": kept})


def run_workers(workers: "Sequence[Worker]", terminal: "TerminalSink | None" = None) -> None:
    """Run workers until all have ended; exit code 1 where a report has errors.

    What goes to channels alone would be seen by nobody here: it is shown in `terminal` too.
    """
    from rich.console import Console

    from atelier_pipeline.workers import print_report
    from atelier_pipeline.workers import run_workers as run

    _log()
    if terminal is not None:
        unseen = [worker for worker in workers if set(worker.outputs) == {"channel"}]
        for worker in unseen:
            worker.add_sink(terminal)
        terminal.users = len(unseen) + sum("terminal" in worker.outputs for worker in workers)
    reports = run(workers)
    for report in reports:
        print_report(report, Console())
    if not all(report.ok for report in reports):
        raise typer.Exit(1)


def _log() -> None:
    """Connection states and failures, one line each, on standard error."""
    import logging

    from rich.console import Console
    from rich.logging import RichHandler

    handler = RichHandler(console=Console(stderr=True), show_path=False, markup=False)
    logging.basicConfig(level=logging.INFO, handlers=[handler], format="%(message)s")
