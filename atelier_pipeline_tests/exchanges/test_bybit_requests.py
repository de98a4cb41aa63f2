"""What is sent to Bybit, on linear and on spot."""

import msgspec
import pytest

from atelier_pipeline.exchanges.bybit import EXCHANGE as LINEAR
from atelier_pipeline.exchanges.bybit_spot import EXCHANGE as SPOT
from atelier_pipeline.exchanges.contract import Exchange, Request, Topic
from atelier_pipeline.market.datasets import Dataset

BOTH = pytest.mark.parametrize("exchange", [LINEAR, SPOT], ids=["linear", "spot"])
ALL = frozenset(Dataset)
BOOKS = frozenset({Dataset.ORDERBOOKS})


def test_the_two_feeds_differ_by_address_and_datasets():
    assert (LINEAR.url, SPOT.url) == (
        "wss://stream.bybit.com/v5/public/linear",
        "wss://stream.bybit.com/v5/public/spot",
    )
    assert LINEAR.datasets == ALL
    assert SPOT.datasets == {Dataset.ORDERBOOKS, Dataset.TRADES}


def sent(request: Request) -> dict[str, object]:
    return msgspec.json.decode(request.payload)


def test_a_subscription_asks_for_each_dataset_and_for_tickers_once():
    (request,) = LINEAR.subscribe(["BTCUSDT", "ETHUSDT"], ALL, 200)
    args = [
        "orderbook.200.BTCUSDT",
        "orderbook.200.ETHUSDT",
        "publicTrade.BTCUSDT",
        "publicTrade.ETHUSDT",
        "allLiquidation.BTCUSDT",
        "allLiquidation.ETHUSDT",
        "tickers.BTCUSDT",
        "tickers.ETHUSDT",
    ]
    assert sent(request) == {"req_id": request.request_id, "op": "subscribe", "args": args}
    assert [f"{topic.channel}.{topic.symbol}" for topic in request.topics] == args
    assert request.topics[0] == Topic("orderbook.200", "BTCUSDT")


@pytest.mark.parametrize("dataset", [Dataset.FUNDINGS, Dataset.OPEN_INTERESTS])
def test_funding_and_open_interest_are_each_a_ticker_subscription(dataset: Dataset):
    (request,) = LINEAR.subscribe(["BTCUSDT"], frozenset({dataset}), None)
    assert request.topics == (Topic("tickers", "BTCUSDT"),)


def test_nothing_asked_is_nothing_sent():
    assert LINEAR.subscribe([], ALL, 50) == LINEAR.subscribe(["BTCUSDT"], frozenset(), 50) == []


@BOTH
def test_no_request_has_more_than_10_args(exchange: Exchange):
    symbols = [f"S{number}" for number in range(23)]
    requests = exchange.subscribe(symbols, BOOKS, 50)
    assert [len(request.topics) for request in requests] == [10, 10, 3]


@BOTH
def test_the_most_topics_of_a_connection_stay_below_21000_characters(exchange: Exchange):
    longest = max(len("allLiquidation."), len("orderbook.1000."))
    assert exchange.max_topics * (longest + len("1000000BABYDOGEUSDT")) < 21_000


def test_one_book_can_be_left_and_asked_for_again():
    (left,) = LINEAR.unsubscribe(["BTCUSDT"], BOOKS, 50)
    (asked,) = LINEAR.subscribe(["BTCUSDT"], BOOKS, 50)
    assert sent(left) == {
        "req_id": left.request_id,
        "op": "unsubscribe",
        "args": ["orderbook.50.BTCUSDT"],
    }
    assert left.topics == asked.topics
    assert left.request_id != asked.request_id


def test_a_ping_is_sent_every_20_seconds():
    assert LINEAR.ping is not None
    assert LINEAR.ping("p1") == '{"req_id":"p1","op":"ping"}'
    assert LINEAR.ping_interval_secs == SPOT.ping_interval_secs == 20


@pytest.mark.parametrize(
    ("wanted", "offered"), [(1, 1), (10, 50), (50, 50), (51, 200), (1000, 1000)]
)
def test_the_smallest_offered_depth_that_is_enough_is_chosen(wanted: int, offered: int):
    assert LINEAR.offered_depth(wanted) == SPOT.offered_depth(wanted) == offered


def test_more_levels_than_are_offered_are_refused():
    with pytest.raises(ValueError, match="at most 1000 levels, not 1001"):
        LINEAR.offered_depth(1001)
