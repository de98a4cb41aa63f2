import itertools
from decimal import Decimal

import pytest

from atelier_pipeline.simulator.session import Closing
from atelier_pipeline_tests.simulator.conversation import (
    START_NS,
    Conversation,
    PlainBook,
    best_bid_below_best_ask,
)

CATEGORIES = ("bybit", "bybit_spot")


def subscribe(*topics, req_id="r1"):
    return {"req_id": req_id, "op": "subscribe", "args": list(topics)}


def unsubscribe(*topics):
    return {"req_id": "u1", "op": "unsubscribe", "args": list(topics)}


def of_topic(messages, topic):
    return [message for message in messages if message.get("topic") == topic]


def apply(book, message):
    if message["type"] == "snapshot":
        book.clear()
    book.apply(message["data"]["b"], message["data"]["a"])


@pytest.mark.parametrize("exchange", CATEGORIES)
@pytest.mark.parametrize("depth", [50, 200])
def test_a_snapshot_and_unbroken_deltas_keep_the_true_book_without_cutting(exchange, depth):
    client, book = Conversation(exchange), PlainBook()
    topic = f"orderbook.{depth}.BTCUSDT"
    messages = of_topic(client.say(subscribe(topic)), topic)
    assert [message["type"] for message in messages] == ["snapshot"]
    apply(book, messages[0])
    last = int(messages[0]["data"]["u"])
    deltas = 0
    for step in client.steps(20):
        for message in of_topic(step, topic):
            assert message["type"] == "delta"
            assert int(message["data"]["u"]) == last + 1
            last += 1
            deltas += 1
            apply(book, message)
            assert len(book.bids) == len(book.asks) == depth
            assert book.numbers() == client.session.book("BTCUSDT", depth)
            assert best_bid_below_best_ask(book)
    assert deltas > 150


@pytest.mark.parametrize("exchange", CATEGORIES)
def test_levels_that_leave_the_window_are_deleted_with_a_zero(exchange):
    client = Conversation(exchange)
    topic = "orderbook.50.ETHUSDT"
    client.say(subscribe(topic))
    levels = [
        level
        for message in of_topic(client.wait(20), topic)
        for level in message["data"]["b"] + message["data"]["a"]
    ]
    assert sum(size == "0" for _, size in levels) > 100
    assert all(size == "0" or float(size) > 0 for _, size in levels)


def test_linear_prices_are_fixed_and_spot_prices_are_trimmed():
    linear, spot = (
        of_topic(
            Conversation(exchange).say(subscribe("orderbook.50.BTCUSDT")), "orderbook.50.BTCUSDT"
        )
        for exchange in CATEGORIES
    )
    linear_levels = linear[0]["data"]["b"] + linear[0]["data"]["a"]
    spot_levels = spot[0]["data"]["b"] + spot[0]["data"]["a"]
    assert {len(price.partition(".")[2]) for price, _ in linear_levels} == {2}
    assert {len(size.partition(".")[2]) for _, size in linear_levels} == {3}
    assert any("." not in price for price, _ in spot_levels)
    assert not any(text.endswith(("0", ".")) and "." in text for lv in spot_levels for text in lv)


def test_keys_come_in_the_order_of_each_category():
    orders = {
        (exchange, topic): list(of_topic(client.say(subscribe(topic)) + client.wait(5), topic)[0])
        for exchange in CATEGORIES
        for topic in ("orderbook.1.BTCUSDT", "orderbook.50.BTCUSDT", "publicTrade.BTCUSDT")
        for client in [Conversation(exchange)]
    }
    ts_first = ["topic", "ts", "type", "data", "cts"]
    assert orders == {
        ("bybit", "orderbook.1.BTCUSDT"): ts_first,
        ("bybit", "orderbook.50.BTCUSDT"): ["topic", "type", "ts", "data", "cts"],
        ("bybit", "publicTrade.BTCUSDT"): ["topic", "type", "ts", "data"],
        ("bybit_spot", "orderbook.1.BTCUSDT"): ts_first,
        ("bybit_spot", "orderbook.50.BTCUSDT"): ts_first,
        ("bybit_spot", "publicTrade.BTCUSDT"): ["topic", "ts", "type", "data"],
    }


def test_matching_engine_time_is_never_after_system_time_and_both_are_milliseconds():
    client = Conversation("bybit")
    topic = "orderbook.50.BTCUSDT"
    client.say(subscribe(topic))
    for message in of_topic(client.wait(10), topic):
        assert 0 <= int(message["ts"]) - int(message["cts"]) < 100
        assert 0 < int(message["ts"]) - START_NS // 10**6 <= 10_000


@pytest.mark.parametrize("exchange", CATEGORIES)
def test_depth_1_sends_snapshots_and_repeats_one_after_three_quiet_seconds(exchange):
    client = Conversation(exchange, rate=0.2)
    topic = "orderbook.1.BTCUSDT"
    messages = of_topic(client.say(subscribe(topic)) + client.wait(120), topic)
    assert {message["type"] for message in messages} == {"snapshot"}
    steps = [int(b["data"]["u"]) - int(a["data"]["u"]) for a, b in itertools.pairwise(messages)]
    assert set(steps) == {0, 1}
    for before, after in itertools.pairwise(messages):
        if before["data"]["u"] == after["data"]["u"]:
            assert after["data"]["b"] == before["data"]["b"]
            assert after["data"]["a"] == before["data"]["a"]
            assert after["cts"] == before["cts"]
            assert int(after["ts"]) - int(before["ts"]) == 3_000


def test_every_depth_numbers_its_own_messages():
    client = Conversation("bybit")
    topics = [f"orderbook.{depth}.BTCUSDT" for depth in (1, 50, 200, 1000)]
    messages = client.say(subscribe(*topics)) + client.wait(5)
    last = {topic: int(of_topic(messages, topic)[-1]["data"]["u"]) for topic in topics}
    assert len(set(last.values())) == 4


def test_a_restart_sends_the_whole_book_as_a_delta_numbered_one():
    client, book = Conversation("bybit"), PlainBook()
    topic = "orderbook.50.BTCUSDT"
    client.say(subscribe(topic))
    client.wait(1)
    client.session.client.restart_books("BTCUSDT", client.now)
    messages = of_topic(client.wait(1), topic)
    numbers = [int(message["data"]["u"]) for message in messages]
    assert numbers[numbers.index(1) :] == list(range(1, numbers[-1] + 1))
    restarted, *later = messages[numbers.index(1) :]
    assert restarted["type"] == "delta"
    assert (len(restarted["data"]["b"]), len(restarted["data"]["a"])) == (50, 50)
    book.apply(restarted["data"]["b"], restarted["data"]["a"])
    assert len(later) > 10
    for message in later:
        apply(book, message)
    for step in client.steps(0.5):
        for message in of_topic(step, topic):
            apply(book, message)
            assert book.numbers() == client.session.book("BTCUSDT", 50)


@pytest.mark.parametrize("exchange", CATEGORIES)
def test_trades_are_arrays_with_the_takers_side(exchange):
    client = Conversation(exchange)
    topic = "publicTrade.BTCUSDT"
    client.say(subscribe(topic))
    trades = []
    for message in of_topic(client.wait(20), topic):
        assert message["type"] == "snapshot"
        assert [t["T"] for t in message["data"]] == sorted(t["T"] for t in message["data"])
        assert len({t["seq"] for t in message["data"]}) == 1
        trades += message["data"]
    assert {trade["S"] for trade in trades} == {"Buy", "Sell"}
    assert len({trade["i"] for trade in trades}) == len(trades) > 40
    assert all(trade["s"] == "BTCUSDT" and trade["BT"] is False for trade in trades)
    keys = {"bybit": "T s S v p L i BT RPI seq", "bybit_spot": "i T p v S seq s BT RPI"}
    assert {" ".join(trade) for trade in trades} == {keys[exchange]}


def test_a_seller_hits_bids_and_a_buyer_lifts_asks():
    client, book = Conversation("bybit", rate=5), PlainBook()
    book_topic, trade_topic = "orderbook.50.BTCUSDT", "publicTrade.BTCUSDT"
    apply(book, of_topic(client.say(subscribe(trade_topic, book_topic)), book_topic)[0])
    checked = 0
    for step in client.steps(60):
        for trade in (t for message in of_topic(step, trade_topic) for t in message["data"][:1]):
            resting = book.asks if trade["S"] == "Buy" else book.bids
            assert trade["p"] in resting
            assert Decimal(trade["v"]) <= Decimal(resting[trade["p"]])
            checked += 1
        for message in of_topic(step, book_topic):
            apply(book, message)
    assert checked > 20


def test_tickers_start_whole_and_then_hold_only_what_changed():
    client = Conversation("bybit")
    topic = "tickers.BTCUSDT"
    snapshot, *deltas = of_topic(client.say(subscribe(topic)) + client.wait(60), topic)
    assert snapshot["type"] == "snapshot"
    assert {message["type"] for message in deltas} == {"delta"}
    state = dict(snapshot["data"])
    for message in deltas:
        changed = {name: text for name, text in message["data"].items() if name != "symbol"}
        assert changed
        assert all(state[name] != text for name, text in changed.items())
        state |= changed
    moved = {name for message in deltas for name in message["data"]}
    assert {"fundingRate", "openInterest", "openInterestValue", "markPrice"} <= moved
    with_funding = [message for message in deltas if "fundingRate" in message["data"]]
    assert 5 < len(with_funding) < len(deltas) / 4


def test_ticker_values_are_consistent_and_empty_where_there_are_none():
    client = Conversation("bybit")
    data = of_topic(client.say(subscribe("tickers.BTCUSDT")), "tickers.BTCUSDT")[0]["data"]
    assert Decimal(data["openInterest"]) == 2 * Decimal(data["singleOpenInterest"])
    value = Decimal(data["openInterest"]) * Decimal(data["markPrice"])
    assert abs(Decimal(data["openInterestValue"]) - value) < Decimal("0.01")
    eight_hours = 8 * 3_600_000
    assert (
        int(data["nextFundingTime"]) == START_NS // 10**6 // eight_hours * eight_hours + eight_hours
    )
    assert abs(Decimal(data["fundingRate"])) < Decimal("0.001")
    assert (data["preOpenPrice"], data["preQty"], data["curPreListingPhase"]) == ("", "", "")


def test_liquidations_come_in_arrays_on_half_seconds_and_their_orders_trade():
    client = Conversation("bybit")
    topics = ("allLiquidation.BTCUSDT", "publicTrade.BTCUSDT")
    client.say(subscribe(*topics))
    messages = client.wait(200)
    batches = of_topic(messages, topics[0])
    trades = [trade for message in of_topic(messages, topics[1]) for trade in message["data"]]
    assert all(int(message["ts"]) % 500 == 0 and message["data"] for message in batches)
    liquidations = [item for message in batches for item in message["data"]]
    assert 10 < len(liquidations) < 60
    for item in liquidations:
        forced = "Sell" if item["S"] == "Buy" else "Buy"
        fills = [t for t in trades if t["T"] == item["T"] and t["S"] == forced]
        assert sum(Decimal(t["v"]) for t in fills) >= Decimal(item["v"])
        beyond = (Decimal(t["p"]) > Decimal(item["p"]) for t in fills)
        assert all(is_above == (item["S"] == "Buy") for is_above in beyond)


def test_data_may_come_before_the_ack():
    orders = set()
    for seed in range(12):
        client = Conversation("bybit", seed=seed)
        messages = client.say(subscribe("orderbook.50.BTCUSDT")) + client.wait(0.5)
        acks = [k for k, message in enumerate(messages) if message.get("req_id") == "r1"]
        assert len(acks) == 1
        orders.add(acks[0] == 0)
    assert orders == {True, False}


@pytest.mark.parametrize(("exchange", "words"), [("bybit", ""), ("bybit_spot", "subscribe")])
def test_each_request_is_acknowledged_once_without_a_topic_list(exchange, words):
    client = Conversation(exchange)
    sent = client.say(subscribe("publicTrade.BTCUSDT", "publicTrade.ETHUSDT")) + client.wait(0.3)
    acks = [message for message in sent if "success" in message]
    conn_id = acks[0].pop("conn_id")
    assert acks == [{"success": True, "ret_msg": words, "req_id": "r1", "op": "subscribe"}]
    assert len(conn_id) == 26


@pytest.mark.parametrize(
    ("exchange", "topic", "words"),
    [
        ("bybit", "orderbook.50.NOPEUSDT", "error:handler not found,topic:orderbook.50.NOPEUSDT"),
        ("bybit", "orderbook.50.btcusdt", "error:handler not found,topic:orderbook.50.btcusdt"),
        ("bybit", "orderbook.500.BTCUSDT", "error:handler not found,topic:orderbook.500.BTCUSDT"),
        ("bybit", "nonsense", "error:handler not found,topic:nonsense"),
        ("bybit_spot", "orderbook.50.NOSUCHSYM", "Invalid symbol :[orderbook.50.NOSUCHSYM]"),
        ("bybit_spot", "tickers.BTCUSDT", "error:handler not found,topic:tickers.BTCUSDT"),
        ("bybit_spot", "orderbook.7.BTCUSDT", "error:handler not found,topic:orderbook.7.BTCUSDT"),
    ],
)
def test_what_does_not_exist_is_refused_in_the_exchanges_words(exchange, topic, words):
    client = Conversation(exchange)
    answers = client.say(subscribe("publicTrade.BTCUSDT", topic))
    assert [answer.pop("conn_id") for answer in answers]
    expected = {"success": False, "ret_msg": words, "op": "subscribe"}
    if exchange == "bybit":
        expected["req_id"] = "r1"
    assert answers == [expected]
    assert client.wait(5) == []


def test_a_topic_cannot_be_subscribed_twice():
    client = Conversation("bybit")
    client.say(subscribe("orderbook.1.ETHUSDT"))
    client.wait(1)
    answers = [m for m in client.say(subscribe("orderbook.1.ETHUSDT", req_id="e6")) if "op" in m]
    assert [(a["success"], a["ret_msg"], a["req_id"]) for a in answers] == [
        (False, "error:already subscribed,topic:orderbook.1.ETHUSDT", "e6")
    ]


def test_spot_takes_at_most_ten_topics_in_a_request():
    client = Conversation("bybit_spot")
    topics = [f"publicTrade.{asset}USDT" for asset in ("BTC", "ETH", "SOL", "XRP", "ADA", "LTC")]
    topics += [f"orderbook.1.{asset}USDT" for asset in ("BTC", "ETH", "SOL", "XRP", "ADA")]
    assert client.say(subscribe(*topics))[0]["ret_msg"] == "args size >10"


def test_ping_is_answered_with_an_op_of_ping():
    client = Conversation("bybit")
    answers = client.say({"req_id": "p1", "op": "ping"})
    assert [answer.pop("conn_id") for answer in answers]
    assert answers == [{"success": True, "ret_msg": "pong", "req_id": "p1", "op": "ping"}]


def test_an_unknown_op_and_a_frame_that_is_not_json_leave_the_connection_open():
    client = Conversation("bybit")
    assert client.say({"op": "dance"})[0]["ret_msg"] == "error:invalid op"
    assert client.say("no json")[0]["success"] is False
    assert client.closing is None
    assert client.say({"op": "ping"})[0]["ret_msg"] == "pong"


def test_unsubscribing_stops_a_topic_and_subscribing_again_starts_with_a_snapshot():
    client = Conversation("bybit")
    topic = "orderbook.50.BTCUSDT"
    client.say(subscribe(topic))
    client.wait(1)
    answers = client.say(unsubscribe(topic))
    assert [(a["success"], a["op"]) for a in answers if "op" in a] == [(True, "unsubscribe")]
    assert of_topic(client.wait(2), topic) == []
    again = of_topic(client.say(subscribe(topic)) + client.wait(1), topic)
    assert [message["type"] for message in again[:2]] == ["snapshot", "delta"]
    assert int(again[1]["data"]["u"]) == int(again[0]["data"]["u"]) + 1


def test_a_connection_that_says_nothing_is_dropped_without_a_close_frame_after_a_minute():
    silent, pinged = Conversation("bybit"), Conversation("bybit")
    pinged.say({"op": "ping"})
    silent.wait(60)
    assert silent.closing is None
    silent.wait(2)
    pinged.wait(120)
    assert silent.closing == Closing(None)
    assert pinged.closing is None


def test_two_connections_get_the_same_messages_of_a_topic():
    first = Conversation("bybit")
    second = Conversation(first.simulation)
    topic = "orderbook.50.BTCUSDT"
    first.say(subscribe(topic))
    second.say(subscribe(topic))
    ours, theirs = of_topic(first.wait(5), topic), of_topic(second.wait(5), topic)
    assert ours == theirs
    assert len(ours) > 40
