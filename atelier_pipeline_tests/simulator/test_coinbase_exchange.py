import re

import pytest

from atelier_pipeline.simulator.session import Closing
from atelier_pipeline_tests.simulator.conversation import (
    Conversation,
    PlainBook,
    best_bid_below_best_ask,
)

SPELLED_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def subscribe(*channels, products=("BTC-USD",)):
    return {"type": "subscribe", "product_ids": list(products), "channels": list(channels)}


def of_type(messages, *types):
    return [message for message in messages if message["type"] in types]


def apply(book, message):
    if message["type"] == "snapshot":
        book.clear()
        book.apply(message["bids"], message["asks"])
    else:
        changes = message["changes"]
        book.apply(
            [(price, size) for side, price, size in changes if side == "buy"],
            [(price, size) for side, price, size in changes if side == "sell"],
        )


def test_the_whole_book_and_its_batches_keep_the_true_book():
    client, book = Conversation("coinbase_exchange"), PlainBook()
    first = of_type(client.say(subscribe("level2_batch")), "snapshot")
    assert len(first) == 1
    apply(book, first[0])
    updates = 0
    for step in client.steps(20):
        for message in of_type(step, "snapshot", "l2update"):
            assert (message["type"], message["product_id"]) == ("l2update", "BTC-USD")
            apply(book, message)
            updates += 1
            assert book.numbers() == client.session.book("BTC-USD")
            assert best_bid_below_best_ask(book)
    assert 150 < updates <= 400


def test_a_snapshot_is_sorted_best_first_with_all_digits():
    client = Conversation("coinbase_exchange")
    snapshot = of_type(client.say(subscribe("level2_batch")), "snapshot")[0]
    assert list(snapshot) == ["type", "product_id", "asks", "bids", "time"]
    asks, bids = snapshot["asks"], snapshot["bids"]
    assert asks == sorted(asks, key=lambda level: float(level[0]))
    assert bids == sorted(bids, key=lambda level: float(level[0]), reverse=True)
    assert {len(price.partition(".")[2]) for price, _ in asks + bids} == {2}
    assert {len(size.partition(".")[2]) for _, size in asks + bids} == {8}


def test_zero_is_spelled_with_the_products_own_digits():
    client = Conversation("coinbase_exchange")
    products = ("BTC-USD", "XRP-USD", "DOGE-USD", "SHIB-USD")
    client.say(subscribe("level2_batch", products=products))
    zeros = {
        (message["product_id"], size)
        for message in of_type(client.wait(20), "l2update")
        for _, _, size in message["changes"]
        if float(size) == 0
    }
    spellings = ("0.00000000", "0.000000", "0.0", "0")
    assert zeros == set(zip(products, spellings, strict=True))


def test_acks_are_cumulative_and_call_level2_batch_level2_50():
    client = Conversation("coinbase_exchange")
    sent = client.say(subscribe("level2_batch")) + client.wait(0.2)
    sent += client.say(subscribe("matches", "heartbeat", products=["BTC-USD", "ETH-USD"]))
    sent += client.wait(0.2)
    sent += client.say({"type": "unsubscribe", "channels": ["level2_batch"]})

    def channel(name, *products):
        return {"name": name, "product_ids": list(products), "account_ids": None}

    later = [channel(name, "BTC-USD", "ETH-USD") for name in ("matches", "heartbeat")]
    assert [message["channels"] for message in of_type(sent, "subscriptions")] == [
        [channel("level2_50", "BTC-USD")],
        [channel("level2_50", "BTC-USD"), *later],
        later,
    ]


def test_channels_may_name_their_own_products():
    client = Conversation("coinbase_exchange")
    request = {
        "type": "subscribe",
        "channels": [
            {"name": "level2_batch", "product_ids": ["ETH-USD"]},
            {"name": "matches", "product_ids": ["BTC-USD"]},
        ],
    }
    sent = client.say(request)
    assert [m["product_id"] for m in of_type(sent, "snapshot")] == ["ETH-USD"]
    assert [m["product_id"] for m in of_type(sent, "last_match")] == ["BTC-USD"]


def test_matches_follow_the_last_match_without_a_missing_trade():
    client = Conversation("coinbase_exchange")
    sent = client.say(subscribe("matches"))
    history = of_type(sent, "last_match")
    assert len(history) == 1
    matches = of_type(client.wait(20), "match")
    first = int(history[0]["trade_id"])
    ids = [int(match["trade_id"]) for match in matches]
    assert ids == list(range(first + 1, first + 1 + len(ids)))
    assert len(ids) > 40
    assert {" ".join(match) for match in matches} == {
        "type trade_id maker_order_id taker_order_id side size price product_id sequence time"
    }
    sequences = [int(match["sequence"]) for match in history + matches]
    assert sequences == sorted(sequences)
    assert all(SPELLED_TIME.fullmatch(match["time"]) for match in matches)


def test_a_match_has_the_makers_side():
    client, book = Conversation("coinbase_exchange", rate=5), PlainBook()
    sent = client.say(subscribe("matches", "level2_batch"))
    apply(book, of_type(sent, "snapshot")[0])
    checked, taken = 0, set()
    for step in client.steps(60):
        for match in of_type(step, "match"):
            if (match["side"], match["price"]) not in taken:
                resting = book.bids if match["side"] == "buy" else book.asks
                assert match["price"] in resting
                taken.add((match["side"], match["price"]))
                checked += 1
        for message in of_type(step, "l2update"):
            apply(book, message)
            taken.clear()
    assert checked > 30


def test_the_fills_of_one_order_share_its_id_and_time():
    client = Conversation("coinbase_exchange")
    client.say(subscribe("matches"))
    by_order = {}
    for match in of_type(client.wait(60), "match"):
        by_order.setdefault(match["taker_order_id"], []).append(match)
    assert max(map(len, by_order.values())) > 1
    for fills in by_order.values():
        assert len({fill["time"] for fill in fills}) == len({fill["side"] for fill in fills}) == 1
        assert len({fill["maker_order_id"] for fill in fills}) == len(fills)


def test_heartbeats_tell_the_last_trade_on_every_full_second():
    client = Conversation("coinbase_exchange")
    client.say(subscribe("matches", "heartbeat"))
    last, beats = None, 0
    for message in of_type(client.wait(20), "match", "heartbeat"):
        if message["type"] == "match":
            last = message["trade_id"]
        else:
            beats += 1
            assert message["time"].endswith(".000000Z")
            assert last is None or message["last_trade_id"] == last
    assert beats == 20


@pytest.mark.parametrize(
    ("asked", "message", "reason"),
    [
        (
            subscribe("level2_batch", products=["BTC-USD", "X-USD"]),
            "Failed to subscribe",
            "X-USD is not a valid product",
        ),
        (subscribe("dance"), "Failed to subscribe", "dance is not a valid channel"),
        (
            subscribe("level2"),
            "Failed to subscribe",
            "level2, level3, and full channels now require authentication.",
        ),
        (subscribe(), "Failed to subscribe", "No channels provided"),
        ({"type": "dance"}, "Type has to be either subscribe or unsubscribe", None),
        ("no json", "Malformed JSON", None),
    ],
)
def test_refusals_say_why_and_subscribe_nothing(asked, message, reason):
    client = Conversation("coinbase_exchange")
    expected = {"type": "error", "message": message}
    if reason:
        expected["reason"] = reason
    assert client.say(asked) == [expected]
    assert client.wait(2) == []


def test_whoever_does_not_subscribe_within_five_seconds_is_disconnected():
    silent, busy = Conversation("coinbase_exchange"), Conversation("coinbase_exchange")
    busy.say(subscribe("heartbeat"))
    silent.wait(5.1)
    busy.wait(5.1)
    assert silent.closing == Closing(1008, "no subscription within 5 seconds")
    assert busy.closing is None


def test_unsubscribing_stops_a_product_and_subscribing_again_sends_the_whole_book():
    client, book = Conversation("coinbase_exchange"), PlainBook()
    client.say(subscribe("level2_batch"))
    client.wait(1)
    client.say({"type": "unsubscribe", "product_ids": ["BTC-USD"], "channels": ["level2_batch"]})
    assert of_type(client.wait(2), "l2update") == []
    again = of_type(client.say(subscribe("level2_batch")), "snapshot")
    apply(book, again[0])
    assert book.numbers() == client.session.book("BTC-USD")
