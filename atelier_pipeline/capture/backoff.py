"""Delays between attempts to connect: doubling, capped, shortened at random."""

import random
from collections.abc import Iterator

from atelier_pipeline.manifest.schema import Reconnect

MS_PER_SEC = 1000


def delays_secs(reconnect: Reconnect, rng: random.Random) -> Iterator[float]:
    """Seconds to wait before each attempt in a row, without end."""
    delay_ms = float(reconnect.initial_delay_ms)
    while True:
        yield delay_ms * (1 - reconnect.jitter_factor * rng.random()) / MS_PER_SEC
        delay_ms = min(delay_ms * 2, float(reconnect.max_delay_ms))
