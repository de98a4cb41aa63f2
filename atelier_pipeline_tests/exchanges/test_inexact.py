from collections import Counter
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from atelier_pipeline.exchanges.inexact import has_long_number, significant_digits
from atelier_pipeline.exchanges.registry import EXCHANGES
from atelier_pipeline.market.datasets import Dataset

SIXTEEN = "1234567.890123456"
FIFTEEN = "1234567.89012345"


@pytest.mark.parametrize(
    ("number", "digits"),
    [
        ("0", 0),
        ("0.000", 0),
        ("83285", 5),
        ("83285.00", 5),
        ("0.00005100", 2),
        ("100000000000000000000", 1),
        ("-1.5", 2),
        ("1.25e-8", 3),
        ("12E+3", 2),
        (FIFTEEN, 15),
        (SIXTEEN, 16),
        ("1234567890123456", 16),
        ("0.0001234567890123456000", 16),
    ],
)
def test_significant_digits_leave_out_what_only_places_the_point(number: str, digits: int):
    assert significant_digits(number) == digits


@given(st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**9)))
def test_a_number_of_at_most_15_significant_digits_survives_a_float(number: Decimal):
    text = f"{number:f}"
    if significant_digits(text) <= 15:
        assert Decimal(repr(float(text))) == number


@given(st.lists(st.from_regex(r"[0-9]{1,12}(\.[0-9]{1,12})?", fullmatch=True), max_size=6))
def test_what_the_cheap_look_calls_clean_holds_no_long_number(numbers: list[str]):
    payload = ('["' + '","'.join(numbers) + '"]').encode()
    if not has_long_number(payload):
        assert all(significant_digits(number) <= 15 for number in numbers)


def test_the_cheap_look_sees_through_decimal_points_and_over_many_frames():
    clean = b'{"ts":1800000000000,"p":"%s"}' % FIFTEEN.encode()
    assert not has_long_number(b"\n".join([clean] * 100))
    assert has_long_number(b"\n".join([clean, b'{"p":"%s"}' % SIXTEEN.encode(), clean]))


OB, TRADES = Dataset.ORDERBOOKS, Dataset.TRADES


BYBIT_BOOK = {
    "topic": "orderbook.50.X",
    "type": "delta",
    "ts": 1,
    "data": {
        "s": "X",
        "b": [[SIXTEEN, "1"], [FIFTEEN, SIXTEEN]],
        "a": [["2", SIXTEEN]],
        "u": 1234567890123456789,
    },
}
BYBIT_TRADE = {
    "topic": "publicTrade.X",
    "data": [
        {"i": "2290000000061666327", "T": 1, "p": SIXTEEN, "v": "0.1", "S": "Buy", "s": "X"},
    ],
}
BYBIT_TICKER = {
    "topic": "tickers.X",
    "type": "delta",
    "ts": 1,
    "cs": 818232112717123456,
    "data": {
        "symbol": "X",
        "lastPrice": SIXTEEN,
        "turnover24h": SIXTEEN,
        "fundingRate": "0.7777777777777777",
        "openInterest": SIXTEEN,
        "openInterestValue": SIXTEEN,
    },
}
BYBIT_LIQUIDATION = {
    "topic": "allLiquidation.X",
    "data": [{"T": 1, "s": "X", "S": "Buy", "v": SIXTEEN, "p": "1"}],
}
LONG_TIME = "2027-01-15T08:00:00.123456789Z"
COINBASE_BOOK = {
    "channel": "l2_data",
    "timestamp": LONG_TIME,
    "sequence_num": 1234567890123456789,
    "events": [
        {
            "type": "update",
            "product_id": product,
            "updates": [
                {"side": "bid", "event_time": LONG_TIME, "price_level": price, "new_quantity": size}
            ],
        }
        for product, price, size in [("A-USD", SIXTEEN, "1"), ("B-USD", SIXTEEN, SIXTEEN)]
    ],
}
COINBASE_TICKER = {
    "channel": "ticker",
    "timestamp": LONG_TIME,
    "sequence_num": 1,
    "events": [{"type": "update", "tickers": [{"product_id": "A-USD", "price": SIXTEEN}]}],
}
COINBASE_HEARTBEAT = {
    "channel": "heartbeats",
    "timestamp": LONG_TIME,
    "sequence_num": 1,
    "events": [{"current_time": "2027-01-15 08:00:00 +0000 UTC m=+1234567.317767664"}],
}
EXCHANGE_UPDATE = {
    "type": "l2update",
    "product_id": "A-USD",
    "changes": [["buy", SIXTEEN, "1"], ["sell", "2", SIXTEEN]],
    "time": LONG_TIME,
}
EXCHANGE_MATCH = {
    "type": "match",
    "trade_id": 12345678901234567,
    "maker_order_id": "1234567890123456",
    "side": "buy",
    "size": SIXTEEN,
    "price": "1",
    "product_id": "A-USD",
    "sequence": 1369993346551234567,
    "time": LONG_TIME,
}
KRAKEN_BOOK = {
    "channel": "book",
    "type": "update",
    "data": [
        {
            "symbol": "A/USD",
            "bids": [{"price": Raw(SIXTEEN), "qty": Raw("123456789.12345678")}],
            "asks": [{"price": Raw(FIFTEEN), "qty": Raw("1000000000.00000000")}],
            "checksum": 4294967295,
        }
    ],
}
KRAKEN_STATUS = {"channel": "status", "data": [{"connection_id": 7204881492680171915}]}


@pytest.mark.parametrize(
    ("exchange", "frame", "counted"),
    [
        ("bybit", BYBIT_BOOK, {(OB, "X"): 3}),
        ("bybit_spot", BYBIT_TRADE, {(TRADES, "X"): 1}),
        ("bybit", BYBIT_TICKER, {(Dataset.FUNDINGS, "X"): 1, (Dataset.OPEN_INTERESTS, "X"): 2}),
        ("bybit", BYBIT_LIQUIDATION, {(Dataset.LIQUIDATIONS, "X"): 1}),
        ("coinbase", COINBASE_BOOK, {(OB, "A-USD"): 1, (OB, "B-USD"): 2}),
        ("coinbase", COINBASE_TICKER, {}),
        ("coinbase", COINBASE_HEARTBEAT, {}),
        ("coinbase_exchange", EXCHANGE_UPDATE, {(OB, "A-USD"): 2}),
        ("coinbase_exchange", EXCHANGE_MATCH, {(TRADES, "A-USD"): 1}),
        ("kraken", KRAKEN_BOOK, {(OB, "A/USD"): 2}),
        ("kraken", KRAKEN_STATUS, {}),
    ],
)
def test_only_values_that_become_floats_are_counted_under_their_dataset_and_symbol(
    exchange: str, frame: dict[str, object], counted: dict[tuple[Dataset, str], int]
):
    payload = msgspec.json.encode(frame)
    assert has_long_number(payload)
    assert EXCHANGES[exchange].decode(payload, 1)
    assert EXCHANGES[exchange].inexact(payload) == Counter(counted)


def test_bytes_that_are_no_text_in_an_unread_field_do_not_disturb_the_count():
    payload = (
        b'{"topic":"publicTrade.X","note":"\xff","data":[{"i":"1","T":1,"p":"%s","v":"1",'
        b'"S":"Buy","s":"X"}]}' % SIXTEEN.encode()
    )
    assert EXCHANGES["bybit"].decode(payload, 1)
    assert EXCHANGES["bybit"].inexact(payload) == Counter({(TRADES, "X"): 1})


LONG_ID, SHORT_ID = "2290000000061666327", "22900000"
NUMBERS = st.sampled_from([SIXTEEN, FIFTEEN, LONG_ID, "1", "0.10", "0.1234567890123456"])


@given(st.lists(st.tuples(st.sampled_from([LONG_ID, SHORT_ID]), NUMBERS, NUMBERS), min_size=1))
def test_long_ids_hide_no_long_value_however_the_frame_is_spaced(
    trades: list[tuple[str, str, str]],
):
    data = [
        {"i": number, "T": 1, "p": price, "v": size, "S": "Buy", "s": "X"}
        for number, price, size in trades
    ]
    payload = msgspec.json.encode({"topic": "publicTrade.X", "data": data})
    long = sum(significant_digits(text) > 15 for _, *values in trades for text in values)
    counted = Counter({(TRADES, "X"): long} if long else {})
    assert EXCHANGES["bybit"].inexact(payload) == counted
    assert EXCHANGES["bybit"].inexact(msgspec.json.format(payload)) == counted
