import hashlib
import itertools

import pytest

from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.simulator import frames
from atelier_pipeline.simulator.exchanges import PROTOCOLS

BTC = {
    "bybit": "BTCUSDT",
    "bybit_spot": "BTCUSDT",
    "coinbase": "BTC-USD",
    "coinbase_exchange": "BTC-USD",
    "kraken": "BTC/USD",
}


def digest(exchange, **settings):
    received = list(frames(exchange, [BTC[exchange]], duration_s=4, levels=200, **settings))
    return hashlib.sha256(repr(received).encode()).hexdigest()


@pytest.mark.parametrize("exchange", PROTOCOLS)
def test_the_same_arguments_give_the_same_bytes_and_another_seed_gives_others(exchange):
    assert digest(exchange) == digest(exchange)
    assert digest(exchange) != digest(exchange, seed=8)


@pytest.mark.parametrize("exchange", PROTOCOLS)
def test_receive_times_grow_and_lie_within_the_duration_and_its_latency(exchange):
    start = 1_800_000_000 * 10**9
    received = frames(exchange, [BTC[exchange]], start_ns=start, duration_s=3, levels=200)
    times = [ts_recv for ts_recv, _ in received]
    assert all(before < after for before, after in itertools.pairwise(times))
    assert start < times[0] < times[-1] < start + 3_010_000_000
    assert len(times) > 60


def test_the_rate_is_of_book_messages_per_second_and_symbol():
    for rate in (5, 40, 400):
        received = frames(
            "kraken",
            ["BTC/USD", "ETH/USD"],
            datasets=[Dataset.ORDERBOOKS],
            rate=rate,
            depth=1000,
            duration_s=10,
            levels=200,
        )
        updates = sum(b'"type":"update"' in payload for _, payload in received)
        assert 0.9 * rate * 20 < updates < 1.05 * rate * 20


@pytest.mark.parametrize("exchange", ["bybit", "coinbase", "coinbase_exchange"])
def test_a_fast_market_sends_each_step_by_itself(exchange):
    received = frames(
        exchange, [BTC[exchange]], datasets=[Dataset.ORDERBOOKS], rate=500, duration_s=4, levels=200
    )
    marks = (b'"delta"', b'"update"', b'"l2update"')
    assert 1_800 < sum(any(mark in payload for mark in marks) for _, payload in received) < 2_050


def test_only_the_datasets_asked_for_are_sent():
    payloads = b"".join(
        payload
        for _, payload in frames(
            "bybit", ["BTCUSDT"], datasets=[Dataset.TRADES, Dataset.LIQUIDATIONS], duration_s=30
        )
    )
    assert b"publicTrade.BTCUSDT" in payloads
    assert b"allLiquidation.BTCUSDT" in payloads
    assert b"orderbook" not in payloads
    assert b"tickers" not in payloads


def test_prices_of_one_asset_agree_between_exchanges():
    mids = {}
    for exchange, symbol in BTC.items():
        received = frames(exchange, [symbol], duration_s=5, levels=200)
        for _ in received:
            pass
        bids, asks = received.book(symbol, 1)
        mids[exchange] = (bids[0][0] + asks[0][0]) / 2
    assert max(mids.values()) / min(mids.values()) < 1.0001


def test_a_symbol_that_does_not_exist_has_no_book_and_an_exchange_neither():
    with pytest.raises(KeyError, match="NOPE"):
        frames("kraken", ["BTC/USD"]).book("NOPE")
    with pytest.raises(ValueError, match="no simulated exchange 'nyse'"):
        frames("nyse", ["BTC/USD"])
