"""The plain book and what can be read off it."""

import pytest

from atelier_pipeline.market import Orderbook, OrderbookDelta
from atelier_pipeline_tests.market.messages import EXCHANGE, SYMBOL, kraken_messages, message
from atelier_pipeline_tests.market.test_book import KRAKEN


def book(bids, asks) -> Orderbook:
    return Orderbook(symbol=SYMBOL, exchange=EXCHANGE, orderbook_ts=5, bids=bids, asks=asks)


def test_mid_spread_and_imbalance_of_a_two_sided_book():
    two_sided = book([(100.0, 6.0), (99.0, 4.0)], [(101.0, 3.0), (102.0, 2.0)])
    assert two_sided.mid_price == 100.5
    assert two_sided.spread == 1.0
    assert two_sided.imbalance() == pytest.approx(1 / 3, rel=1e-15)
    assert two_sided.imbalance(depth=1) == pytest.approx(1 / 3, rel=1e-15)


def test_a_one_sided_book_has_an_imbalance_but_no_mid_and_no_spread():
    one_sided = book([], [(101.0, 3.0)])
    assert (one_sided.mid_price, one_sided.spread, one_sided.imbalance()) == (None, None, -1.0)


def test_an_empty_book_has_no_imbalance():
    assert book([], []).imbalance() is None


def test_deltas_become_a_book_best_first():
    delta = OrderbookDelta(exchange=EXCHANGE, symbol=SYMBOL, depth=2)
    delta.apply(message([(98, 1), (99, 2)], [(102, 1), (101, 2)], is_snapshot=True))
    delta.apply(message([(100, 3)], [(101, 0)]))
    assert delta.to_orderbook(5) == book([(100, 3), (99, 2)], [(102, 1)])


def test_a_message_of_another_symbol_is_refused():
    delta = OrderbookDelta(exchange=EXCHANGE, symbol="ETH/USD")
    with pytest.raises(ValueError, match=r"BTC/USD .* ETH/USD"):
        delta.apply(message([(1, 1)], []))


def test_the_checksum_is_that_of_the_exchange():
    delta = OrderbookDelta(exchange=EXCHANGE, symbol=SYMBOL, depth=2)
    for sent in KRAKEN:
        delta.apply(sent)
        assert delta.checksum() == sent.checksum


def test_a_level_without_digits_leaves_no_checksum():
    delta = OrderbookDelta(exchange=EXCHANGE, symbol=SYMBOL)
    delta.apply(message([(1, 1)], []))
    assert delta.checksum() is None


def test_recorded_checksums_are_those_of_the_plain_book(recordings):
    messages = kraken_messages(recordings / "kraken" / "btc-usd_book10.frames.gz")["BTC/USD"]
    delta = OrderbookDelta(exchange=EXCHANGE, symbol=SYMBOL, depth=10)
    for sent in messages:
        delta.apply(sent)
        assert delta.checksum() == sent.checksum
