"""The simulated exchanges by name: how each one's protocol begins, and how to subscribe to it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.simulator import bybit, coinbase, coinbase_exchange, kraken
from atelier_pipeline.simulator.faults import Faults
from atelier_pipeline.simulator.session import Desk, Session
from atelier_pipeline.simulator.venue import LEVELS, Venue

_SPOT = frozenset({Dataset.ORDERBOOKS, Dataset.TRADES})


@dataclass(frozen=True, slots=True)
class Protocol:
    """One exchange's protocol.

    Attributes:
        desk: begins what its connections share.
        requests: (symbols, datasets, depth) → the frames that a client sends to subscribe them.
        datasets: what the exchange offers.
    """

    desk: Callable[[Venue], Desk]
    requests: Callable[[Sequence[str], frozenset[Dataset], int | None], list[str]]
    datasets: frozenset[Dataset]


PROTOCOLS: dict[str, Protocol] = {
    "bybit": Protocol(bybit.BybitDesk, bybit.requests, frozenset(Dataset)),
    "bybit_spot": Protocol(bybit.BybitDesk, bybit.requests, _SPOT),
    "coinbase": Protocol(coinbase.CoinbaseDesk, coinbase.requests, _SPOT),
    "coinbase_exchange": Protocol(
        coinbase_exchange.CoinbaseExchangeDesk, coinbase_exchange.requests, _SPOT
    ),
    "kraken": Protocol(kraken.KrakenDesk, kraken.requests, _SPOT),
}


class Simulation:
    """One simulated exchange: its market, its protocol and its connections.

    Attributes:
        faults: what goes wrong on its connections; None = nothing.
    """

    def __init__(
        self, exchange: str, *, seed: int, rate: float, start_ns: int, levels: int = LEVELS
    ) -> None:
        self.faults: Faults | None = None
        self.venue = Venue(exchange, seed=seed, rate=rate, start_ns=start_ns, levels=levels)
        self._desk = PROTOCOLS[exchange].desk(self.venue)
        self._connections = 0

    def catch_up(self, now: int) -> int:
        """Let the markets run towards `now`; returns how far they are, in UTC ns.

        See Agenda.catch_up: a market too slow for its rate leaves out what it is late with.
        """
        self.venue.agenda.catch_up(now)
        return self.venue.agenda.now

    def session(self) -> Session:
        """A new connection; the first is number 1."""
        self._connections += 1
        session = Session(self.venue, self._desk, self._connections)
        if self.faults:
            self.faults.befall(session)
        return session
