"""Delays between attempts to connect."""

import random
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from atelier_pipeline.capture.backoff import delays_secs
from atelier_pipeline.manifest.schema import Reconnect


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - a test must be repeatable


def test_delays_double_up_to_the_largest():
    reconnect = Reconnect(initial_delay_ms=100, max_delay_ms=1000, jitter_factor=0)
    delays = islice(delays_secs(reconnect, seeded(1)), 6)
    assert list(delays) == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


@given(st.integers(0, 2**32), st.floats(0, 1))
def test_jitter_only_shortens_and_by_no_more_than_its_share(seed: int, jitter: float):
    plain = Reconnect(initial_delay_ms=50, max_delay_ms=2000, jitter_factor=0)
    shaken = plain.model_copy(update={"jitter_factor": jitter})
    pairs = zip(
        islice(delays_secs(plain, seeded(0)), 12),
        islice(delays_secs(shaken, seeded(seed)), 12),
        strict=True,
    )
    assert all(full * (1 - jitter) <= delay <= full for full, delay in pairs)


def test_the_same_seed_gives_the_same_delays():
    first, second = (list(islice(delays_secs(Reconnect(), seeded(7)), 9)) for _ in range(2))
    assert first == second
