import msgspec

from atelier_pipeline.exchanges.contract import Topic
from atelier_pipeline.exchanges.registry import exchange_named
from atelier_pipeline.exchanges.subscriptions import (
    frame_text,
    in_chunks,
    request_number,
    requests_for,
)
from atelier_pipeline.market.datasets import Dataset

BOOK, TRADES = Topic("book", "A"), Topic("trades", "A")


def test_chunks_keep_the_order_and_leave_nothing_out():
    assert list(in_chunks([1, 2, 3, 4, 5], 2)) == [[1, 2], [3, 4], [5]]
    assert list(in_chunks([], 2)) == []


def test_a_request_number_depends_on_what_is_asked_and_on_nothing_else():
    number = request_number("subscribe", [BOOK, TRADES])
    assert number == request_number("subscribe", [BOOK, TRADES])
    others = {
        request_number("unsubscribe", [BOOK, TRADES]),
        request_number("subscribe", [TRADES, BOOK]),
        request_number("subscribe", [BOOK]),
        request_number("subscribe", []),
    }
    assert len(others - {number}) == 4


def test_a_request_number_is_an_integer_that_every_json_parser_keeps():
    numbers = [request_number("subscribe", [Topic("book", str(i))]) for i in range(1000)]
    assert len(set(numbers)) == 1000
    assert all(0 <= number < 2**53 for number in numbers)


def test_frame_text_is_compact_json():
    text = frame_text({"op": "ping", "args": ["é"]})
    assert text == '{"op":"ping","args":["é"]}'
    assert msgspec.json.decode(text) == {"op": "ping", "args": ["é"]}


def test_symbols_with_equal_datasets_share_requests_and_others_get_their_own():
    exchange = exchange_named("kraken")
    books = frozenset({Dataset.ORDERBOOKS})
    both = books | {Dataset.TRADES}
    wanted = {"BTC/USD": books, "ETH/USD": both, "SOL/USD": books}
    assert requests_for(exchange, wanted, 10) == [
        *exchange.subscribe(["BTC/USD", "SOL/USD"], books, 10),
        *exchange.subscribe(["ETH/USD"], both, 10),
    ]


def test_a_request_that_every_group_makes_is_sent_once():
    exchange = exchange_named("coinbase")
    books = frozenset({Dataset.ORDERBOOKS})
    wanted = {"BTC-USD": books, "ETH-USD": books | {Dataset.TRADES}}
    payloads = [request.payload for request in requests_for(exchange, wanted, None)]
    assert len(payloads) == len(set(payloads))
    assert sum("heartbeats" in payload for payload in payloads) == 1
