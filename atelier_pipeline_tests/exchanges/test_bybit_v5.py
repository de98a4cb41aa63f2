"""Bybit's traps; linear and spot share the protocol, so most frames are tried on both."""

import msgspec
import pytest

from atelier_pipeline.errors import DecodeError
from atelier_pipeline.exchanges.bybit import EXCHANGE as LINEAR
from atelier_pipeline.exchanges.bybit_spot import EXCHANGE as SPOT
from atelier_pipeline.exchanges.contract import (
    Acknowledged,
    Exchange,
    Heartbeat,
    Refused,
    Topic,
)
from atelier_pipeline.market.events import Liquidation, NormalizedDelta, TickerUpdate, Trade

MS = 1_000_000
NOW = 1_800_000_000_123_000_000
BOTH = pytest.mark.parametrize("exchange", [LINEAR, SPOT], ids=["linear", "spot"])


def book_frame(**changes: object) -> bytes:
    """A delta of orderbook.50; `data` and the envelope both take changes."""
    data = {"s": "BTCUSDT", "b": [["64000.5", "1"]], "a": [["64001", "0"]], "u": 7, "seq": 99}
    envelope = {"topic": "orderbook.50.BTCUSDT", "type": "delta", "ts": 1_800_000_000_020}
    data |= {key: value for key, value in changes.items() if key in data}
    envelope |= {key: value for key, value in changes.items() if key not in data}
    return msgspec.json.encode(
        envelope | {"data": data, "cts": changes.get("cts", 1_800_000_000_017)}
    )


def book(exchange: Exchange = LINEAR, **fields: object) -> NormalizedDelta:
    defaults: dict[str, object] = {
        "exchange": exchange.name,
        "symbol": "BTCUSDT",
        "ts_event": 1_800_000_000_017 * MS,
        "ts_recv": NOW,
        "is_snapshot": False,
        "bids": [(64000.5, 1.0)],
        "asks": [(64001.0, 0.0)],
        "update_id": 7,
        "depth": 50,
    }
    return NormalizedDelta(**(defaults | fields))


@BOTH
def test_a_book_message_keeps_the_feed_s_name_engine_time_and_depth(exchange: Exchange):
    assert exchange.decode(book_frame(), NOW) == [book(exchange)]


def test_a_book_without_engine_time_has_the_time_at_which_it_was_built():
    frame = msgspec.json.decode(book_frame())
    del frame["cts"]
    assert LINEAR.decode(msgspec.json.encode(frame), NOW) == [book(ts_event=1_800_000_000_020 * MS)]


def test_without_a_receive_time_the_event_s_own_time_stands_in():
    assert LINEAR.decode(book_frame(), 0) == [book(ts_recv=1_800_000_000_017 * MS)]


@BOTH
@pytest.mark.parametrize("kind", ["snapshot", "delta"])
def test_update_id_1_is_the_whole_book_after_a_restart_whatever_the_type(
    exchange: Exchange, kind: str
):
    events = exchange.decode(book_frame(u=1, type=kind), NOW)
    assert events == [book(exchange, update_id=1, is_snapshot=True)]


def test_only_a_snapshot_and_a_restart_replace_the_book():
    frames = [("snapshot", 7), ("delta", 7), ("delta", 0), ("delta", 2), ("delta", 1)]
    deltas = [LINEAR.decode(book_frame(type=kind, u=u), NOW)[0] for kind, u in frames]
    replaced = [isinstance(d, NormalizedDelta) and d.is_snapshot for d in deltas]
    assert replaced == [True, False, False, False, True]


@BOTH
def test_each_offered_depth_and_the_removed_500_is_a_feed_of_its_own(exchange: Exchange):
    depths = (*exchange.depths, 500)
    events = [exchange.decode(book_frame(topic=f"orderbook.{d}.BTCUSDT"), NOW) for d in depths]
    assert events == [[book(exchange, depth=depth)] for depth in (1, 50, 200, 1000, 500)]


@BOTH
@pytest.mark.parametrize(
    "channel", ["orderbook.full", "orderbook.rpi", "orderbook.25", "orderbook"]
)
def test_other_order_books_are_not_taken_for_the_ordinary_one(exchange: Exchange, channel: str):
    assert exchange.decode(book_frame(topic=f"{channel}.BTCUSDT"), NOW) == []


def test_the_order_of_keys_and_spaces_between_them_do_not_matter():
    frame = msgspec.json.decode(book_frame())
    spaced = msgspec.json.format(msgspec.json.encode(frame), indent=2)
    turned = msgspec.json.encode(dict(reversed(frame.items())))
    assert LINEAR.decode(spaced, NOW) == LINEAR.decode(turned, NOW) == [book()]


def test_a_symbol_with_a_hyphen_is_the_part_after_the_last_dot():
    frame = book_frame(topic="orderbook.50.BTC-26MAR27", s="BTC-26MAR27")
    assert LINEAR.decode(frame, NOW) == [book(symbol="BTC-26MAR27")]


@pytest.mark.parametrize(
    "changes",
    [
        {"b": [["0", "1"]]},
        {"b": [["-1", "1"]]},
        {"b": [["1", "-1"]]},
        {"a": [["nan", "1"]]},
        {"a": [["inf", "1"]]},
        {"a": [["1e24", "1"]]},
        {"a": [["1", "1e24"]]},
        {"a": [["1"]]},
        {"a": [["1", "1", "1"]]},
        {"a": [["", "1"]]},
        {"u": -1},
        {"u": 2**63},
        {"u": "x"},
        {"s": None},
        {"ts": -1},
        {"cts": -1},
        {"cts": 2**63 // 10**6 + 1},
        {"type": "other"},
    ],
    ids=str,
)
def test_a_book_that_cannot_be_is_refused(changes: dict[str, object]):
    with pytest.raises(DecodeError, match="bybit"):
        LINEAR.decode(book_frame(**changes), NOW)


def test_the_last_millisecond_of_int64_is_still_a_time():
    last = (2**63 - 1) // MS
    assert LINEAR.decode(book_frame(cts=last), NOW) == [book(ts_event=last * MS)]


TRADE = {
    "T": 1_800_000_000_001,
    "s": "BTCUSDT",
    "S": "Buy",
    "v": "0.5",
    "p": "64000.10",
    "i": "a-1",
}


@BOTH
def test_trades_keep_the_taker_side_and_text_ids_in_order(exchange: Exchange):
    second = TRADE | {"S": "Sell", "i": "2290000000061666327", "T": 1_800_000_000_002, "v": "1"}
    frame = {"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": 1, "data": [TRADE, second]}
    first = Trade(
        exchange=exchange.name,
        symbol="BTCUSDT",
        side="buy",
        price=64000.1,
        amount=0.5,
        id="a-1",
        ts_event=1_800_000_000_001 * MS,
        ts_recv=NOW,
    )
    assert exchange.decode(msgspec.json.encode(frame), NOW) == [
        first,
        msgspec.structs.replace(
            first,
            side="sell",
            amount=1.0,
            id="2290000000061666327",
            ts_event=1_800_000_000_002 * MS,
        ),
    ]


@pytest.mark.parametrize("change", [{"S": "buy"}, {"S": ""}, {"i": 5}, {"p": "0"}, {"v": "-1"}])
def test_a_trade_that_cannot_be_is_refused(change: dict[str, object]):
    frame = {"topic": "publicTrade.BTCUSDT", "data": [TRADE | change]}
    with pytest.raises(DecodeError):
        LINEAR.decode(msgspec.json.encode(frame), NOW)


LIQUIDATED = Liquidation(
    exchange="bybit",
    symbol="ADAUSDT",
    side="buy",
    price=0.1915,
    amount=13248.0,
    ts_event=1_800_000_000_001 * MS,
    ts_recv=NOW,
)
FORCED = {"T": 1_800_000_000_001, "s": "ADAUSDT", "S": "Buy", "v": "13248", "p": "0.1915"}


@pytest.mark.parametrize(("sent", "side"), [("Buy", "buy"), ("Sell", "sell")])
def test_a_liquidation_s_side_is_that_of_the_position_so_buy_is_a_long(sent: str, side: str):
    frame = {"topic": "allLiquidation.ADAUSDT", "type": "snapshot", "data": [FORCED | {"S": sent}]}
    expected = msgspec.structs.replace(LIQUIDATED, side=side)
    assert LINEAR.decode(msgspec.json.encode(frame), NOW) == [expected]


def test_liquidations_come_as_an_array_or_as_one_object():
    frame = {"topic": "allLiquidation.ADAUSDT", "type": "snapshot"}
    array = msgspec.json.encode(frame | {"data": [FORCED, FORCED]})
    single = msgspec.json.encode(frame | {"data": FORCED})
    assert LINEAR.decode(array, NOW) == [LIQUIDATED, LIQUIDATED]
    assert LINEAR.decode(single, NOW) == [LIQUIDATED]


def test_the_deprecated_liquidation_topic_means_the_same():
    data = {
        "updatedTime": 1_800_000_000_001,
        "symbol": "ADAUSDT",
        "side": "Buy",
        "size": "13248",
        "price": "0.1915",
    }
    frame = {"topic": "liquidation.ADAUSDT", "type": "snapshot", "ts": 5, "data": data}
    assert LINEAR.decode(msgspec.json.encode(frame), NOW) == [LIQUIDATED]


def ticker(kind: str = "delta", **data: str) -> bytes:
    frame = {"topic": "tickers.BTCUSDT", "type": kind, "ts": 1_800_000_000_005, "cs": 8}
    return msgspec.json.encode(frame | {"data": {"symbol": "BTCUSDT"} | data})


def update(*, is_snapshot: bool = False, **fields: object) -> TickerUpdate:
    return TickerUpdate(
        exchange="bybit",
        symbol="BTCUSDT",
        ts_event=1_800_000_000_005 * MS,
        ts_recv=NOW,
        is_snapshot=is_snapshot,
        **fields,
    )


def test_a_ticker_tells_what_it_held_and_nothing_else():
    assert LINEAR.decode(ticker(tickDirection="PlusTick"), NOW) == [update()]
    assert LINEAR.decode(ticker(openInterestValue="5.5"), NOW) == [update(open_interest_value=5.5)]
    assert LINEAR.decode(ticker("snapshot", fundingRate="-0.0001"), NOW) == [
        update(is_snapshot=True, funding_rate=-0.0001)
    ]


def test_zero_is_a_value_of_a_ticker_and_an_empty_string_is_none():
    zeros = ticker(fundingRate="0", openInterest="0.000", openInterestValue="0")
    empty = ticker(fundingRate="", nextFundingTime="", fundingIntervalHour="", openInterest="")
    zero = update(funding_rate=0.0, open_interest=0.0, open_interest_value=0.0)
    assert LINEAR.decode(zeros, NOW) == [zero]
    assert LINEAR.decode(empty, NOW) == [update()]


def test_a_contract_without_funding_has_no_next_funding_time():
    assert LINEAR.decode(ticker(nextFundingTime="0", fundingIntervalHour="0"), NOW) == [update()]
    assert LINEAR.decode(ticker(nextFundingTime="1800028800000", fundingIntervalHour="4"), NOW) == [
        update(next_funding_ts=1_800_028_800_000, interval_hours=4.0)
    ]


@pytest.mark.parametrize(
    "data",
    [
        {"fundingRate": "x"},
        {"fundingRate": "nan"},
        {"fundingRate": "inf"},
        {"openInterest": "-1"},
        {"nextFundingTime": "1.5"},
        {"nextFundingTime": "-1"},
        {"nextFundingTime": "9223372036855"},
    ],
    ids=str,
)
def test_a_ticker_that_cannot_be_is_refused(data: dict[str, str]):
    with pytest.raises(DecodeError):
        LINEAR.decode(ticker(**data), NOW)


def test_spot_has_no_funding_open_interest_or_liquidations_to_decode():
    liquidation = msgspec.json.encode({"topic": "allLiquidation.ADAUSDT", "data": [FORCED]})
    assert SPOT.decode(ticker(fundingRate="0.1"), NOW) == []
    assert SPOT.decode(liquidation, NOW) == []


@BOTH
@pytest.mark.parametrize(
    "payload",
    [
        b'{"success":true,"ret_msg":"pong","conn_id":"c","req_id":"p1","op":"ping"}',
        b'{"success":true,"ret_msg":"pong","conn_id":"c","op":"ping"}',
        b'{"op":"pong","args":["1800000000000"]}',
    ],
)
def test_a_pong_is_known_by_its_message_or_by_its_op(exchange: Exchange, payload: bytes):
    assert exchange.decode(payload, NOW) == [Heartbeat()]


@BOTH
@pytest.mark.parametrize("ret_msg", ["", "subscribe"])
def test_an_ack_is_known_by_its_request_id(exchange: Exchange, ret_msg: str):
    ack = {"success": True, "ret_msg": ret_msg, "conn_id": "c", "req_id": "x1", "op": "subscribe"}
    assert exchange.decode(msgspec.json.encode(ack), NOW) == [Acknowledged(request_id="x1")]
    del ack["req_id"]
    assert exchange.decode(msgspec.json.encode(ack), NOW) == [Acknowledged()]


@pytest.mark.parametrize(
    ("ret_msg", "topic"),
    [
        (
            "error:handler not found,topic:orderbook.50.NOPEUSDT",
            Topic("orderbook.50", "NOPEUSDT"),
        ),
        ("error:handler not found,topic:tickers.BTC-26MAR27", Topic("tickers", "BTC-26MAR27")),
        ("Invalid symbol :[orderbook.50.NOSUCHSYM]", Topic("orderbook.50", "NOSUCHSYM")),
        ("error:invalid op", None),
        ("Batch topic not exist", None),
    ],
)
def test_a_refusal_keeps_the_exchange_s_words_and_the_topic_they_name(
    ret_msg: str, topic: Topic | None
):
    reply = {
        "success": False,
        "ret_msg": ret_msg,
        "conn_id": "c",
        "req_id": "e1",
        "op": "subscribe",
    }
    refused = Refused(reason=ret_msg, request_id="e1", topic=topic)
    assert LINEAR.decode(msgspec.json.encode(reply), NOW) == [refused]
    del reply["req_id"]
    refused = Refused(reason=ret_msg, topic=topic)
    assert SPOT.decode(msgspec.json.encode(reply), NOW) == [refused]


def test_what_is_subscribed_already_is_accepted():
    text = "error:already subscribed,topic:publicTrade.ETHUSDT"
    reply = {"success": False, "ret_msg": text, "req_id": "e1", "op": "subscribe"}
    topics = (Topic("publicTrade", "ETHUSDT"),)
    accepted = Acknowledged(request_id="e1", topics=topics)
    assert LINEAR.decode(msgspec.json.encode(reply), NOW) == [accepted]


@BOTH
@pytest.mark.parametrize("op", ["unsubscribe", "auth"])
def test_what_is_accepted_but_no_subscription_gives_nothing(exchange: Exchange, op: str):
    reply = {"success": True, "ret_msg": "", "conn_id": "c", "req_id": "x1", "op": op}
    assert exchange.decode(msgspec.json.encode(reply), NOW) == []
