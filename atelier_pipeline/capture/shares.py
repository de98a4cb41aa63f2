"""Which symbols share a connection, and what is asked for on it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from atelier_pipeline.exchanges.contract import Request, Topic
from atelier_pipeline.exchanges.subscriptions import requests_for
from atelier_pipeline.manifest import Collector
from atelier_pipeline.market.datasets import Dataset


@dataclass(frozen=True, slots=True)
class Share:
    """The symbols of one connection and what is sent for them.

    Attributes:
        requests: subscribe everything.
        books: by symbol with an order book, unsubscribe it and subscribe it again.
        alone: by topic of a symbol, subscribe it alone.
    """

    symbols: tuple[str, ...]
    requests: tuple[Request, ...]
    books: Mapping[str, tuple[Request, ...]]
    alone: Mapping[Topic, Request]

    @property
    def topics(self) -> tuple[Topic, ...]:
        """Every topic asked for."""
        return tuple(topic for request in self.requests for topic in request.topics)


def shares(collector: Collector) -> list[Share]:
    """The collector's symbols, in order, on as few connections as the exchange's limit allows."""
    made: list[Share] = []
    for symbol in collector.symbols:
        widened = share_of(collector, (*made[-1].symbols, symbol)) if made else None
        if widened and len(widened.topics) <= collector.exchange.max_topics:
            made[-1] = widened
        else:
            made.append(share_of(collector, (symbol,)))
    return made


def share_of(collector: Collector, symbols: Sequence[str]) -> Share:
    """What is asked for so that `symbols` are captured on one connection."""
    datasets = {symbol: collector.datasets[symbol] for symbol in symbols}
    requests = requests_for(collector.exchange, datasets, collector.subscribed_depth)
    books = {
        symbol: _again(collector, symbol)
        for symbol in symbols
        if Dataset.ORDERBOOKS in collector.datasets[symbol]
    }
    return Share(tuple(symbols), tuple(requests), books, _alone(collector, symbols))


def _alone(collector: Collector, symbols: Sequence[str]) -> dict[Topic, Request]:
    subscribe, depth = collector.exchange.subscribe, collector.subscribed_depth
    requests = [
        request
        for symbol in symbols
        for dataset in Dataset
        if dataset in collector.datasets[symbol]
        for request in subscribe([symbol], frozenset({dataset}), depth)
    ]
    return {topic: request for request in requests for topic in request.topics if topic.symbol}


def _again(collector: Collector, symbol: str) -> tuple[Request, ...]:
    book, depth = frozenset({Dataset.ORDERBOOKS}), collector.subscribed_depth
    requests = [
        *collector.exchange.unsubscribe([symbol], book, depth),
        *collector.exchange.subscribe([symbol], book, depth),
    ]
    return tuple(request for request in requests if any(topic.symbol for topic in request.topics))
