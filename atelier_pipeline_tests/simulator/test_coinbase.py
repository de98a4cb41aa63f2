import re
from datetime import datetime

import pytest

from atelier_pipeline.simulator.session import Closing
from atelier_pipeline_tests.simulator.conversation import (
    Conversation,
    PlainBook,
    best_bid_below_best_ask,
)

SPELLED_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")


def subscribe(channel, *products):
    request = {"type": "subscribe", "channel": channel}
    return request | {"product_ids": list(products)} if products else request


def of_channel(messages, channel):
    return [message for message in messages if message.get("channel") == channel]


def events(messages, channel):
    return [event for message in of_channel(messages, channel) for event in message["events"]]


def apply(book, event):
    if event["type"] == "snapshot":
        book.clear()
    sides = {"bid": [], "offer": []}
    for level in event["updates"]:
        sides[level["side"]].append((level["price_level"], level["new_quantity"]))
    book.apply(sides["bid"], sides["offer"])


def test_the_whole_book_and_its_updates_keep_the_true_book():
    client, book = Conversation("coinbase"), PlainBook()
    first = events(client.say(subscribe("level2", "BTC-USD")), "l2_data")
    assert [event["type"] for event in first] == ["snapshot"]
    apply(book, first[0])
    updates = 0
    for step in client.steps(20):
        for event in events(step, "l2_data"):
            assert (event["type"], event["product_id"]) == ("update", "BTC-USD")
            apply(book, event)
            updates += 1
            assert book.numbers() == client.session.book("BTC-USD")
            assert best_bid_below_best_ask(book)
    assert updates > 150


def test_every_message_of_a_connection_is_numbered_across_channels_from_zero():
    client = Conversation("coinbase")
    messages = client.say(subscribe("heartbeats"))
    messages += client.say(subscribe("level2", "BTC-USD", "ETH-USD"))
    messages += client.wait(2)
    messages += client.say(subscribe("market_trades", "BTC-USD")) + client.wait(5)
    numbers = [int(message["sequence_num"]) for message in messages]
    assert numbers == list(range(len(messages)))
    assert len(messages) > 150
    channels = {message["channel"] for message in messages}
    assert channels == {"l2_data", "market_trades", "heartbeats", "subscriptions"}


def test_two_connections_are_numbered_each_for_itself():
    first = Conversation("coinbase")
    second = Conversation(first.simulation)
    ours = first.say(subscribe("level2", "BTC-USD")) + first.wait(3)
    theirs = second.say(subscribe("level2", "BTC-USD")) + second.wait(3)
    assert [m["sequence_num"] for m in ours] == [str(k) for k in range(len(ours))]
    assert [m["sequence_num"] for m in theirs] == [str(k) for k in range(len(theirs))]


def test_acks_list_every_subscription_so_far():
    client = Conversation("coinbase")
    sent = client.say(subscribe("level2", "BTC-USD")) + client.wait(1)
    sent += client.say(subscribe("level2", "ETH-USD")) + client.wait(1)
    sent += client.say(subscribe("heartbeats")) + client.wait(1)
    sent += client.say({"type": "unsubscribe", "channel": "level2", "product_ids": ["BTC-USD"]})
    assert events(sent, "subscriptions") == [
        {"subscriptions": {"level2": ["BTC-USD"]}},
        {"subscriptions": {"level2": ["BTC-USD", "ETH-USD"]}},
        {"subscriptions": {"heartbeats": ["heartbeats"], "level2": ["BTC-USD", "ETH-USD"]}},
        {"subscriptions": {"heartbeats": ["heartbeats"], "level2": ["ETH-USD"]}},
    ]


def test_an_ack_may_come_before_or_after_the_first_data():
    first = set()
    for seed in range(12):
        client = Conversation("coinbase", seed=seed)
        messages = client.say(subscribe("level2", "BTC-USD")) + client.wait(0.5)
        first.add(messages[0]["channel"])
    assert first == {"subscriptions", "l2_data"}


def test_past_trades_come_newest_first_and_then_batches_oldest_first():
    client = Conversation("coinbase")
    sent = client.say(subscribe("market_trades", "BTC-USD"))
    history, *updates = events(sent + client.wait(20), "market_trades")
    assert history["type"] == "snapshot"
    past = [int(trade["trade_id"]) for trade in history["trades"]]
    assert past == list(range(past[0], past[0] - len(past), -1))
    assert len(past) > 20
    assert {update["type"] for update in updates} == {"update"}
    later = [int(trade["trade_id"]) for update in updates for trade in update["trades"]]
    assert later == list(range(past[0] + 1, past[0] + 1 + len(later)))
    assert len(updates) <= 80
    assert len(later) > len(updates)


def test_a_trades_side_is_the_makers():
    client = Conversation("coinbase")
    client.say(subscribe("market_trades", "BTC-USD"))
    steps = []
    client.simulation.venue.tape("BTC-USD").listen(steps.append)
    trades = [t for event in events(client.wait(20), "market_trades") for t in event["trades"]]
    makers = {str(f.id): "SELL" if f.is_taker_buy else "BUY" for s in steps for f in s.fills}
    assert len(trades) > 40
    for trade in trades:
        assert trade["side"] == makers[trade["trade_id"]]


def test_numbers_are_trimmed_and_times_have_as_many_digits_as_they_need():
    client = Conversation("coinbase")
    client.say(subscribe("heartbeats"))
    client.say(subscribe("level2", "BTC-USD"))
    messages = client.wait(30)
    levels = [level for event in events(messages, "l2_data") for level in event["updates"]]
    texts = [level[name] for level in levels for name in ("price_level", "new_quantity")]
    assert not [text for text in texts if "." in text and text.endswith(("0", "."))]
    assert "0" in texts
    times = [message["timestamp"] for message in messages]
    times += [level["event_time"] for level in levels]
    assert all(SPELLED_TIME.fullmatch(time) for time in times)
    assert len({len(time) for time in times}) >= 4


def test_a_batch_of_book_changes_carries_the_time_of_each():
    client = Conversation("coinbase", rate=20)
    client.say(subscribe("level2", "BTC-USD"))
    for message in of_channel(client.wait(10), "l2_data"):
        sent = datetime.fromisoformat(message["timestamp"])
        for level in message["events"][0]["updates"]:
            age = sent - datetime.fromisoformat(level["event_time"])
            assert 0 <= age.total_seconds() < 0.06


def test_heartbeats_count_seconds():
    client = Conversation("coinbase")
    client.say(subscribe("heartbeats"))
    beats = events(client.wait(10.5), "heartbeats")
    counters = [int(beat["heartbeat_counter"]) for beat in beats]
    assert counters == list(range(counters[0], counters[0] + 10))
    assert re.fullmatch(
        r"2026-01-01 00:00:01\.\d{9} \+0000 UTC m=\+\d+\.\d{9}", beats[0]["current_time"]
    )


def test_a_usdc_product_is_answered_under_its_usd_name():
    client = Conversation("coinbase")
    sent = client.say(subscribe("level2", "BTC-USDC")) + client.wait(2)
    assert {event["product_id"] for event in events(sent, "l2_data")} == {"BTC-USD"}


@pytest.mark.parametrize(
    ("request_text", "words"),
    [
        (subscribe("level2", "NOPE-USD"), "failed to subscribe: NOPE-USD is not a valid product"),
        (subscribe("level3", "BTC-USD"), "channel level3 is not supported"),
        ({"type": "dance", "channel": "level2"}, "unsupported message type dance"),
        ("no json", "failed to parse message"),
    ],
)
def test_refusals_have_neither_channel_nor_number(request_text, words):
    client = Conversation("coinbase")
    assert client.say(request_text) == [{"type": "error", "message": words}]
    assert client.say(subscribe("heartbeats")) + client.wait(1) != []


def test_whoever_does_not_subscribe_within_five_seconds_is_disconnected():
    silent, refused, busy = (Conversation("coinbase") for _ in range(3))
    refused.say(subscribe("level2", "NOPE-USD"))
    busy.say(subscribe("heartbeats"))
    for client in (silent, refused, busy):
        client.wait(4.9)
        assert client.closing is None
        client.wait(0.2)
    assert silent.closing == Closing(1008, "no subscription within 5 seconds")
    assert refused.closing == silent.closing
    assert busy.closing is None


def test_unsubscribing_stops_a_product_and_subscribing_again_sends_the_whole_book():
    client, book = Conversation("coinbase"), PlainBook()
    client.say(subscribe("level2", "BTC-USD", "ETH-USD"))
    client.wait(1)
    client.say({"type": "unsubscribe", "channel": "level2", "product_ids": ["BTC-USD"]})
    assert {event["product_id"] for event in events(client.wait(2), "l2_data")} == {"ETH-USD"}
    again = events(client.say(subscribe("level2", "BTC-USD")), "l2_data")
    assert [(event["type"], event["product_id"]) for event in again] == [("snapshot", "BTC-USD")]
    apply(book, again[0])
    assert book.numbers() == client.session.book("BTC-USD")


def test_heartbeats_do_not_double_when_subscribed_again():
    client = Conversation("coinbase")
    client.say(subscribe("heartbeats"))
    client.wait(1.5)
    client.say({"type": "unsubscribe", "channel": "heartbeats"})
    assert of_channel(client.wait(3), "heartbeats") == []
    client.say(subscribe("heartbeats"))
    assert len(of_channel(client.wait(5), "heartbeats")) == 5
