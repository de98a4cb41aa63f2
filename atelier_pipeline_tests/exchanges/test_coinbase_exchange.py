"""The traps of the Coinbase Exchange feed."""

import msgspec
import pytest

from atelier_pipeline.errors import DecodeError
from atelier_pipeline.exchanges.coinbase_exchange import EXCHANGE
from atelier_pipeline.exchanges.contract import Acknowledged, Heartbeat, Refused, Topic
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.events import NormalizedDelta, Trade

NOW = 1_800_000_000_500_000_000
SECOND = 1_800_000_000_000_000_000
TIME = "2027-01-15T08:00:00.053813Z"
TS = SECOND + 53_813_000
BOTH = frozenset({Dataset.ORDERBOOKS, Dataset.TRADES})


def frame(kind: str, **fields: object) -> bytes:
    return msgspec.json.encode({"type": kind, "product_id": "BTC-USD", "time": TIME} | fields)


def delta(**fields: object) -> NormalizedDelta:
    defaults: dict[str, object] = {
        "exchange": "coinbase_exchange",
        "symbol": "BTC-USD",
        "ts_event": TS,
        "ts_recv": NOW,
        "is_snapshot": False,
        "bids": [],
        "asks": [],
    }
    return NormalizedDelta(**(defaults | fields))


def test_a_snapshot_is_the_whole_book():
    payload = frame("snapshot", asks=[["64001.25", "0.5"], ["64002", "1"]], bids=[["64000.5", "2"]])
    asks = [(64001.25, 0.5), (64002.0, 1.0)]
    expected = delta(is_snapshot=True, bids=[(64000.5, 2.0)], asks=asks)
    assert EXCHANGE.decode(payload, NOW) == [expected]


def test_an_old_snapshot_has_no_time_of_its_own():
    payload = b'{"type":"snapshot","product_id":"BTC-USD","asks":[],"bids":[["1","2"]]}'
    assert EXCHANGE.decode(payload, NOW) == [delta(is_snapshot=True, bids=[(1.0, 2.0)], ts_event=0)]
    assert EXCHANGE.decode(payload, 0) == [
        delta(is_snapshot=True, bids=[(1.0, 2.0)], ts_event=0, ts_recv=0)
    ]


def test_a_batch_of_changes_is_one_message_with_each_side_in_its_order():
    changes = [["sell", "4", "1"], ["buy", "2", "1"], ["sell", "3", "0.5"], ["buy", "1", "0.25"]]
    assert EXCHANGE.decode(frame("l2update", changes=changes), NOW) == [
        delta(bids=[(2.0, 1.0), (1.0, 0.25)], asks=[(4.0, 1.0), (3.0, 0.5)])
    ]


@pytest.mark.parametrize("zero", ["0", "0.0", "0.00", "0.00000000"])
def test_every_spelling_of_zero_deletes(zero: str):
    payload = frame("l2update", changes=[["buy", "64000.50", zero]])
    assert EXCHANGE.decode(payload, NOW) == [delta(bids=[(64000.5, 0.0)])]


def test_the_year_1_is_no_time():
    payload = frame("l2update", changes=[["buy", "1", "1"]], time="0001-01-01T00:00:00.000000Z")
    assert EXCHANGE.decode(payload, NOW) == [delta(bids=[(1.0, 1.0)], ts_event=0)]


def test_a_size_that_is_no_number_refuses_the_snapshot():
    with pytest.raises(DecodeError, match=r"bids\[0\]"):
        EXCHANGE.decode(frame("snapshot", asks=[], bids=[["64000.5", "0.-10000"]]), NOW)


@pytest.mark.parametrize(
    "change", [["bid", "1", "1"], ["buy", "0", "1"], ["buy", "1"], ["buy", "1", "-1"]], ids=str
)
def test_a_change_that_cannot_be_refuses_the_frame(change: list[str]):
    with pytest.raises(DecodeError, match="coinbase_exchange"):
        EXCHANGE.decode(frame("l2update", changes=[change]), NOW)


MATCH: dict[str, object] = {
    "trade_id": 9003,
    "maker_order_id": "m",
    "taker_order_id": "t",
    "size": "0.1",
    "price": "64000.50",
    "sequence": 136999334655,
}


@pytest.mark.parametrize(("maker", "taker"), [("buy", "sell"), ("sell", "buy")])
@pytest.mark.parametrize(("kind", "is_history"), [("match", False), ("last_match", True)])
def test_a_match_has_the_maker_s_side_and_the_last_match_is_history(
    maker: str, taker: str, kind: str, *, is_history: bool
):
    assert EXCHANGE.decode(frame(kind, side=maker, **MATCH), NOW) == [
        Trade(
            exchange="coinbase_exchange",
            symbol="BTC-USD",
            side=taker,
            price=64000.5,
            amount=0.1,
            id="9003",
            ts_event=TS,
            ts_recv=NOW,
            is_history=is_history,
        )
    ]


def test_a_ticker_which_has_the_taker_s_side_is_not_taken_for_a_trade():
    assert EXCHANGE.decode(frame("ticker", side="sell", **MATCH), NOW) == []


@pytest.mark.parametrize("kind", ["received", "open", "done", "change", "status", "of tomorrow"])
def test_frames_of_no_interest_give_nothing(kind: str):
    assert EXCHANGE.decode(frame(kind), NOW) == []


def test_a_heartbeat_tells_the_last_trade_of_its_product():
    payload = frame("heartbeat", last_trade_id=9003, sequence=136999334834)
    beat = Heartbeat(ts_event=TS, symbol="BTC-USD", last_trade_id=9003)
    assert EXCHANGE.decode(payload, NOW) == [beat]


def test_an_ack_is_cumulative_and_calls_the_batched_book_level2_50():
    channels = [
        {"name": "level2_50", "product_ids": ["BTC-USD", "ETH-USD"], "account_ids": None},
        {"name": "matches", "product_ids": ["BTC-USD"], "account_ids": None},
    ]
    payload = msgspec.json.encode({"type": "subscriptions", "channels": channels})
    topics = (
        Topic("level2_batch", "BTC-USD"),
        Topic("level2_batch", "ETH-USD"),
        Topic("matches", "BTC-USD"),
    )
    assert EXCHANGE.decode(payload, NOW) == [Acknowledged(topics=topics)]


@pytest.mark.parametrize("channels", [b"[]", b'[{"name":"level2_50","product_ids":[]}]'])
def test_an_ack_of_nothing_left_accepts_nothing(channels: bytes):
    assert EXCHANGE.decode(b'{"type":"subscriptions","channels":' + channels + b"}", NOW) == []


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        (
            {"message": "Failed to subscribe", "reason": "X-USDC is not a valid product"},
            Refused(
                reason="Failed to subscribe: X-USDC is not a valid product",
                topic=Topic("", "X-USD"),
            ),
        ),
        ({"message": "ErrSlowConsume"}, Refused(reason="ErrSlowConsume")),
    ],
)
def test_an_error_is_refused_in_the_exchange_s_words_with_the_product_they_name(
    fields: dict[str, str], refused: Refused
):
    payload = msgspec.json.encode({"type": "error"} | fields)
    assert EXCHANGE.decode(payload, NOW) == [refused]


def test_one_frame_subscribes_to_channels_that_need_no_key_and_to_heartbeats():
    (request,) = EXCHANGE.subscribe(["BTC-USD", "ETH-USD"], BOTH, None)
    assert msgspec.json.decode(request.payload) == {
        "type": "subscribe",
        "product_ids": ["BTC-USD", "ETH-USD"],
        "channels": ["level2_batch", "matches", "heartbeat"],
    }
    assert request.topics == tuple(
        Topic(channel, product)
        for channel in ("level2_batch", "matches", "heartbeat")
        for product in ("BTC-USD", "ETH-USD")
    )
    assert request.request_id is None


def test_leaving_one_book_keeps_its_trades_and_heartbeats():
    (request,) = EXCHANGE.unsubscribe(["BTC-USD"], frozenset({Dataset.ORDERBOOKS}), None)
    assert msgspec.json.decode(request.payload) == {
        "type": "unsubscribe",
        "product_ids": ["BTC-USD"],
        "channels": ["level2_batch"],
    }


def test_a_usdc_product_is_asked_for_by_its_name_and_expected_under_usd():
    (request,) = EXCHANGE.subscribe(["BTC-USDC"], frozenset({Dataset.TRADES}), None)
    assert msgspec.json.decode(request.payload)["product_ids"] == ["BTC-USDC"]
    assert request.topics == (Topic("matches", "BTC-USD"), Topic("heartbeat", "BTC-USD"))


def test_no_number_on_the_book_means_that_nothing_proves_it_whole():
    assert EXCHANGE.book_integrity == "none"
    assert EXCHANGE.trade_ids_contiguous
