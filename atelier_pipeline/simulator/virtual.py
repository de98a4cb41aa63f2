"""Simulated frames without sockets, on a virtual clock: the same arguments give the same bytes."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.simulator.exchanges import PROTOCOLS, Simulation
from atelier_pipeline.simulator.faults import Faults
from atelier_pipeline.simulator.session import Outgoing, Session
from atelier_pipeline.simulator.venue import LEVELS, TrueBook, seeded
from atelier_pipeline.simulator.wire import NS_PER_SECOND

_LATENCY_NS = 2_000_000
_JITTER_NS = 3_000_000


class Frames(Iterator[tuple[int, bytes]]):
    """(ts_recv, payload) of what one connection receives, in order of arrival.

    Receive times are those of the messages plus a latency of 2 to 5 ms. When a frame with an order
    book message is handed out, `book` is the book that it leaves behind: nothing has happened
    since.
    """

    def __init__(
        self, session: Session, asked: Iterable[str], *, start_ns: int, end_ns: int
    ) -> None:
        self.session = session
        self._latency = seeded(session.exchange, session.number, start_ns, "latency")
        self._end_ns = end_ns
        self._received_ns = 0
        self._waiting: deque[Outgoing] = deque(session.on_connect(start_ns))
        for text in asked:
            self._waiting.extend(session.on_message(text, start_ns))

    def __iter__(self) -> "Frames":
        return self

    def __next__(self) -> tuple[int, bytes]:
        while not self._waiting:
            due = self.session.next_due()
            if due is None or due >= self._end_ns or self.session.closing:
                raise StopIteration
            self._waiting.extend(self.session.tick(due))
        return self._receive(self._waiting.popleft())

    def book(self, symbol: str, depth: int | None = None) -> TrueBook:
        """The exchange's own book at this moment. Raises KeyError where there is none."""
        return self.session.book(symbol, depth)

    def _receive(self, sent: Outgoing) -> tuple[int, bytes]:
        arrival = sent.ts + _LATENCY_NS + self._latency.randrange(_JITTER_NS)
        self._received_ns = max(self._received_ns + 1, arrival)
        payload = sent.payload.encode() if isinstance(sent.payload, str) else sent.payload
        return self._received_ns, payload


def frames(  # noqa: PLR0913 - one keyword per setting, each with a default
    exchange: str,
    symbols: Sequence[str],
    *,
    datasets: Iterable[Dataset] | None = None,
    depth: int | None = None,
    seed: int = 7,
    start_ns: int = 1_767_225_600 * NS_PER_SECOND,
    duration_s: float = 10.0,
    rate: float = 20.0,
    levels: int = LEVELS,
    faults: Faults | None = None,
) -> Frames:
    """What a client of the simulated `exchange` receives that subscribes `symbols`.

    Args:
        exchange: bybit | bybit_spot | coinbase | coinbase_exchange | kraken.
        symbols: in the exchange's own spelling.
        datasets: what to subscribe; None = everything that the exchange offers.
        depth: order book depth, as the exchange offers it; None = 50 on Bybit, 10 on Kraken.
        seed: another seed is another market.
        start_ns: when the client connects, UTC ns.
        duration_s: for how long, in seconds.
        rate: order book messages per second and symbol.
        levels: levels per side of the whole book.
        faults: what goes wrong; None = nothing.

    Raises ValueError for an exchange that is not simulated.
    """
    simulation = Simulation(exchange, seed=seed, rate=rate, start_ns=start_ns, levels=levels)
    simulation.faults = faults
    protocol = PROTOCOLS[exchange]
    wanted = protocol.datasets if datasets is None else frozenset(datasets)
    asked = protocol.requests(symbols, wanted, depth)
    end_ns = start_ns + round(duration_s * NS_PER_SECOND)
    return Frames(simulation.session(), asked, start_ns=start_ns, end_ns=end_ns)
