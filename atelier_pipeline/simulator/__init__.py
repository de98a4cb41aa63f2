"""Simulated exchanges: one seeded market, served over each exchange's own protocol."""

from atelier_pipeline.simulator.fault_script import Fault, Script, load_script
from atelier_pipeline.simulator.faults import Faults
from atelier_pipeline.simulator.server import Server, run, serve
from atelier_pipeline.simulator.virtual import Frames, frames

__all__ = [
    "Fault",
    "Faults",
    "Frames",
    "Script",
    "Server",
    "frames",
    "load_script",
    "run",
    "serve",
]
