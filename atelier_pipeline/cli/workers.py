"""Commands that run workers: manifests run live, without Dagster."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
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
    from atelier_pipeline.workers import DataWorker

    run_workers([DataWorker.from_file(config, duration_secs=duration)])


def market_worker(config: Config, duration: Duration = None) -> None:
    """Run a MarketWorker: market snapshots on the grid, to the manifest's outputs."""
    from atelier_pipeline.workers import MarketWorker

    run_workers([MarketWorker.from_file(config, duration_secs=duration)])


def run_workers(workers: "Sequence[Worker]") -> None:
    """Run workers side by side until all have ended; exit code 1 where a report has errors."""
    from rich.console import Console

    from atelier_pipeline.workers.report import print_report

    _log()
    reports = [worker.run() for worker in workers]
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
