"""Compiling the kernels before a capture needs them: the first call of each takes seconds."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from atelier_pipeline import pipeline
from atelier_pipeline.manifest import Collector
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.window import Window
from atelier_pipeline.settings import Settings
from atelier_pipeline.simulator import Frames, frames

T0_NS = 1_767_225_600 * 1_000_000_000
"""2026-01-01, which every window length divides."""
SECONDS = 2


def compile_kernels(collectors: Iterable[Collector]) -> None:
    """Take two simulated seconds of each collector through the line, and throw them away.

    What is compiled stays in numba's cache, where every later process finds it.
    """
    window = Window(T0_NS, T0_NS + SECONDS * 1_000_000_000)
    for collector in collectors:
        with tempfile.TemporaryDirectory(prefix="atelier-warm-up-") as folder:
            settings = Settings(lake=Path(folder) / "lake", journal=Path(folder) / "journal")
            received = _simulated(collector, window)
            pipeline.journal_frames(collector, window, settings, received)
            pipeline.seal(collector, window, settings, whole=True)
            pipeline.synchronise(collector, window, settings)
            pipeline.aggregate(collector, window, settings)


def _simulated(collector: Collector, window: Window) -> Frames:
    return frames(
        collector.exchange.name,
        collector.symbols,
        datasets=frozenset[Dataset]().union(*collector.datasets.values()),
        depth=collector.subscribed_depth,
        start_ns=window.start_ns,
        duration_s=SECONDS,
    )
