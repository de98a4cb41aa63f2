"""`atelier simulate`: the simulated exchanges as a server."""

from pathlib import Path
from typing import Annotated

import typer


def simulate(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8765,
    seed: Annotated[int, typer.Option(help="Seed of the market.")] = 7,
    rate: Annotated[float, typer.Option(help="Book messages per second and symbol.")] = 20.0,
    faults: Annotated[
        Path | None, typer.Option(help="A TOML list of faults and when they happen.")
    ] = None,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Listen beyond this machine.")
    ] = False,
) -> None:
    """The simulated exchanges as WebSocket servers, until Ctrl-C."""
    from atelier_pipeline.simulator import Faults, load_script, run

    script = None if faults is None else Faults(load_script(faults))
    run(host, port, seed, rate, allow_remote=allow_remote, faults=script, announce=typer.echo)
