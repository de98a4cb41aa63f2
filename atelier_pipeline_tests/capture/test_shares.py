"""How symbols are shared out over connections."""

import json
from dataclasses import replace

from atelier_pipeline.capture.shares import shares
from atelier_pipeline.exchanges.contract import Topic
from atelier_pipeline.manifest import Collector, parse_collector


def collector(max_topics: int, overrides: str = "") -> Collector:
    symbols = "".join(f'[[workers]]\nsymbol = "{s}"\n' for s in ("A/USD", "B/USD", "C/USD"))
    text = (
        'collect.exchange = "kraken"\n'
        "collect.datatypes = { orderbook.enabled = true, trades.enabled = true }\n"
        f"{symbols}{overrides}"
    )
    made = parse_collector("m", text, "m.toml")
    return replace(made, exchange=replace(made.exchange, max_topics=max_topics))


def test_all_symbols_share_one_connection_where_the_limit_allows():
    (share,) = shares(collector(6))
    assert share.symbols == ("A/USD", "B/USD", "C/USD")
    assert set(share.topics) == {
        Topic(channel, symbol) for channel in ("book", "trade") for symbol in share.symbols
    }


def test_more_topics_than_a_connection_may_have_are_spread_in_order():
    spread = shares(collector(5))
    assert [share.symbols for share in spread] == [("A/USD", "B/USD"), ("C/USD",)]
    assert [len(share.topics) for share in spread] == [4, 2]


def test_a_symbol_with_more_topics_than_the_limit_has_a_connection_of_its_own():
    assert [share.symbols for share in shares(collector(1))] == [("A/USD",), ("B/USD",), ("C/USD",)]


def test_each_symbol_is_subscribed_for_its_own_datasets():
    (share,) = shares(collector(6, "datatypes.trades.enabled = false\n"))
    assert Topic("trade", "C/USD") not in share.topics
    assert Topic("book", "C/USD") in share.topics
    assert len(share.topics) == len(set(share.topics)) == 5


def test_what_several_groups_ask_for_is_asked_once():
    text = (
        'collect.exchange = "coinbase"\n'
        "collect.datatypes = { orderbook.enabled = true, trades.enabled = true }\n"
        '[[workers]]\nsymbol = "BTC-USD"\n'
        '[[workers]]\nsymbol = "ETH-USD"\ndatatypes.trades.enabled = false\n'
    )
    (share,) = shares(parse_collector("m", text, "m.toml"))
    assert [topic.channel for topic in share.topics].count("heartbeats") == 1
    assert len({request.payload for request in share.requests}) == len(share.requests)


def test_a_book_alone_can_be_subscribed_again():
    (share,) = shares(collector(6, "datatypes.orderbook.enabled = false\n"))
    assert list(share.books) == ["A/USD", "B/USD"]
    again = [json.loads(request.payload) for request in share.books["B/USD"]]
    assert [(r["method"], r["params"]["channel"], r["params"]["symbol"]) for r in again] == [
        ("unsubscribe", "book", ["B/USD"]),
        ("subscribe", "book", ["B/USD"]),
    ]
