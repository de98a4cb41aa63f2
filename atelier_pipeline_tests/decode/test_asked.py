"""What a request was for, and what an answer to it can accept."""

from atelier_pipeline.decode.asked import Asked
from atelier_pipeline.decode.links import Link
from atelier_pipeline.decode.scope import Scope
from atelier_pipeline.decode.seal import seal
from atelier_pipeline.exchanges.contract import Topic
from atelier_pipeline.exchanges.registry import exchange_named
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline_tests.decode.script import WINDOW, at, frames_batch, losses

BYBIT = exchange_named("bybit_spot")
BOTH = frozenset({Dataset.ORDERBOOKS, Dataset.TRADES})
SYMBOLS = ("BTCUSDT", "ETHUSDT")
SCOPE = Scope(BYBIT, "mine", "live", dict.fromkeys(SYMBOLS, BOTH), 50)
LINK = Link(ordinal=0, connection=0, symbols=SYMBOLS, opened_frame=0)


def request_id(symbols: tuple[str, ...], *datasets: Dataset) -> str:
    (request,) = BYBIT.subscribe(symbols, frozenset(datasets), 50)
    assert request.request_id is not None
    return request.request_id


def ack(number: str) -> bytes:
    return (
        b'{"success":true,"ret_msg":"subscribe","req_id":"%s","op":"subscribe"}' % number.encode()
    )


def gaps_after_ack(number: str) -> list[tuple[object, ...]]:
    rows = [
        (at(-3), 0, "opened", b'{"symbols":["BTCUSDT","ETHUSDT"]}'),
        (at(4), 0, "text", ack(number)),
        (at(11), 0, "closed", b'{"cause":"ended"}'),
    ]
    sealed = seal([frames_batch(rows, 0)], SCOPE, WINDOW)
    return [loss[:5] for loss in losses(sealed.gaps["BTCUSDT"])]


def test_a_request_is_known_by_its_id_whoever_it_was_for():
    asked = Asked(SCOPE)
    books = (Topic("orderbook.50", "BTCUSDT"), Topic("orderbook.50", "ETHUSDT"))
    trades = (Topic("publicTrade", "BTCUSDT"), Topic("publicTrade", "ETHUSDT"))
    assert sorted(asked.topics(LINK, request_id(SYMBOLS, *BOTH)), key=str) == [*books, *trades]
    alone = request_id(("ETHUSDT",), Dataset.ORDERBOOKS)
    assert asked.topics(LINK, alone) == (Topic("orderbook.50", "ETHUSDT"),)
    assert asked.topics(LINK, "another") == asked.topics(LINK, None) == ()


def test_an_answer_to_the_request_of_a_book_does_not_accept_trades():
    never = ("trades", "late_start", "connection", 0.0, 10.0)
    assert never in gaps_after_ack(request_id(("BTCUSDT",), Dataset.ORDERBOOKS))


def test_an_answer_to_the_request_of_trades_or_to_an_unknown_one_does():
    streaming = ("trades", "late_start", "connection", 0.0, 4.0)
    for number in (request_id(SYMBOLS, *BOTH), "of another time"):
        assert streaming in gaps_after_ack(number)
