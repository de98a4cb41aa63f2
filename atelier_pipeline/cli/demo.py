"""Commands that run Dagster: the demo and the UI."""

from typing import Annotated

import typer


def demo(
    seconds: Annotated[int, typer.Option(min=5, max=50, help="How long to capture.")] = 15,
) -> None:
    """The whole pipeline once on simulated exchanges, through Dagster, into data/demo."""
    from atelier_pipeline.orchestration.demo import run_demo

    if not run_demo(seconds=seconds):
        raise typer.Exit(1)


def ui(
    profile: Annotated[
        str, typer.Option(help="demo: simulated exchanges and data/demo; live: the real ones.")
    ] = "demo",
    port: Annotated[int, typer.Option(help="Port of the web page, on loopback.")] = 3000,
) -> None:
    """Dagster's web page and daemon on this machine; Ctrl-C ends both."""
    from atelier_pipeline.orchestration.ui import run_ui

    raise typer.Exit(run_ui(profile=profile, port=port))
