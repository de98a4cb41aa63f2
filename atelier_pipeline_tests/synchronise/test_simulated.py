"""Simulated minutes from the frames on: the rows and features of the rules, losses included."""

import pytest

from atelier_pipeline.aggregate import aggregate
from atelier_pipeline.decode.scope import Scope
from atelier_pipeline.decode.seal import Sealed, seal
from atelier_pipeline.exchanges.registry import exchange_named
from atelier_pipeline.market.window import Window
from atelier_pipeline.simulator import Fault, Faults, Script, frames
from atelier_pipeline.synchronise import SyncSettings
from atelier_pipeline_tests.aggregate.reference import expected_aggregates
from atelier_pipeline_tests.decode.script import frames_batch
from atelier_pipeline_tests.synchronise.markets import PERIOD, SECOND, T0
from atelier_pipeline_tests.synchronise.reference import Reference
from atelier_pipeline_tests.synchronise.rows import assert_equal_rows, assert_same, expected
from atelier_pipeline_tests.synchronise.sealed import market_of, on_the_grid

SYMBOLS = {
    "bybit": "BTCUSDT",
    "bybit_spot": "BTCUSDT",
    "coinbase": "BTC-USD",
    "coinbase_exchange": "BTC-USD",
    "kraken": "BTC/USD",
}
LEAD_S = 3


def sealed_seconds(exchange: str, seconds: int, *faults: Fault) -> tuple[Sealed, Scope, Window]:
    """A window that a lead of three seconds comes before, with its books on the way."""
    symbol = SYMBOLS[exchange]
    depth = exchange_named(exchange).offered_depth(10)
    received = frames(
        exchange,
        [symbol],
        depth=depth,
        start_ns=T0 - LEAD_S * SECOND,
        duration_s=LEAD_S + seconds + 1,
        levels=200,
        faults=Faults(Script(faults=list(faults))),
    )
    rows = [(time, 0, "text", payload) for time, payload in received]
    datasets = {symbol: exchange_named(exchange).datasets}
    scope = Scope(exchange_named(exchange), "simulated", "simulated", datasets, depth)
    window = Window(T0, T0 + seconds * SECOND)
    return seal([frames_batch(rows, 0)], scope, window, whole=True), scope, window


def assert_by_the_rules(exchange: str, seconds: int, *faults: Fault, **settings) -> list[dict]:
    sealed, scope, window = sealed_seconds(exchange, seconds, *faults)
    sync = SyncSettings(period_ns=PERIOD, depth=10, **settings)
    symbol = SYMBOLS[exchange]
    reference = Reference(market_of(sealed, scope, symbol, window), sync)
    ticks = reference.window()
    rows = on_the_grid(sealed, scope, symbol, window, sync)
    assert_same(rows, expected(reference, ticks))
    assert_equal_rows(aggregate(rows), expected_aggregates(reference, ticks))
    return [tick.snapshot for tick in ticks]


def test_a_simulated_minute_of_all_datasets_has_the_rows_and_features_of_the_rules():
    ticks = assert_by_the_rules("bybit", 60)
    assert all(tick["book_valid"] for tick in ticks)
    assert sum(tick["n_trades"] for tick in ticks) > 100
    assert not any(tick["gap"] for tick in ticks)


@pytest.mark.parametrize("clock", ["event", "receive"])
@pytest.mark.parametrize("exchange", SYMBOLS)
def test_simulated_seconds_have_the_rows_and_features_of_the_rules(exchange, clock):
    ticks = assert_by_the_rules(exchange, 8, clock=clock)
    assert any(tick["book_valid"] for tick in ticks)


def test_a_lost_message_ends_the_book_until_the_restart_of_the_service():
    lost = Fault(what="drop", channel="book", after_secs=LEAD_S + 2)
    restart = Fault(what="restart", after_secs=LEAD_S + 5)
    ticks = assert_by_the_rules("bybit", 8, lost, restart)
    invalid = [100 * i for i, tick in enumerate(ticks, start=1) if not tick["book_valid"]]
    assert invalid == list(range(invalid[0], invalid[-1] + 100, 100))
    assert 2000 <= invalid[0] <= 2300
    assert 4900 <= invalid[-1] <= 5300
    assert [tick["gap"] for tick in ticks].count(True) in range(len(invalid), len(invalid) + 3)


def test_a_wrong_checksum_ends_the_book_for_want_of_a_snapshot():
    wrong = Fault(what="corrupt_checksum", channel="book", after_secs=LEAD_S + 2)
    ticks = assert_by_the_rules("kraken", 6, wrong)
    valid = [tick["book_valid"] for tick in ticks]
    assert valid == sorted(valid, reverse=True)
    assert 20 <= sum(valid) <= 23


def test_messages_that_were_held_up_are_in_the_rows_and_counted_as_late():
    held_up = Fault(what="delay", channel="trades", after_secs=LEAD_S + 2, delay_secs=3.0, count=5)
    ticks = assert_by_the_rules("coinbase", 8, held_up)
    assert sum(tick["n_late"] for tick in ticks) >= 5
