"""Recordings as frames, scopes and windows, the way a replay would take them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pyarrow as pa

from atelier_pipeline.decode.scope import Scope
from atelier_pipeline.decode.seal import Sealed, seal
from atelier_pipeline.decode.survey import Survey, survey
from atelier_pipeline.exchanges.registry import exchange_named
from atelier_pipeline.lake.recordings import read_recording
from atelier_pipeline.market.window import Window
from atelier_pipeline_tests.decode.script import frames_batch

PERIOD_NS = 100_000_000


@dataclass(frozen=True)
class Replay:
    """A recording, ready to be sealed."""

    rows: list[tuple[int, int, str, bytes]]
    scope: Scope
    survey: Survey
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
    frames = read_recording(folder / f"{name}.frames.gz")
    rows = [(time, 0, "text", payload) for time, payload in frames]
    found = survey([frames_batch(rows, 0)], exchange)
    depth = max(found.depths, default=None) if depth is None else depth
    scope = Scope(exchange, "replay", "replay", found.datasets, depth)
    start = found.first // PERIOD_NS * PERIOD_NS
    window = Window(start, (found.last // PERIOD_NS + 1) * PERIOD_NS)
    return Replay(rows, scope, found, window)
