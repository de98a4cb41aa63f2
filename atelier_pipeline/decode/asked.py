"""Which topics a request was for, known by its id: equal requests have equal ids."""

from collections.abc import Iterator, Mapping

from atelier_pipeline.decode.links import Link
from atelier_pipeline.decode.scope import Scope
from atelier_pipeline.exchanges.contract import Request, Topic
from atelier_pipeline.exchanges.subscriptions import requests_for
from atelier_pipeline.market.datasets import Dataset


class Asked:
    """The requests that a capture may have sent on a connection.

    Those are of all its symbols together, of one symbol alone, and of one feed alone.
    """

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._by_symbols: dict[tuple[str, ...], dict[str, tuple[Topic, ...]]] = {}

    def topics(self, link: Link, request_id: str | None) -> tuple[Topic, ...]:
        """The topics of a request that was sent on a link; none where the request is not known."""
        if request_id is None:
            return ()
        if link.symbols not in self._by_symbols:
            made = self._requests(link.symbols)
            known = {request.request_id: request.topics for request in made if request.request_id}
            self._by_symbols[link.symbols] = known
        return self._by_symbols[link.symbols].get(request_id, ())

    def _requests(self, symbols: tuple[str, ...]) -> Iterator[Request]:
        datasets = {symbol: self._scope.datasets[symbol] for symbol in symbols}
        yield from self._of(datasets)
        for symbol, wanted in datasets.items():
            yield from self._of({symbol: wanted})
            for dataset in Dataset:
                if dataset in wanted:
                    yield from self._of({symbol: frozenset({dataset})})

    def _of(self, datasets: Mapping[str, frozenset[Dataset]]) -> list[Request]:
        depth = self._scope.depth_of(next(iter(datasets)))
        return requests_for(self._scope.exchange, datasets, depth)
