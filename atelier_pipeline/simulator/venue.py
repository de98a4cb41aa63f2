"""A simulated exchange without its protocol: its symbols' running markets and their clock."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from random import Random
from typing import NamedTuple

from atelier_pipeline.simulator.agenda import Agenda
from atelier_pipeline.simulator.listings import ASSETS, LISTINGS, Listing
from atelier_pipeline.simulator.market import FairPrice, Fill, Instrument, Ladder, Liquidation, Step
from atelier_pipeline.simulator.perpetual import Perpetual
from atelier_pipeline.simulator.wire import NS_PER_SECOND

LEVELS = 1_500
"""Levels per side of a simulated book, where the price leaves room for them."""

_STEPS_BEFORE_OPENING = 200
_TRADES_REMEMBERED = 100
_DRIFT_SECS = 2.0
_LIQUIDATION_SECS = 8.0
_PERPETUALS = frozenset({"bybit"})


def seeded(*names: object) -> Random:
    """A generator of its own for every name, the same one in every run."""
    return Random("/".join(map(str, names)))  # noqa: S311 - a simulation must be repeatable


class TrueBook(NamedTuple):
    """Bids and asks as (price, size), best first; the floats nearest to the exact decimals."""

    bids: list[tuple[float, float]]
    asks: list[tuple[float, float]]


class Tape:
    """The running market of one symbol: who listens hears every step, in order.

    Attributes:
        sequence: grows with every step, by more than one at times, as exchanges' own do.
        history: the last trades, oldest first; there are some before the first step is heard.
        last_step_ns: time of the newest step.
    """

    def __init__(self, venue: "Venue", listing: Listing) -> None:
        names = (venue.seed, venue.exchange, listing.symbol)
        fair = venue.fair(listing.asset)
        self.listing = listing
        self.agenda = venue.agenda
        self.book = Instrument(listing, fair, seeded(*names), levels=venue.levels)
        self.perpetual: Perpetual | None = None
        self.history: deque[Fill] = deque(maxlen=_TRADES_REMEMBERED)
        self._rng = seeded(*names, "pace")
        self.sequence = self._rng.randrange(10**9, 10**11)
        self.last_step_ns = 0
        self._gap_ns = NS_PER_SECOND / venue.rate
        self._listeners: list[Callable[[Step], None]] = []
        self._liquidation_listeners: list[Callable[[Liquidation], None]] = []
        self._open(self.agenda.now)
        if venue.exchange in _PERPETUALS:
            self.perpetual = Perpetual(self.book, fair, seeded(*names, "perpetual"))
            self._start_perpetual(self.perpetual)

    def listen(self, listener: Callable[[Step], None]) -> None:
        """Have every later step given to `listener`."""
        self._listeners.append(listener)

    def listen_liquidations(self, listener: Callable[[Liquidation], None]) -> None:
        """Have every later liquidation given to `listener`, after its step."""
        self._liquidation_listeners.append(listener)

    def _open(self, now: int) -> None:
        self.book.open(now)
        for ago in range(_STEPS_BEFORE_OPENING, 0, -1):
            self._hear(self.book.step((now - round(ago * self._gap_ns)) | 1))
        self.agenda.at(self._later(now, 0.5 + self._rng.random()), self._run)

    def _run(self, now: int) -> None:
        self._hear(self.book.step(now))
        self.agenda.at(self._later(now, 0.5 + self._rng.random()), self._run)

    def _later(self, now: int, gaps: float) -> int:
        """A time of its own: odd, so that no step falls on a batch boundary."""
        return (now + round(gaps * self._gap_ns)) | 1

    def _hear(self, step: Step) -> None:
        self.sequence += 1 + int(self._rng.random() * 4)
        self.last_step_ns = step.ts
        self.history.extend(step.fills)
        for listener in self._listeners:
            listener(step)

    def _start_perpetual(self, perpetual: Perpetual) -> None:
        def drift(now: int) -> None:
            perpetual.drift()
            self.agenda.at(now + self._wait(_DRIFT_SECS), drift)

        def liquidate(now: int) -> None:
            step, liquidation = self.book.liquidate(now)
            self._hear(step)
            for listener in self._liquidation_listeners:
                listener(liquidation)
            self.agenda.at(now + self._wait(_LIQUIDATION_SECS), liquidate)

        self.agenda.at(self.agenda.now + self._wait(_DRIFT_SECS), drift)
        self.agenda.at(self.agenda.now + self._wait(_LIQUIDATION_SECS), liquidate)

    def _wait(self, mean_secs: float) -> int:
        return round(self._rng.expovariate(1 / mean_secs) * NS_PER_SECOND) | 1


class Venue:
    """One exchange's markets. A symbol's market begins when it is first asked for, and runs on."""

    def __init__(
        self, exchange: str, *, seed: int, rate: float, start_ns: int, levels: int = LEVELS
    ) -> None:
        if exchange not in LISTINGS:
            raise ValueError(f"no simulated exchange {exchange!r}; there are {sorted(LISTINGS)}")
        if rate <= 0:
            raise ValueError(f"rate is {rate} book messages per second, not above 0")
        self.exchange = exchange
        self.seed = seed
        self.rate = rate
        self.levels = levels
        self.agenda = Agenda(start_ns)
        self._fairs: dict[str, FairPrice] = {}
        self._tapes: dict[str, Tape] = {}
        self._delisted: frozenset[str] = frozenset()

    def fair(self, asset: str) -> FairPrice:
        """The price that all exchanges of one seed agree on."""
        if asset not in self._fairs:
            self._fairs[asset] = FairPrice(seeded(self.seed, asset), ASSETS[asset])
        return self._fairs[asset]

    def lists(self, symbol: str) -> bool:
        """Whether the exchange has `symbol`, in its own spelling."""
        return symbol in LISTINGS[self.exchange] and symbol not in self._delisted

    @contextmanager
    def delisted(self, symbols: Iterable[str]) -> Generator[None]:
        """Pretend, while the context is open, that there are no such symbols."""
        self._delisted = frozenset(symbols)
        try:
            yield
        finally:
            self._delisted = frozenset()

    def tape(self, symbol: str) -> Tape:
        """The running market of `symbol`. Raises KeyError where the exchange has none."""
        if symbol not in self._tapes:
            self._tapes[symbol] = Tape(self, LISTINGS[self.exchange][symbol])
        return self._tapes[symbol]

    def period_ns(self, cadence_ms: int) -> int:
        """How often a batched channel publishes.

        Every `cadence_ms`, as the exchange has it, unless the market is asked to be faster: then
        often enough that every step gets a message of its own.
        """
        cadence_ns = cadence_ms * 1_000_000
        if self.rate * cadence_ns <= NS_PER_SECOND:
            return cadence_ns
        return max(2, int(0.5 * NS_PER_SECOND / self.rate) // 2 * 2)

    def book(self, symbol: str, depth: int | None = None) -> TrueBook:
        """The book as the exchange itself has it."""
        tape = self.tape(symbol)
        price_unit = 10**tape.listing.price_digits
        size_unit = 10**tape.listing.size_digits

        def side(ladder: Ladder) -> list[tuple[float, float]]:
            return [(price / price_unit, size / size_unit) for price, size in ladder.levels(depth)]

        return TrueBook(side(tape.book.bids), side(tape.book.asks))
