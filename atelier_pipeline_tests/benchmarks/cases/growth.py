"""The whole line, from frames to judged aggregates of one window, with more events or symbols."""

import tempfile
from heapq import merge
from operator import itemgetter
from pathlib import Path

from atelier_pipeline import pipeline
from atelier_pipeline.manifest import Collector
from atelier_pipeline.market.window import Window
from atelier_pipeline.settings import Settings
from atelier_pipeline.validate.rule import Finding, Stage
from atelier_pipeline_tests.benchmarks.market_day import market_day
from atelier_pipeline_tests.benchmarks.market_frames import bybit_frames
from atelier_pipeline_tests.benchmarks.recorded import Frame
from atelier_pipeline_tests.benchmarks.stopwatch import Stopwatch
from atelier_pipeline_tests.benchmarks.symbol_day import NS_PER_MINUTE, collector, windows

MINUTES = 5
_UPDATES_PER_TRADE = 10
_WARM_UP = 1_000


def line(
    watch: Stopwatch, folder: str, updates: int, seed: int, symbols: int = 1
) -> dict[str, float]:
    """`updates` level changes of each symbol, and a tenth of trades, in a window of 5 minutes."""
    names = tuple(f"S{number:02}USDT" for number in range(symbols))
    with tempfile.TemporaryDirectory(dir=folder) as place:
        _run(Path(place), names, _frames(names, _WARM_UP, seed))
    frames = _frames(names, updates, seed)
    with tempfile.TemporaryDirectory(dir=folder) as place, watch:
        findings = _run(Path(place), names, frames)
    return watch.sample(updates * symbols, failed=sum(not each.passed for each in findings))


def _frames(names: tuple[str, ...], updates: int, seed: int) -> list[Frame]:
    trades, span_ns = updates // _UPDATES_PER_TRADE, MINUTES * NS_PER_MINUTE
    days = [market_day(updates, trades, seed + number, span_ns) for number in range(len(names))]
    streams = [bybit_frames(day, name) for day, name in zip(days, names, strict=True)]
    return list(merge(*streams, key=itemgetter(0)))


def _run(place: Path, names: tuple[str, ...], frames: list[Frame]) -> list[Finding]:
    settings = Settings(lake=place / "lake", journal=place / "journal")
    target: tuple[Collector, Window, Settings] = (
        collector(names),
        windows(MINUTES)[0],
        settings,
    )
    pipeline.journal_frames(*target, frames)
    pipeline.seal(*target, whole=True)
    pipeline.synchronise(*target)
    pipeline.aggregate(*target)
    return [finding for stage in Stage for finding in pipeline.validate(stage, *target)]
