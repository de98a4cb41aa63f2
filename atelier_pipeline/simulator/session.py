"""One client's connection, without a socket: text and time in, messages out.

A session is driven by whoever owns the socket or plays its part: `on_connect`, `on_message` and
`tick` take the time and return what is to be sent by then. Each message carries the time at which
the exchange sent it, which is never after that of a later one.
"""

from collections import deque
from collections.abc import Callable, Iterable
from random import Random
from typing import NamedTuple, Protocol

from atelier_pipeline.simulator.agenda import Agenda
from atelier_pipeline.simulator.venue import TrueBook, Venue, seeded


class Outgoing(NamedTuple):
    """A message and when the exchange sent it, in UTC ns. Text goes as text, bytes as binary."""

    ts: int
    payload: str | bytes


class Closing(NamedTuple):
    """How the exchange ends a connection; `code` None = the socket just dies, no close frame."""

    code: int | None
    reason: str = ""


class Shaper(Protocol):
    """What stands between the exchange and the socket: the seam for faults."""

    def incoming(self, text: str, now: int) -> None:
        """The client said `text`: have the session's client receive it, or not."""
        ...

    def outgoing(self, sent: list[Outgoing], now: int) -> list[Outgoing]:
        """The exchange sent messages; what is returned reaches the socket by `now`."""
        ...


class Client(Protocol):
    """An exchange's side of one connection."""

    def opened(self, now: int) -> None:
        """The connection is up."""
        ...

    def received(self, text: str, now: int) -> None:
        """The client sent `text`."""
        ...

    def closed(self) -> None:
        """The connection is gone: stop listening."""
        ...


class Desk(Protocol):
    """What all connections to one exchange share: its channels."""

    def client(self, line: "Line") -> Client:
        """Begin a connection's side of the protocol."""
        ...


class Line:
    """What a client's protocol may do with its connection."""

    def __init__(self, agenda: Agenda, rng: Random) -> None:
        self.agenda = agenda
        self.rng = rng
        self.outbox: deque[Outgoing] = deque()
        self.closing: Closing | None = None
        self.is_open = True

    def send(self, text: str, ts: int) -> None:
        """Send `text` at `ts`; nothing once the connection is closing."""
        if self.closing is None:
            self.outbox.append(Outgoing(ts, text))

    def close(self, closing: Closing) -> None:
        """End the connection after what is already in the outbox."""
        if self.closing is None:
            self.closing = closing

    def later(self, delay_ns: int, action: Callable[[int], None]) -> None:
        """Run `action` after a delay, if the connection is still open then."""

        def run(now: int) -> None:
            if self.is_open and self.closing is None:
                action(now)

        self.agenda.at(self.agenda.now + delay_ns, run)

    def every(self, period_ns: int, first_ns: int, action: Callable[[int], None]) -> None:
        """Run `action` at `first_ns` and every period after it, while the connection is open."""

        def run(now: int) -> None:
            if self.is_open and self.closing is None:
                action(now)
                self.agenda.at(max(now, first_ns) + period_ns, run)

        self.agenda.at(first_ns, run)


class Session:
    """One connection to one simulated exchange.

    Attributes:
        client: the exchange's side of the connection.
        number: of the connection, among those to its exchange; the first is 1.
        shaper: what happens to messages on their way; None = nothing.
    """

    def __init__(self, venue: Venue, desk: Desk, number: int) -> None:
        self._venue = venue
        rng = seeded(venue.seed, venue.exchange, "connection", number)
        self._line = Line(venue.agenda, rng)
        self.client = desk.client(self._line)
        self.number = number
        self.shaper: Shaper | None = None

    @property
    def exchange(self) -> str:
        """The exchange that the client is connected to."""
        return self._venue.exchange

    @property
    def closing(self) -> Closing | None:
        """How the exchange wants the connection to end; None while it does not."""
        return self._line.closing

    def on_connect(self, now: int) -> list[Outgoing]:
        """The client connected at `now`."""
        self._venue.agenda.run_until(now)
        self.client.opened(now)
        return self._drain(now)

    def on_message(self, text: str, now: int) -> list[Outgoing]:
        """The client sent `text`, which arrived at `now`."""
        self._venue.agenda.run_until(now)
        if self.shaper:
            self.shaper.incoming(text, now)
        else:
            self.client.received(text, now)
        return self._drain(now)

    def tick(self, now: int) -> list[Outgoing]:
        """Let time reach `now`."""
        self._venue.agenda.run_until(now)
        return self._drain(now)

    def next_due(self) -> int | None:
        """When something happens next on this exchange, in UTC ns."""
        return self._venue.agenda.next_due()

    def close(self) -> None:
        """The client is gone."""
        self._line.is_open = False
        self.client.closed()

    def receive_without(self, symbols: Iterable[str], text: str, now: int) -> None:
        """Have the exchange hear `text` as if it did not list `symbols`."""
        with self._venue.delisted(symbols):
            self.client.received(text, now)

    def receive_later(self, delay_ns: int, text: str) -> None:
        """Have the exchange hear `text` after a delay."""
        self._line.later(delay_ns, lambda now: self.client.received(text, now))

    def end(self, closing: Closing) -> None:
        """Have the exchange end the connection."""
        self._line.close(closing)

    def book(self, symbol: str, depth: int | None = None) -> TrueBook:
        """The exchange's own book of `symbol`. Raises KeyError where it has no such symbol."""
        return self._venue.book(symbol, depth)

    def _drain(self, now: int) -> list[Outgoing]:
        sent = list(self._line.outbox)
        self._line.outbox.clear()
        return self.shaper.outgoing(sent, now) if self.shaper else sent
