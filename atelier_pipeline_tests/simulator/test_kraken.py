import json
import re
import zlib
from decimal import Decimal

import pytest

from atelier_pipeline.simulator.exchanges import Simulation
from atelier_pipeline_tests.simulator.conversation import (
    START_NS,
    Conversation,
    PlainBook,
    best_bid_below_best_ask,
)


def subscribe(channel="book", *symbols, method="subscribe", req_id=1, **params):
    params = {"channel": channel, "symbol": list(symbols or ["BTC/USD"]), **params}
    return {"method": method, "params": params, "req_id": req_id}


def of_channel(messages, channel):
    return [message for message in messages if message.get("channel") == channel]


def levels(side):
    return [(level["price"], level["qty"]) for level in side]


def apply(book, message):
    if message["type"] == "snapshot":
        book.clear()
    for data in message["data"]:
        book.apply(levels(data["bids"]), levels(data["asks"]))


def checksum(book):
    """The documented recipe over the texts that were received."""

    def stripped(text):
        return text.replace(".", "").lstrip("0")

    bids, asks = book.sorted_levels()
    text = "".join(stripped(price) + stripped(size) for price, size in asks[:10] + bids[:10])
    return zlib.crc32(text.encode())


@pytest.mark.parametrize("symbol", ["BTC/USD", "DOGE/USD", "SHIB/USD"])
@pytest.mark.parametrize("depth", [10, 25, 100])
def test_a_book_cut_to_its_depth_is_the_true_one_and_has_the_true_checksum(symbol, depth):
    client, book = Conversation("kraken"), PlainBook(depth)
    client.say(subscribe("book", symbol, depth=depth))
    kinds = []
    for step in client.steps(15):
        for message in of_channel(step, "book"):
            kinds.append(message["type"])
            apply(book, message)
            assert book.numbers() == client.session.book(symbol, depth)
            assert checksum(book) == int(message["data"][0]["checksum"])
            assert best_bid_below_best_ask(book)
    assert kinds.count("snapshot") == 1
    assert kinds[0] == "snapshot"
    assert len(kinds) > 100


def test_levels_pushed_out_of_the_depth_are_never_deleted():
    client, uncut = Conversation("kraken"), PlainBook()
    client.say(subscribe("book", depth=10))
    failed = 0
    for message in of_channel(client.wait(60), "book"):
        apply(uncut, message)
        failed += checksum(uncut) != int(message["data"][0]["checksum"])
    assert len(uncut.bids) > 15
    assert failed > 100


def test_the_levels_that_come_up_from_below_the_depth_are_sent():
    client, book = Conversation("kraken"), PlainBook(10)
    client.say(subscribe("book", depth=10))
    for message in of_channel(client.wait(60), "book"):
        apply(book, message)
        assert len(book.bids) == len(book.asks) == 10


def test_a_price_may_come_twice_in_an_update_and_the_last_one_counts():
    client = Conversation("kraken", rate=50)
    client.say(subscribe("book", depth=25))
    twice = [
        message
        for message in of_channel(client.wait(120), "book")
        for side in ("bids", "asks")
        if len({level["price"] for level in message["data"][0][side]})
        < len(message["data"][0][side])
    ]
    assert twice


def test_numbers_are_bare_with_every_digit_of_the_pair():
    session = Simulation("kraken", seed=7, rate=20.0, start_ns=START_NS).session()
    session.on_connect(START_NS)
    session.on_message(json.dumps(subscribe("book", "BTC/USD")), START_NS)
    sent = session.tick(START_NS + 10**9)
    text = next(m.payload for m in sent if '"snapshot"' in m.payload and '"bids"' in m.payload)
    found = re.findall(r'\{"price":(\d+)\.(\d+),"qty":(\d+)\.(\d+)\}', text)
    assert len(found) == 20
    assert {(len(price), len(size)) for _, price, _, size in found} == {(1, 8)}


def test_the_first_frame_is_a_status_with_an_id_beyond_a_float():
    client = Conversation("kraken")
    (status,) = client.heard
    (data,) = status["data"]
    assert (status["channel"], data["system"], data["api_version"]) == ("status", "online", "v2")
    assert 2**53 < int(data["connection_id"]) < 2**64


def test_each_symbol_is_acknowledged_by_itself_before_its_data():
    client = Conversation("kraken")
    request = subscribe("book", "BTC/USD", "ETH/USD", depth=25, req_id=9)
    sent = client.say(request) + client.wait(1)
    acks = [message for message in sent if "method" in message]
    assert [list(ack) for ack in acks] == [
        ["method", "req_id", "result", "success", "time_in", "time_out"]
    ] * 2
    assert [(ack["req_id"], ack["success"], ack["result"]) for ack in acks] == [
        ("9", True, {"channel": "book", "depth": "25", "snapshot": True, "symbol": symbol})
        for symbol in ("BTC/USD", "ETH/USD")
    ]
    assert sent[:2] == acks
    snapshots = [m["data"][0]["symbol"] for m in sent if m.get("type") == "snapshot"]
    assert sorted(snapshots) == ["BTC/USD", "ETH/USD"]


def test_an_unknown_pair_is_refused_by_name_and_the_others_are_not():
    client = Conversation("kraken")
    refused, accepted = client.say(subscribe("book", "XBT/USD", "BTC/USD"))
    assert (refused.pop("time_in"), refused.pop("time_out")) != ("", "")
    assert refused == {
        "error": "Currency pair not supported XBT/USD",
        "method": "subscribe",
        "req_id": "1",
        "success": False,
        "symbol": "XBT/USD",
    }
    assert accepted["success"] is True


def test_a_refused_depth_names_no_symbol_and_leaves_a_socket_that_only_beats():
    client = Conversation("kraken")
    (refused,) = client.say(subscribe("book", depth=50))
    assert refused["error"] == "Subscription depth not supported"
    assert "symbol" not in refused
    assert client.wait(5.5) == [{"channel": "heartbeat"}] * 5


def test_heartbeats_come_once_a_second_between_data_but_not_before_a_subscription():
    client = Conversation("kraken")
    assert client.wait(5) == []
    client.say(subscribe())
    assert len(of_channel(client.wait(10.5), "heartbeat")) == 10


def test_a_taker_who_buys_takes_from_the_asks_that_were_shown():
    client, book = Conversation("kraken"), PlainBook(100)
    client.say(subscribe("book", depth=100))
    client.say(subscribe("trade", req_id=2))
    checked = 0
    for step in client.steps(30):
        taken = {}
        for trade in (t for message in of_channel(step, "trade") for t in message["data"]):
            taken.setdefault((trade["side"], trade["price"]), []).append(Decimal(trade["qty"]))
        for (side, price), sizes in taken.items() if book.bids else ():
            resting = book.asks if side == "buy" else book.bids
            assert sum(sizes) <= Decimal(resting[price])
            checked += 1
        for message in of_channel(step, "book"):
            apply(book, message)
    assert checked > 60


def test_trades_have_ids_that_grow_by_one_and_the_takers_order_type():
    client = Conversation("kraken")
    client.say(subscribe("trade"))
    trades = [t for message in of_channel(client.wait(30), "trade") for t in message["data"]]
    ids = [int(trade["trade_id"]) for trade in trades]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert len(ids) > 60
    assert {trade["ord_type"] for trade in trades} == {"market", "limit"}
    assert {trade["side"] for trade in trades} == {"buy", "sell"}


def test_past_trades_are_sent_only_when_asked_for():
    client = Conversation("kraken")
    client.say(subscribe("trade"))
    assert {m["type"] for m in of_channel(client.wait(10), "trade")} == {"update"}
    asking = Conversation("kraken")
    asking.say(subscribe("trade", snapshot=True))
    first, *later = of_channel(asking.wait(10), "trade")
    assert first["type"] == "snapshot"
    assert 10 < len(first["data"]) <= 50
    ids = [int(t["trade_id"]) for message in [first, *later] for t in message["data"]]
    assert ids == list(range(ids[0], ids[0] + len(ids)))


def test_a_book_may_be_subscribed_without_a_snapshot():
    client = Conversation("kraken")
    client.say(subscribe("book", snapshot=False))
    assert {m["type"] for m in of_channel(client.wait(5), "book")} == {"update"}


def test_unsubscribing_stops_a_book_and_subscribing_again_sends_a_snapshot():
    client = Conversation("kraken")
    client.say(subscribe("book", depth=25))
    client.wait(1)
    (ack,) = client.say(subscribe("book", depth=25, method="unsubscribe", req_id=2))
    assert ack["result"] == {"channel": "book", "depth": "25", "symbol": "BTC/USD"}
    assert of_channel(client.wait(2), "book") == []
    client.say(subscribe("book", depth=10, req_id=3))
    again = of_channel(client.wait(1), "book")
    assert [m["type"] for m in again[:2]] == ["snapshot", "update"]
    assert len(again[0]["data"][0]["bids"]) == 10


def test_a_burst_of_subscriptions_gives_fewer_snapshots_than_acks():
    client = Conversation("kraken")
    sent = client.say(subscribe())
    for _ in range(5):
        sent += client.say(subscribe(method="unsubscribe")) + client.say(subscribe())
    sent += client.wait(1)
    acks = [m for m in sent if m.get("method") == "subscribe"]
    snapshots = [m for m in sent if m.get("type") == "snapshot"]
    assert (len(acks), len(snapshots)) == (6, 1)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (subscribe("executions"), "Private data and trading are unavailable on this endpoint."),
        (subscribe("dance"), "Channel not found"),
        ({"method": "dance"}, "Method not found"),
        (subscribe(method="unsubscribe"), "Subscription not found"),
        ("no json", "Malformed request"),
    ],
)
def test_other_refusals_leave_the_connection_open(asked, words):
    client = Conversation("kraken")
    (answer,) = client.say(asked)
    assert answer["error"].startswith(words)
    assert answer["success"] is False
    assert client.closing is None


def test_a_pair_cannot_be_subscribed_twice():
    client = Conversation("kraken")
    client.say(subscribe())
    (answer,) = client.say(subscribe(req_id=2))
    assert (answer["error"], answer["req_id"]) == ("Already subscribed", "2")


def test_ping_is_answered_with_pong_and_its_id():
    client = Conversation("kraken")
    (pong,) = client.say({"method": "ping", "req_id": 42})
    assert (pong["method"], pong["req_id"]) == ("pong", "42")
    assert list(pong) == ["method", "req_id", "time_in", "time_out"]
