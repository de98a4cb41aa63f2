"""Every exchange has all that docs/add-an-exchange.md asks for."""

import importlib
import pkgutil
from urllib.parse import urlsplit

import msgspec
import pytest

from atelier_pipeline import exchanges
from atelier_pipeline.exchanges.contract import (
    Acknowledged,
    ConnectionSequence,
    Exchange,
    Heartbeat,
    Refused,
)
from atelier_pipeline.exchanges.registry import EXCHANGES
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.events import Liquidation, NormalizedDelta, TickerUpdate, Trade
from atelier_pipeline_tests.exchanges.own_recordings import (
    FOLDER,
    as_json,
    expected_events,
    own_frames,
)

EVENT_OF_DATASET = {
    Dataset.ORDERBOOKS: NormalizedDelta,
    Dataset.TRADES: Trade,
    Dataset.LIQUIDATIONS: Liquidation,
    Dataset.FUNDINGS: TickerUpdate,
    Dataset.OPEN_INTERESTS: TickerUpdate,
}
NAMED = pytest.mark.parametrize(("name", "exchange"), EXCHANGES.items())


def smallest_depth(exchange: Exchange) -> int | None:
    return exchange.depths[0] if exchange.depths else None


def test_the_registry_holds_exactly_the_modules_that_define_an_exchange():
    modules = [
        importlib.import_module(f"{exchanges.__name__}.{found.name}")
        for found in pkgutil.iter_modules(exchanges.__path__)
    ]
    defined = {
        module.__name__.rpartition(".")[2]: module.EXCHANGE
        for module in modules
        if hasattr(module, "EXCHANGE")
    }
    assert defined == EXCHANGES


@NAMED
def test_an_exchange_is_registered_under_its_own_name(name: str, exchange: Exchange):
    assert exchange.name == name


@NAMED
def test_its_own_recording_decodes_to_exactly_the_events_beside_it(name: str, exchange: Exchange):
    decoded = [as_json(exchange.decode(payload, ts_recv)) for ts_recv, payload in own_frames(name)]
    assert decoded == expected_events(name)


@NAMED
def test_its_own_recording_shows_each_dataset_and_each_kind_of_answer(
    name: str, exchange: Exchange
):
    events = [e for ts_recv, text in own_frames(name) for e in exchange.decode(text, ts_recv)]
    kinds = {type(event) for event in events}
    wanted = {EVENT_OF_DATASET[dataset] for dataset in exchange.datasets}
    assert kinds >= wanted | {Acknowledged, Refused, Heartbeat}
    books = {event.is_snapshot for event in events if isinstance(event, NormalizedDelta)}
    assert books == {True, False}
    assert (ConnectionSequence in kinds) == (exchange.book_integrity == "connection_sequence")


def test_no_recording_is_left_without_an_exchange():
    assert {path.name.partition(".")[0] for path in FOLDER.iterdir()} == set(EXCHANGES)


@NAMED
def test_its_address_is_an_encrypted_websocket(name: str, exchange: Exchange):
    assert urlsplit(exchange.url).scheme == "wss", name
    assert urlsplit(exchange.url).hostname


@NAMED
def test_its_depths_ascend_and_its_proof_of_a_whole_book_is_a_known_one(
    name: str, exchange: Exchange
):
    assert list(exchange.depths) == sorted(set(exchange.depths)), name
    assert exchange.book_integrity in {
        "update_id",
        "checksum_top10",
        "connection_sequence",
        "none",
    }
    assert exchange.cuts_to_depth <= bool(exchange.depths)


@NAMED
def test_it_offers_books_and_trades_at_least(name: str, exchange: Exchange):
    assert exchange.datasets >= {Dataset.ORDERBOOKS, Dataset.TRADES}, name


@NAMED
def test_its_ping_is_json_and_differs_by_id(name: str, exchange: Exchange):
    if exchange.ping is None:
        assert exchange.ping_interval_secs == 0
        return
    assert exchange.ping_interval_secs > 0
    first, second = exchange.ping("1"), exchange.ping("p2")
    assert isinstance(msgspec.json.decode(first), dict), name
    assert first == exchange.ping("1") != second


@NAMED
@pytest.mark.parametrize("count", [1, 3, 120])
def test_its_requests_cover_every_symbol_of_every_channel_once(
    name: str, exchange: Exchange, count: int
):
    symbols = [f"S{number}-USD" for number in range(count)]
    asked = (symbols, exchange.datasets, smallest_depth(exchange))
    requests = exchange.subscribe(*asked)
    topics = [topic for request in requests for topic in request.topics]
    assert len(set(topics)) == len(topics)
    channels = {topic.channel for topic in topics if topic.symbol}
    assert {(topic.channel, topic.symbol) for topic in topics if topic.symbol} == {
        (channel, symbol) for channel in channels for symbol in symbols
    }
    ids = [request.request_id for request in requests if request.request_id is not None]
    assert len(set(ids)) == len(ids)
    assert all(isinstance(msgspec.json.decode(r.payload), dict) for r in requests), name
    assert exchange.subscribe(*asked) == requests


@NAMED
def test_an_unsubscription_names_topics_that_were_subscribed_under_other_ids(
    name: str, exchange: Exchange
):
    asked = (["A-USD", "B-USD"], frozenset({Dataset.ORDERBOOKS}), smallest_depth(exchange))
    subscribed, unsubscribed = exchange.subscribe(*asked), exchange.unsubscribe(*asked)
    topics = {topic for request in subscribed for topic in request.topics}
    left = {topic for request in unsubscribed for topic in request.topics}
    assert left <= topics, name
    assert {topic.symbol for topic in left} == {"A-USD", "B-USD"}
    ids = [r.request_id for r in (*subscribed, *unsubscribed) if r.request_id is not None]
    assert len(set(ids)) == len(ids)


@NAMED
def test_a_symbol_is_sent_as_data_whatever_it_holds(name: str, exchange: Exchange):
    strange = 'A"}\\\n☃'
    asked = ([strange], exchange.datasets, smallest_depth(exchange))
    sent = [msgspec.json.decode(request.payload) for request in exchange.subscribe(*asked)]
    assert any(strange in text for text in _texts(sent)), name


def _texts(node: object):
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from _texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from _texts(value)
