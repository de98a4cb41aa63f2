"""Which symbols share a connection, and what is asked for on it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from atelier_pipeline.exchanges.contract import Request, Topic
from atelier_pipeline.manifest import Collector
from atelier_pipeline.market.datasets import Dataset


@dataclass(frozen=True, slots=True)
class Share:
    """The symbols of one connection and the frames that subscribe them."""

    symbols: tuple[str, ...]
    requests: tuple[Request, ...]

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
    groups: dict[frozenset[Dataset], list[str]] = {}
    for symbol in symbols:
        groups.setdefault(collector.datasets[symbol], []).append(symbol)
    subscribe = collector.exchange.subscribe
    requests = [
        request
        for datasets, group in groups.items()
        for request in subscribe(group, datasets, collector.subscribed_depth)
    ]
    return Share(tuple(symbols), tuple(dict.fromkeys(requests)))
