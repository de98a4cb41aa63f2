"""The traps of Kraken's WebSocket v2."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atelier_pipeline.errors import DecodeError
from atelier_pipeline.exchanges.contract import Acknowledged, Event, Heartbeat, Refused, Topic
from atelier_pipeline.exchanges.kraken import EXCHANGE
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.events import NormalizedDelta, Trade

NOW = 1_800_000_000_500_000_000
TIME = "2027-01-15T08:00:00.050084Z"
TS = 1_800_000_000_050_084_000
BOOKS, TRADES = frozenset({Dataset.ORDERBOOKS}), frozenset({Dataset.TRADES})


def levels(*pairs: tuple[str, str]) -> str:
    return ",".join(f'{{"price":{price},"qty":{size}}}' for price, size in pairs)


def book(bids: str = "", asks: str = "", kind: str = "update", more: str = "") -> bytes:
    entry = f'{{"symbol":"BTC/USD","bids":[{bids}],"asks":[{asks}],"checksum":3726153463{more}}}'
    return f'{{"channel":"book","type":"{kind}","data":[{entry}]}}'.encode()


def timed(bids: str = "", asks: str = "", kind: str = "update") -> bytes:
    return book(bids, asks, kind, f',"timestamp":"{TIME}"')


def delta(**fields: object) -> NormalizedDelta:
    defaults: dict[str, object] = {
        "exchange": "kraken",
        "symbol": "BTC/USD",
        "ts_event": TS,
        "ts_recv": NOW,
        "is_snapshot": False,
        "bids": [],
        "asks": [],
        "checksum": 3726153463,
        "digits": [],
    }
    return NormalizedDelta(**(defaults | fields))


def only(events: list[Event]) -> NormalizedDelta:
    (event,) = events
    assert isinstance(event, NormalizedDelta)
    return event


def test_levels_come_with_the_digits_of_their_text_bids_before_asks():
    payload = timed(levels(("63000.0", "0.00005100")), levels(("0.9997", "3458455.09588324")))
    assert EXCHANGE.decode(payload, NOW) == [
        delta(
            bids=[(63000.0, 0.000051)],
            asks=[(0.9997, 3458455.09588324)],
            digits=[(630000, 5100), (9997, 345845509588324)],
        )
    ]


def test_a_snapshot_is_the_whole_book():
    payload = timed(levels(("63000.0", "1.00000000")), "", "snapshot")
    expected = delta(is_snapshot=True, bids=[(63000.0, 1.0)], digits=[(630000, 100000000)])
    assert EXCHANGE.decode(payload, NOW) == [expected]


def test_changes_keep_their_order_since_the_last_of_one_price_counts():
    payload = timed(levels(("2.0", "0.00000000"), ("1.0", "5.0"), ("2.0", "7.0")))
    assert only(EXCHANGE.decode(payload, NOW)).bids == [(2.0, 0.0), (1.0, 5.0), (2.0, 7.0)]


def test_an_absent_side_is_no_change():
    entry = b'{"symbol":"BTC/USD","asks":[{"price":1.0,"qty":2.0}],"checksum":3726153463}'
    payload = b'{"channel":"book","type":"update","data":[' + entry + b"]}"
    assert EXCHANGE.decode(payload, NOW) == [
        delta(asks=[(1.0, 2.0)], digits=[(10, 20)], ts_event=0)
    ]


def test_every_entry_of_a_message_is_a_book_message():
    entries = [
        f'{{"symbol":"{symbol}","bids":[{levels(("1.0", "2.0"))}],"asks":[],"checksum":1}}'
        for symbol in ("A/USD", "B/USD")
    ]
    payload = f'{{"channel":"book","type":"update","data":[{",".join(entries)}]}}'.encode()
    expected = {"bids": [(1.0, 2.0)], "digits": [(10, 20)], "checksum": 1, "ts_event": 0}
    assert EXCHANGE.decode(payload, NOW) == [
        delta(symbol="A/USD", **expected),
        delta(symbol="B/USD", **expected),
    ]


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("18446744073.709551615", 2**64 - 1),
        ("18446744073.709551616", 0),
        ("1e-08", 0),
        ("1.5E3", 0),
        ("0.00000000", 0),
        ("7", 7),
        ("0." + "0" * 5000 + "1", 0),
        ("1." + "0" * 5000, 0),
    ],
    ids=lambda value: str(value)[:24],
)
def test_digits_that_have_no_64_bits_or_no_plain_text_are_0(text: str, digits: int):
    decoded = only(EXCHANGE.decode(timed(levels(("1.0", text))), NOW))
    assert decoded.digits == [(10, digits)]
    assert decoded.bids == [(1.0, float(text))]


@given(st.integers(1, 2**64 - 1), st.integers(0, 19), st.integers(0, 2**64 - 1), st.integers(0, 19))
def test_the_digits_of_any_decimal_are_those_of_its_text(
    price: int, price_places: int, size: int, size_places: int
):
    def text(digits: int, places: int) -> str:
        padded = f"{digits:0{places + 1}d}"
        return (
            f"{padded[: len(padded) - places]}.{padded[len(padded) - places :]}"
            if places
            else padded
        )

    sent = text(price, price_places), text(size, size_places)
    decoded = only(EXCHANGE.decode(timed(asks=levels(sent)), NOW))
    assert decoded.digits == [(price, size)]
    assert decoded.asks == [(float(sent[0]), float(sent[1]))]


@pytest.mark.parametrize(
    "pair",
    [
        ("0", "1"),
        ("0.0", "1"),
        ("-1", "1"),
        ("1", "-1"),
        ("1e999", "1"),
        ("1", "1e24"),
        ("1e24", "1"),
        ('"1.0"', "1"),
        ("null", "1"),
        ("true", "1"),
        ("1", "[]"),
        ("1_0", "1"),
        ("01", "1"),
        ("NaN", "1"),
    ],
    ids=str,
)
def test_a_level_that_cannot_be_refuses_the_frame(pair: tuple[str, str]):
    with pytest.raises(DecodeError, match="kraken"):
        EXCHANGE.decode(timed(levels(pair)), NOW)


@pytest.mark.parametrize("checksum", ["-1", "4294967296", '"5"', "1.5"])
def test_a_checksum_that_is_no_crc32_refuses_the_frame(checksum: str):
    with pytest.raises(DecodeError):
        EXCHANGE.decode(timed().replace(b"3726153463", checksum.encode()), NOW)


def test_without_a_receive_time_the_event_s_own_time_stands_in():
    assert EXCHANGE.decode(timed(), 0) == [delta(ts_recv=TS)]
    assert EXCHANGE.decode(book(), 0) == [delta(ts_event=0, ts_recv=0)]


def trades_frame(kind: str) -> bytes:
    items = [
        f'{{"symbol":"BTC/USD","side":"{side}","price":{price},"qty":0.00043721,"ord_type":'
        f'"limit","trade_id":{number},"timestamp":"{TIME}"}}'
        for side, price, number in (("buy", "85772.4", 110386729), ("sell", "85772.5", 110386730))
    ]
    return f'{{"channel":"trade","type":"{kind}","data":[{",".join(items)}]}}'.encode()


@pytest.mark.parametrize(("kind", "is_history"), [("update", False), ("snapshot", True)])
def test_a_trade_has_the_taker_s_side_and_a_snapshot_of_trades_is_history(
    kind: str, *, is_history: bool
):
    first = Trade(
        exchange="kraken",
        symbol="BTC/USD",
        side="buy",
        price=85772.4,
        amount=0.00043721,
        id="110386729",
        ts_event=TS,
        ts_recv=NOW,
        is_history=is_history,
    )
    second = msgspec.structs.replace(first, side="sell", price=85772.5, id="110386730")
    assert EXCHANGE.decode(trades_frame(kind), NOW) == [first, second]


def test_heartbeat_and_status_are_signs_of_life_even_with_an_id_beyond_2_to_the_53():
    status = b'{"channel":"status","data":[{"connection_id":18446744073709551616}],"type":"update"}'
    assert EXCHANGE.decode(b'{"channel":"heartbeat"}', NOW) == [Heartbeat()]
    assert EXCHANGE.decode(status, NOW) == [Heartbeat()]


def test_a_pong_tells_the_exchange_s_time():
    pong = msgspec.json.encode({"method": "pong", "req_id": 5, "time_in": TIME, "time_out": TIME})
    assert EXCHANGE.decode(pong, NOW) == [Heartbeat(ts_event=TS)]
    assert EXCHANGE.decode(b'{"method":"pong"}', NOW) == [Heartbeat()]


def test_each_symbol_is_acknowledged_by_itself_with_its_depth():
    result = {"channel": "book", "depth": 25, "snapshot": True, "symbol": "ETH/USD"}
    ack = {"method": "subscribe", "req_id": 12, "result": result, "success": True}
    topics = (Topic("book", "ETH/USD"),)
    expected = Acknowledged(request_id="12", topics=topics, depth=25)
    assert EXCHANGE.decode(msgspec.json.encode(ack), NOW) == [expected]


def test_an_accepted_unsubscription_does_not_pass_for_a_subscription():
    result = {"channel": "book", "depth": 25, "symbol": "ETH/USD"}
    ack = {"method": "unsubscribe", "req_id": 13, "result": result, "success": True}
    assert EXCHANGE.decode(msgspec.json.encode(ack), NOW) == []


def test_a_refused_unsubscription_costs_nothing():
    reply = {"error": "Subscription Not Found", "method": "unsubscribe", "success": False}
    assert EXCHANGE.decode(msgspec.json.encode(reply), NOW) == []


def test_what_is_subscribed_already_is_accepted():
    reply = {
        "error": "Already subscribed",
        "method": "subscribe",
        "req_id": 3,
        "success": False,
    }
    assert EXCHANGE.decode(msgspec.json.encode(reply), NOW) == [Acknowledged(request_id="3")]


@pytest.mark.parametrize(
    ("reply", "refused"),
    [
        (
            {"error": "Subscription depth not supported", "method": "subscribe", "success": False},
            Refused(reason="Subscription depth not supported"),
        ),
        (
            {
                "error": "Currency pair not supported X/Y",
                "method": "subscribe",
                "req_id": 3,
                "success": False,
                "symbol": "X/Y",
            },
            Refused(reason="Currency pair not supported X/Y", request_id="3"),
        ),
        ({"error": "Malformed request", "method": "error"}, Refused(reason="Malformed request")),
        ({"Error": "Exceeded msg rate"}, Refused(reason="Exceeded msg rate")),
    ],
)
def test_a_refusal_is_seen_though_the_connection_stays_alive(
    reply: dict[str, object], refused: Refused
):
    assert EXCHANGE.decode(msgspec.json.encode(reply), NOW) == [refused]


@pytest.mark.parametrize(
    "payload",
    [
        b'{"channel":"instrument","type":"snapshot","data":{"pairs":[{"qty_increment":1e-08}]}}',
        b'{"channel":"ticker","type":"update","data":[]}',
        b'{"method":"of tomorrow","success":true}',
    ],
)
def test_frames_of_no_interest_give_nothing(payload: bytes):
    assert EXCHANGE.decode(payload, NOW) == []


def test_a_frame_of_the_older_protocol_is_refused():
    with pytest.raises(DecodeError):
        EXCHANGE.decode(b'[0,{"a":[["1.0","2.0","1618677786.1"]]},"book-10","XBT/USD"]', NOW)


def sent(symbols: list[str], datasets: frozenset[Dataset], depth: int | None) -> list[object]:
    requests = EXCHANGE.subscribe(symbols, datasets, depth)
    return [msgspec.json.decode(request.payload) for request in requests]


def test_a_book_is_asked_for_with_its_depth_and_snapshot_and_trades_without_history():
    requests = EXCHANGE.subscribe(["BTC/USD", "ETH/USD"], BOOKS | TRADES, 100)
    symbols = ["BTC/USD", "ETH/USD"]
    ids = [int(request.request_id or "") for request in requests]
    assert sent(symbols, BOOKS | TRADES, 100) == [
        {
            "method": "subscribe",
            "params": {"channel": "book", "symbol": symbols, "depth": 100, "snapshot": True},
            "req_id": ids[0],
        },
        {
            "method": "subscribe",
            "params": {"channel": "trade", "symbol": symbols, "snapshot": False},
            "req_id": ids[1],
        },
    ]
    assert [request.topics for request in requests] == [
        (Topic("book", "BTC/USD"), Topic("book", "ETH/USD")),
        (Topic("trade", "BTC/USD"), Topic("trade", "ETH/USD")),
    ]


def test_a_book_is_left_with_the_depth_that_it_was_asked_for_with():
    (request,) = EXCHANGE.unsubscribe(["BTC/USD"], BOOKS, 25)
    assert msgspec.json.decode(request.payload) == {
        "method": "unsubscribe",
        "params": {"channel": "book", "symbol": ["BTC/USD"], "depth": 25},
        "req_id": int(request.request_id or ""),
    }


def test_many_symbols_are_asked_for_in_several_requests():
    requests = EXCHANGE.subscribe([f"S{number}/USD" for number in range(120)], BOOKS, 10)
    assert [len(request.topics) for request in requests] == [50, 50, 20]


def test_an_ack_answers_the_request_that_it_belongs_to():
    (request,) = EXCHANGE.subscribe(["BTC/USD"], TRADES, None)
    asked = msgspec.json.decode(request.payload)
    result = {"channel": "trade", "symbol": "BTC/USD", "snapshot": False}
    ack = {"method": "subscribe", "req_id": asked["req_id"], "result": result, "success": True}
    assert EXCHANGE.decode(msgspec.json.encode(ack), NOW) == [
        Acknowledged(request_id=request.request_id, topics=request.topics)
    ]


def test_a_ping_has_an_integer_id_whatever_the_caller_s():
    assert EXCHANGE.ping is not None
    pings = [msgspec.json.decode(EXCHANGE.ping(name)) for name in ("1", "ping-2")]
    assert [ping["method"] for ping in pings] == ["ping", "ping"]
    assert all(isinstance(ping["req_id"], int) for ping in pings)


@pytest.mark.parametrize(("wanted", "offered"), [(10, 10), (11, 25), (50, 100), (501, 1000)])
def test_depth_is_one_of_a_short_list_and_the_client_cuts_to_it(wanted: int, offered: int):
    assert EXCHANGE.offered_depth(wanted) == offered
    assert EXCHANGE.cuts_to_depth
