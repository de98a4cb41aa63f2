"""The collectors that would have captured the benchmarks' frames."""

from pathlib import Path

from atelier_pipeline.errors import DecodeError
from atelier_pipeline.exchanges.contract import Event, Exchange
from atelier_pipeline.exchanges.registry import exchange_named
from atelier_pipeline.manifest import Collector, parse_collector
from atelier_pipeline.replay import Survey
from atelier_pipeline_tests.benchmarks.recorded import DEPTHS, read_frames

SURVEYED = 20_000
"""All symbols of a recording have shown themselves by then."""


def collector_for(exchange: str, frames: str) -> Collector:
    """The collector of a file of frames, with every symbol and dataset that they hold."""
    survey = Survey(Path(frames), exchange_named(exchange))
    for number, (ts_recv, payload) in enumerate(read_frames(Path(frames))):
        for event in _events(survey.exchange, payload, ts_recv):
            survey.take(event)
        if number == SURVEYED:
            break
    survey.depths.clear()
    text = survey.manifest(DEPTHS[exchange], 100_000_000)
    return parse_collector("bench", text, "the benchmarks")


def _events(exchange: Exchange, payload: bytes, ts_recv: int) -> list[Event]:
    try:
        return exchange.decode(payload, ts_recv)
    except DecodeError:
        return []
