"""Simulated exchanges: one seeded market, served over each exchange's own protocol."""

from atelier_pipeline.simulator.server import Server, run, serve
from atelier_pipeline.simulator.virtual import Frames, frames

__all__ = ["Frames", "Server", "frames", "run", "serve"]
