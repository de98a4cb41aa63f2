"""How attempts to connect are spaced."""

from hypothesis import given
from hypothesis import strategies as st

from atelier_pipeline.capture.attempts import Attempts, fair_share
from atelier_pipeline.exchanges.contract import RateLimit
from atelier_pipeline.exchanges.registry import EXCHANGES


def moments(limit: RateLimit, asked: list[float]) -> list[float]:
    attempts = Attempts(limit)
    return [now + attempts.reserve(now) for now in asked]


def test_attempts_within_the_rate_are_not_held_back():
    assert moments(RateLimit(3, 10), [0, 1, 2, 10, 11, 12]) == [0, 1, 2, 10, 11, 12]


def test_attempts_beyond_the_rate_wait_until_the_oldest_is_past():
    assert moments(RateLimit(3, 10), [0, 1, 2, 2, 2, 2, 30]) == [0, 1, 2, 10, 11, 12, 30]


@given(
    st.lists(st.integers(0, 50), min_size=1, max_size=60),
    st.integers(1, 5),
    st.integers(1, 20),
)
def test_no_stretch_of_time_holds_more_than_the_rate_allows(
    pauses: list[int], count: int, secs: int
):
    asked = [float(sum(pauses[:end])) for end in range(1, len(pauses) + 1)]
    made = moments(RateLimit(count, secs), asked)
    assert made == sorted(made)
    assert all(later - first >= secs for first, later in zip(made, made[count:], strict=False))


def test_a_capture_uses_half_of_what_its_exchange_allows_and_at_least_one():
    assert fair_share(RateLimit(150, 600)) == RateLimit(75, 600)
    assert fair_share(RateLimit(1, 5)) == RateLimit(1, 5)


def test_every_exchange_says_how_often_one_may_connect():
    assert {name: exchange.connect_limit for name, exchange in EXCHANGES.items()} == {
        "bybit": RateLimit(500, 300),
        "bybit_spot": RateLimit(500, 300),
        "coinbase": RateLimit(8, 1),
        "coinbase_exchange": RateLimit(8, 1),
        "kraken": RateLimit(150, 600),
    }
