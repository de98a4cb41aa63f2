"""The traps of Coinbase Advanced Trade."""

import msgspec
import pytest

from atelier_pipeline.errors import DecodeError
from atelier_pipeline.exchanges.coinbase import EXCHANGE
from atelier_pipeline.exchanges.contract import (
    Acknowledged,
    ConnectionSequence,
    Heartbeat,
    Refused,
    Topic,
)
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.events import NormalizedDelta, Trade

NOW = 1_800_000_000_500_000_000
SECOND = 1_800_000_000_000_000_000
DAY = "2027-01-15T08:00:00"
BOTH = frozenset({Dataset.ORDERBOOKS, Dataset.TRADES})


def message(channel: str, *events: object, timestamp: str = f"{DAY}.25Z", **more: object) -> bytes:
    envelope = {"channel": channel, "timestamp": timestamp, "sequence_num": 7, "events": events}
    return msgspec.json.encode(envelope | more)


def change(side: str, price: str, size: str, time: str = f"{DAY}.1Z") -> dict[str, str]:
    return {"side": side, "event_time": time, "price_level": price, "new_quantity": size}


def book_event(*changes: dict[str, str], kind: str = "update") -> dict[str, object]:
    return {"type": kind, "product_id": "BTC-USD", "updates": changes}


def delta(**fields: object) -> NormalizedDelta:
    defaults: dict[str, object] = {
        "exchange": "coinbase",
        "symbol": "BTC-USD",
        "ts_event": SECOND + 100_000_000,
        "ts_recv": NOW,
        "is_snapshot": False,
        "bids": [],
        "asks": [],
    }
    return NormalizedDelta(**(defaults | fields))


def test_a_book_update_follows_the_number_of_its_frame_and_offers_are_asks():
    frame = message(
        "l2_data", book_event(change("offer", "83285", "0.024"), change("bid", "1", "0"))
    )
    expected = delta(bids=[(1.0, 0.0)], asks=[(83285.0, 0.024)])
    assert EXCHANGE.decode(frame, NOW) == [ConnectionSequence(7), expected]


def test_a_book_s_time_is_the_newest_of_its_changes_however_it_is_written():
    times = [f"{DAY}.4Z", f"{DAY}.398765432Z", f"{DAY}Z", f"{DAY}.39Z"]
    frame = message("l2_data", book_event(*(change("bid", "1", "2", time) for time in times)))
    expected = delta(bids=[(1.0, 2.0)] * 4, ts_event=SECOND + 400_000_000)
    assert EXCHANGE.decode(frame, NOW)[1] == expected


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z"])
def test_an_unusable_time_of_a_change_gives_way_to_a_usable_one(time: str):
    alone = message("l2_data", book_event(change("bid", "1", "2", time)))
    beside = message("l2_data", book_event(change("bid", "1", "2", time), change("bid", "3", "4")))
    assert EXCHANGE.decode(alone, NOW)[1] == delta(bids=[(1.0, 2.0)], ts_event=0)
    assert EXCHANGE.decode(beside, NOW)[1] == delta(bids=[(1.0, 2.0), (3.0, 4.0)])


def test_a_snapshot_has_the_time_of_its_envelope_to_the_nanosecond():
    old = change("bid", "64000.5", "0.25", "1970-01-01T00:00:00Z")
    frame = message("l2_data", book_event(old, kind="snapshot"), timestamp=f"{DAY}.123456789Z")
    assert EXCHANGE.decode(frame, NOW)[1] == delta(
        is_snapshot=True, bids=[(64000.5, 0.25)], ts_event=SECOND + 123_456_789
    )


def test_a_frame_of_several_events_gives_them_all_after_one_number():
    frame = message("l2_data", book_event(change("bid", "1", "1")), book_event(kind="snapshot"))
    assert EXCHANGE.decode(frame, NOW) == [
        ConnectionSequence(7),
        delta(bids=[(1.0, 1.0)]),
        delta(is_snapshot=True, ts_event=SECOND + 250_000_000),
    ]


def test_a_snapshot_of_several_megabytes_is_one_event():
    levels = [change("bid", f"{price}", "1") for price in range(1, 25_001)]
    levels += [change("offer", f"{price}", "1") for price in range(25_001, 50_001)]
    frame = message("l2_data", book_event(*levels, kind="snapshot"))
    assert len(frame) > 4_000_000
    number, book = EXCHANGE.decode(frame, NOW)
    assert number == ConnectionSequence(7)
    assert book == delta(
        is_snapshot=True,
        bids=[(float(price), 1.0) for price in range(1, 25_001)],
        asks=[(float(price), 1.0) for price in range(25_001, 50_001)],
        ts_event=SECOND + 250_000_000,
    )


def test_client_id_may_be_there_or_not():
    event = book_event(change("bid", "1", "1"))
    with_id = message("l2_data", event, client_id="")
    assert EXCHANGE.decode(with_id, NOW) == EXCHANGE.decode(message("l2_data", event), NOW)


@pytest.mark.parametrize(
    "bad",
    [
        change("ask", "1", "1"),
        change("bid", "0", "1"),
        change("bid", "1", "0.-10000"),
        change("bid", "1", "-1"),
        change("bid", "1", "1", "yesterday"),
    ],
    ids=str,
)
def test_a_change_that_cannot_be_refuses_the_frame(bad: dict[str, str]):
    with pytest.raises(DecodeError, match="coinbase"):
        EXCHANGE.decode(message("l2_data", book_event(bad)), NOW)


def sent_trade(number: int, side: str, time: str) -> dict[str, str]:
    return {
        "trade_id": str(number),
        "product_id": "BTC-USD",
        "price": f"8327{number}.5",
        "size": "0.00058346",
        "time": time,
        "side": side,
    }


def trade(number: int, side: str, ts_event: int, *, is_history: bool = False) -> Trade:
    return Trade(
        exchange="coinbase",
        symbol="BTC-USD",
        side=side,
        price=83270.5 + number,
        amount=0.00058346,
        id=str(number),
        ts_event=ts_event,
        ts_recv=NOW,
        is_history=is_history,
    )


def test_the_maker_s_side_becomes_the_taker_s():
    trades = [sent_trade(1, "BUY", f"{DAY}.1Z"), sent_trade(2, "SELL", f"{DAY}.2Z")]
    frame = message("market_trades", {"type": "update", "trades": trades})
    assert EXCHANGE.decode(frame, NOW) == [
        ConnectionSequence(7),
        trade(1, "sell", SECOND + 100_000_000),
        trade(2, "buy", SECOND + 200_000_000),
    ]


def test_trades_sent_on_subscribing_are_history_and_are_put_in_order():
    newest_first = [
        sent_trade(n, "SELL", time)
        for n, time in ((3, f"{DAY}.3Z"), (2, f"{DAY}.3Z"), (1, f"{DAY}.1Z"))
    ]
    frame = message("market_trades", {"type": "snapshot", "trades": newest_first})
    assert EXCHANGE.decode(frame, NOW)[1:] == [
        trade(1, "buy", SECOND + 100_000_000, is_history=True),
        trade(2, "buy", SECOND + 300_000_000, is_history=True),
        trade(3, "buy", SECOND + 300_000_000, is_history=True),
    ]


@pytest.mark.parametrize("number", ["", "abc", "-1", "9223372036854775808"])
def test_a_trade_id_that_is_no_count_is_refused(number: str):
    bad = sent_trade(1, "BUY", f"{DAY}Z") | {"trade_id": number}
    with pytest.raises(DecodeError):
        EXCHANGE.decode(message("market_trades", {"type": "update", "trades": [bad]}), NOW)


def test_without_a_receive_time_each_event_s_own_time_stands_in():
    book = message("l2_data", book_event(change("bid", "1", "1")))
    trades = [sent_trade(1, "BUY", f"{DAY}.1Z"), sent_trade(2, "SELL", f"{DAY}.2Z")]
    frame = message("market_trades", {"type": "update", "trades": trades})
    events = [*EXCHANGE.decode(book, 0)[1:], *EXCHANGE.decode(frame, 0)[1:]]
    times = [
        event.ts_recv - SECOND for event in events if isinstance(event, NormalizedDelta | Trade)
    ]
    assert times == [100_000_000, 100_000_000, 200_000_000]


def test_an_ack_tells_all_that_is_subscribed_and_heartbeats_have_no_symbol():
    subscriptions = {"heartbeats": ["heartbeats"], "level2": ["BTC-USD", "ETH-USD"]}
    frame = message("subscriptions", {"subscriptions": subscriptions})
    topics = (Topic("heartbeats"), Topic("level2", "BTC-USD"), Topic("level2", "ETH-USD"))
    assert EXCHANGE.decode(frame, NOW) == [ConnectionSequence(7), Acknowledged(topics=topics)]


@pytest.mark.parametrize("left", [{}, {"level2": []}], ids=str)
def test_an_ack_of_nothing_left_accepts_nothing(left: dict[str, list[str]]):
    frame = message("subscriptions", {"subscriptions": left})
    assert EXCHANGE.decode(frame, NOW) == [ConnectionSequence(7)]


@pytest.mark.parametrize("counter", [75497, "75497"])
def test_a_heartbeat_is_numbered_like_every_frame(counter: object):
    beat = {"current_time": "2027-01-15 08:00:00.25 +0000 UTC m=+7.3", "heartbeat_counter": counter}
    assert EXCHANGE.decode(message("heartbeats", beat), NOW) == [
        ConnectionSequence(7),
        Heartbeat(ts_event=SECOND + 250_000_000),
    ]


@pytest.mark.parametrize("channel", ["ticker", "ticker_batch", "candles", "status", "of tomorrow"])
def test_a_channel_of_no_interest_still_counts_in_the_connection_s_sequence(channel: str):
    assert EXCHANGE.decode(message(channel, {"type": "snapshot"}), NOW) == [ConnectionSequence(7)]


def test_a_data_frame_without_its_number_is_refused():
    with pytest.raises(DecodeError, match="sequence_num"):
        EXCHANGE.decode(b'{"channel":"l2_data","timestamp":"2027-01-15T08:00:00Z","events":[]}', 1)


def test_an_error_has_neither_channel_nor_number():
    frame = b'{"type":"error","message":"authentication failure"}'
    assert EXCHANGE.decode(frame, NOW) == [Refused(reason="authentication failure")]
    reason = "failed to subscribe: NOPE-USD is not a valid product"
    frame = f'{{"type":"error","message":"{reason}"}}'.encode()
    assert EXCHANGE.decode(frame, NOW) == [Refused(reason=reason, topic=Topic("", "NOPE-USD"))]


def test_one_frame_is_sent_per_channel_and_heartbeats_keep_the_connection_open():
    requests = EXCHANGE.subscribe(["BTC-USD", "ETH-USD"], BOTH, None)
    assert [msgspec.json.decode(request.payload) for request in requests] == [
        {"type": "subscribe", "product_ids": ["BTC-USD", "ETH-USD"], "channel": "level2"},
        {"type": "subscribe", "product_ids": ["BTC-USD", "ETH-USD"], "channel": "market_trades"},
        {"type": "subscribe", "channel": "heartbeats"},
    ]
    assert [request.topics for request in requests] == [
        (Topic("level2", "BTC-USD"), Topic("level2", "ETH-USD")),
        (Topic("market_trades", "BTC-USD"), Topic("market_trades", "ETH-USD")),
        (Topic("heartbeats"),),
    ]
    assert [request.request_id for request in requests] == [None] * 3


def test_leaving_one_book_keeps_the_heartbeats():
    requests = EXCHANGE.unsubscribe(["BTC-USD"], frozenset({Dataset.ORDERBOOKS}), None)
    assert [msgspec.json.decode(request.payload) for request in requests] == [
        {"type": "unsubscribe", "product_ids": ["BTC-USD"], "channel": "level2"}
    ]


def test_a_usdc_product_is_asked_for_by_its_name_and_expected_under_usd():
    request = EXCHANGE.subscribe(["BTC-USDC"], BOTH, None)[0]
    assert msgspec.json.decode(request.payload)["product_ids"] == ["BTC-USDC"]
    assert request.topics == (Topic("level2", "BTC-USD"),)
    for product in ("BTC-USD", "BTC-USDC"):
        ack = message("subscriptions", {"subscriptions": {"level2": [product]}})
        assert EXCHANGE.decode(ack, NOW)[1] == Acknowledged(topics=request.topics)


@pytest.mark.parametrize(
    ("product", "answered"),
    [
        ("BTC-USDC", "BTC-USD"),
        ("BTC-USD", "BTC-USD"),
        ("ETH-BTC", "ETH-BTC"),
        ("USDC-EUR", "USDC-EUR"),
        ("USDT-USDC", "USDT-USDC"),
        ("EURC-USDC", "EURC-USDC"),
    ],
)
def test_usdc_products_are_answered_as_usd_but_for_two(product: str, answered: str):
    assert EXCHANGE.feed_symbol(product) == answered


def test_the_whole_book_is_sent_whatever_the_depth():
    assert EXCHANGE.offered_depth(50) is None
    assert not EXCHANGE.cuts_to_depth
