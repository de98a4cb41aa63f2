"""Compiling the kernels before a capture needs them: the first call of each takes seconds."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from atelier_pipeline import pipeline
from atelier_pipeline.lake.journal import FrameKind, JournalMeta, journal_folder
from atelier_pipeline.lake.journal_writer import JournalWriter
from atelier_pipeline.manifest import Collector
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.window import Window
from atelier_pipeline.settings import Settings
from atelier_pipeline.simulator import frames

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
            _journal(collector, window, settings)
            pipeline.seal(collector, window, settings, whole=True)
            pipeline.synchronise(collector, window, settings)
            pipeline.aggregate(collector, window, settings)


def _journal(collector: Collector, window: Window, settings: Settings) -> None:
    meta = JournalMeta(
        exchange=collector.exchange.name,
        collector=collector.name,
        url="",
        source=collector.source,
        manifest=collector.text,
        window=window,
    )
    place = (settings.journal, meta.exchange, meta.collector, window.start_ns)
    received = frames(
        meta.exchange,
        collector.symbols,
        datasets=frozenset[Dataset]().union(*collector.datasets.values()),
        depth=collector.subscribed_depth,
        start_ns=window.start_ns,
        duration_s=SECONDS,
    )
    with JournalWriter.open(journal_folder(*place), meta) as writer:
        for ts_recv, payload in received:
            writer.append(ts_recv, 0, FrameKind.TEXT, payload)
