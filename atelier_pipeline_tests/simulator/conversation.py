"""A client of a simulated exchange on a virtual clock, and the plain book that it keeps."""

import json
from collections.abc import Iterable
from typing import Any

from atelier_pipeline.simulator.exchanges import Simulation
from atelier_pipeline.simulator.session import Closing, Outgoing, Session

START_NS = 1_767_225_600_000_000_000
SECOND_NS = 1_000_000_000

Message = dict[str, Any]


class Conversation:
    """One connection: what is said to it, and what it answers by when."""

    def __init__(
        self, exchange: str | Simulation, *, rate: float = 20.0, seed: int = 7, levels: int = 300
    ) -> None:
        if isinstance(exchange, str):
            exchange = Simulation(exchange, seed=seed, rate=rate, start_ns=START_NS, levels=levels)
        self.simulation = exchange
        self.now = exchange.venue.agenda.now
        self.session: Session = exchange.session()
        self.heard: list[Message] = self._hear(self.session.on_connect(self.now))

    def say(self, request: object) -> list[Message]:
        """Send a request (text as it is) and return what is sent back at once."""
        text = request if isinstance(request, str) else json.dumps(request)
        return self._hear(self.session.on_message(text, self.now))

    def wait(self, seconds: float) -> list[Message]:
        """Let time pass and return what is sent meanwhile."""
        self.now += round(seconds * SECOND_NS)
        return self._hear(self.session.tick(self.now))

    def steps(self, seconds: float) -> Iterable[list[Message]]:
        """Like wait, but instant by instant, so that the exchange's own book can be compared."""
        end = self.now + round(seconds * SECOND_NS)
        while (due := self.session.next_due() or end) < end:
            self.now = due
            yield self._hear(self.session.tick(due))
        self.now = end

    @property
    def closing(self) -> Closing | None:
        """How the exchange ended the connection; None while it did not."""
        return self.session.closing

    def _hear(self, sent: list[Outgoing]) -> list[Message]:
        times = [message.ts for message in sent]
        assert times == sorted(times)
        assert all(ts <= self.now for ts in times)
        return [json.loads(message.payload, parse_float=str, parse_int=str) for message in sent]


class PlainBook:
    """A book kept the obvious way: a dict of price and size text per side."""

    def __init__(self, depth: int | None = None) -> None:
        self.bids: dict[str, str] = {}
        self.asks: dict[str, str] = {}
        self._depth = depth

    def clear(self) -> None:
        self.bids.clear()
        self.asks.clear()

    def apply(self, bids: Iterable[Any], asks: Iterable[Any]) -> None:
        """Set or delete levels given as (price, size) text, then cut to the depth."""
        for side, levels, best_last in ((self.bids, bids, True), (self.asks, asks, False)):
            for price, size in levels:
                if float(size) == 0:
                    side.pop(price, None)
                else:
                    side[price] = size
            for price in sorted(side, key=float, reverse=best_last)[self._depth :]:
                if self._depth is not None:
                    del side[price]

    def sorted_levels(self) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Bids and asks as text, best first."""
        bids = sorted(self.bids.items(), key=lambda level: float(level[0]), reverse=True)
        asks = sorted(self.asks.items(), key=lambda level: float(level[0]))
        return bids, asks

    def numbers(self) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
        """Bids and asks as floats, best first."""
        bids, asks = self.sorted_levels()
        return (
            [(float(price), float(size)) for price, size in bids],
            [(float(price), float(size)) for price, size in asks],
        )


def best_bid_below_best_ask(book: PlainBook) -> bool:
    return max(map(float, book.bids)) < min(map(float, book.asks))
