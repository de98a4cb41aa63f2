"""Recordings as frames, scopes and windows, each recording in one window."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pyarrow as pa

from atelier_pipeline.decode.scope import Scope
from atelier_pipeline.decode.seal import Sealed, seal
from atelier_pipeline.exchanges.contract import Acknowledged
from atelier_pipeline.exchanges.registry import exchange_named
from atelier_pipeline.lake.recordings import read_recording
from atelier_pipeline.market.events import Liquidation, NormalizedDelta, TickerUpdate, Trade
from atelier_pipeline.market.window import Window
from atelier_pipeline_tests.decode.script import frames_batch

PERIOD_NS = 100_000_000


@dataclass(frozen=True)
class Replay:
    """A recording, ready to be sealed; `depths` are those that its frames name."""

    rows: list[tuple[int, int, str, bytes]]
    scope: Scope
    depths: set[int]
    window: Window

    def batches(self, size: int = 1_000) -> Iterator[pa.RecordBatch]:
        for start in range(0, len(self.rows), size):
            yield frames_batch(self.rows[start : start + size], start)

    def sealed(self) -> Sealed:
        return seal(self.batches(), self.scope, self.window, whole=True)


@lru_cache(maxsize=4)
def replay(folder: Path, name: str, depth: int | None = None) -> Replay:
    """The recording `<exchange>/<file>`; `depth` where the frames don't say it."""
    exchange = exchange_named(name.partition("/")[0])
    frames = list(read_recording(folder / f"{name}.frames.gz"))
    events = [event for recv, payload in frames for event in exchange.decode(payload, recv)]
    told = [event for event in events if isinstance(event, NormalizedDelta | Acknowledged)]
    depths = {event.depth for event in told if event.depth is not None}
    market = [
        event
        for event in events
        if isinstance(event, NormalizedDelta | Trade | Liquidation | TickerUpdate)
    ]
    datasets = dict.fromkeys(sorted({event.symbol for event in market}), exchange.datasets)
    depth = max(depths, default=None) if depth is None else depth
    times = [event.ts_event for event in market if event.ts_event]
    times += [recv for recv, _ in frames if recv]
    start, last = (time // PERIOD_NS * PERIOD_NS for time in (min(times), max(times)))
    return Replay(
        rows=[(recv, 0, "text", payload) for recv, payload in frames],
        scope=Scope(exchange, "replay", "replay", datasets, depth),
        depths=depths,
        window=Window(start, last + PERIOD_NS),
    )
