"""Captures on a virtual clock: the capture's own rules before a simulated exchange, no sockets.

What a capture decides is the package's own: what to send (shares), what was answered and what broke
(Listener, Lane), when to ask again (Repairs), when to connect again (delays). Played here are the
event loop, which looks every 0.1 s, and the network, which takes 2 to 5 ms.

A witness, subscribed from the beginning and struck by no fault, hears what the exchange says.
"""

import random
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pyarrow as pa

from atelier_pipeline.capture.attempts import Attempts
from atelier_pipeline.capture.backoff import delays_secs
from atelier_pipeline.capture.connection import ANSWER_TIMEOUT_SECS, Line
from atelier_pipeline.capture.frames import Frame, FrameQueue
from atelier_pipeline.capture.lane import Lane
from atelier_pipeline.capture.listener import Listener
from atelier_pipeline.capture.repairs import Repairs
from atelier_pipeline.capture.shares import Share, shares
from atelier_pipeline.capture.states import ConnectionState
from atelier_pipeline.capture.subscriptions import Subscriptions
from atelier_pipeline.capture.supervisor import POLL_SECS
from atelier_pipeline.decode.control import CloseCause, Closed, Dropped, Opened, control_payload
from atelier_pipeline.decode.seal import Sealed, seal
from atelier_pipeline.exchanges.contract import Request
from atelier_pipeline.exchanges.registry import exchange_named
from atelier_pipeline.lake.journal import Damage
from atelier_pipeline.manifest import Collector
from atelier_pipeline.market.events import NormalizedDelta, Trade
from atelier_pipeline.market.window import Window
from atelier_pipeline.pipeline import scope_of
from atelier_pipeline.simulator import Fault, Faults, Script
from atelier_pipeline.simulator.exchanges import PROTOCOLS, Simulation
from atelier_pipeline.simulator.session import Outgoing, Session
from atelier_pipeline.simulator.venue import TrueBook
from atelier_pipeline_tests.decode.script import frames_batch
from atelier_pipeline_tests.reliability.collectors import NS_PER_SEC, SYMBOLS

T0 = 1_767_225_600 * NS_PER_SEC
POLL_NS = round(POLL_SECS * NS_PER_SEC)
FRAME_BYTES = 1_000_000
"""The limit of a frame; one that is larger ends its connection."""

WITNESS = 1
"""The number of the witness's connection; those of captures follow."""


@dataclass
class Truth:
    """What the exchange itself has: trades by symbol and id, and books after each message.

    Attributes:
        trades: (ts_event, side, price, amount) by (symbol, id).
        books: by symbol, the (ts_event, book) of each message that changed it, in order.
    """

    trades: dict[tuple[str, str], tuple[int, str, float, float]] = field(default_factory=dict)
    books: dict[str, list[tuple[int, TrueBook]]] = field(default_factory=dict)

    def book_before(self, symbol: str, moment_ns: int) -> TrueBook:
        """The book as the messages before a moment leave it."""
        return [book for time, book in self.books[symbol] if time < moment_ns][-1]


class Market:
    """One simulated exchange, its witness, and the captures before it.

    Faults happen to the connections of captures, which are numbered from 2 on.
    """

    def __init__(
        self,
        exchange: str,
        faults: Iterable[Fault] = (),
        *,
        start_ns: int = T0 - 4 * NS_PER_SEC,
        seed: int = 7,
        rate: float = 20.0,
        levels: int = 60,
        depth: int | None = None,
    ) -> None:
        self.exchange = exchange
        self.truth = Truth(books={symbol: [] for symbol in SYMBOLS[exchange]})
        self.faults = Faults(Script(seed=seed, faults=list(faults)))
        self.now = start_ns
        self._codec = exchange_named(exchange)
        self._depth = depth or self._codec.offered_depth(10)
        self._simulation = Simulation(
            exchange, seed=seed, rate=rate, start_ns=start_ns, levels=levels
        )
        self._captures: list[Capture] = []
        self._witness = self._simulation.session()
        self._simulation.faults = self.faults
        protocol = PROTOCOLS[exchange]
        self._hear(self._witness.on_connect(start_ns))
        for text in protocol.requests(SYMBOLS[exchange], protocol.datasets, self._depth):
            self._hear(self._witness.on_message(text, start_ns))

    def capture(self, made: Collector, window: Window) -> "Capture":
        """A capture that waits for its lead."""
        capture = Capture(self, made, window)
        self._captures.append(capture)
        return capture

    def session(self) -> Session:
        """A connection of a capture."""
        return self._simulation.session()

    def run(self, until_ns: int | None = None) -> None:
        """Let time pass until every capture has ended, or until a moment."""
        while any(not capture.is_over for capture in self._captures):
            due = self._next_due()
            if until_ns is not None and due >= until_ns:
                return
            self.now = max(due, self.now)
            self._hear(self._witness.tick(self.now))
            self._captures = [capture for capture in self._captures if not capture.is_over]
            for capture in self._captures:
                capture.live(self.now)
            # A fault on a connection can make the exchange say something to all of them.
            self._hear(self._witness.tick(self.now))

    def _next_due(self) -> int:
        """When something happens next, on the exchange's side or in a capture."""
        due = [capture.next_due for capture in self._captures if not capture.is_over]
        return min([*due, self._simulation.venue.agenda.next_due() or due[0]])

    def _hear(self, sent: Sequence[Outgoing]) -> None:
        for message in sent:
            for event in self._codec.decode(str(message.payload).encode(), message.ts):
                if isinstance(event, NormalizedDelta):
                    book = self._simulation.venue.book(event.symbol, self._depth)
                    self.truth.books[event.symbol].append((event.ts_event, book))
                elif isinstance(event, Trade) and not event.is_history:
                    values = (event.ts_event, event.side, event.price, event.amount)
                    self.truth.trades[event.symbol, event.id] = values


class _Link:
    """A connection without a socket, in the place of capture's own."""

    def __init__(self, number: int, share: Share, market: Market, capture: "Capture") -> None:
        self.number = number
        self.subscriptions = Subscriptions(share.requests, share.alone)
        self.repairs: Repairs | None = None
        self.is_open = self.is_cut = False
        self._market = market
        self._capture = capture
        self._arriving: deque[tuple[int, str, bytes]] = deque()
        self._session: Session | None = None
        self._latency = random.Random(number)  # noqa: S311 - a test must be repeatable
        self._opened_ns = self._newest_ns = 0

    @property
    def is_ending(self) -> bool:
        """Whether the exchange has ended the connection and all that it had sent is here."""
        return bool(self._session and self._session.closing and not self._arriving)

    @property
    def last_heard_ns(self) -> int:
        return max(self._opened_ns, self._newest_ns)

    def open(self, share: Share, url: str, now_ns: int) -> None:
        self._session = self._market.session()
        self._opened_ns = now_ns
        self.repairs = Repairs(now_ns / NS_PER_SEC)
        self.is_open = True
        opened = Opened(url=url, symbols=share.symbols)
        self._capture.note(now_ns, self.number, "opened", control_payload(opened))
        self._take(self._session.on_connect(now_ns))
        self.ask(share.requests)

    def ask(self, requests: Sequence[Request]) -> None:
        assert self._session is not None
        for request in requests:
            now_ns = self._market.now
            self._capture.note(now_ns, self.number, "sent", request.payload.encode())
            self._take(self._session.on_message(request.payload, now_ns))

    def live(self, now_ns: int) -> None:
        """Move what was sent by now onto the wire, and what has arrived off it."""
        assert self._session is not None
        self._take(self._session.tick(now_ns))
        while not self.is_cut and self._arriving and self._arriving[0][0] <= now_ns:
            ts_recv, kind, payload = self._arriving.popleft()
            self._newest_ns = ts_recv
            if len(payload) > FRAME_BYTES:
                self.is_cut = True
            else:
                self._capture.queue.receive(ts_recv, self.number, kind, payload)

    def close(self) -> None:
        assert self._session is not None
        self._session.close()
        self.is_open = False

    @property
    def is_overdue(self) -> bool:
        return self._market.now - self._opened_ns > ANSWER_TIMEOUT_SECS * NS_PER_SEC

    def errors(self) -> list[Any]:
        return self.subscriptions.errors(overdue=self.is_overdue)

    def _take(self, sent: Iterable[Outgoing]) -> None:
        for message in sent:
            is_text = isinstance(message.payload, str)
            payload = message.payload.encode() if is_text else message.payload
            newest = self._arriving[-1][0] if self._arriving else self._newest_ns
            arrival = max(message.ts + 2_000_000 + self._latency.randrange(3_000_000), newest + 1)
            self._arriving.append((arrival, "text" if is_text else "binary", payload))


class Capture:
    """One capture of one window; its frames are complete when it is over.

    Attributes:
        frames: (ts_recv, connection, kind, payload) in the order in which they are journaled.
        errors: the feeds that were refused or not answered for.
        next_due: when it looks next, UTC ns.
    """

    def __init__(self, market: Market, made: Collector, window: Window) -> None:
        self.collector = made
        self.window = window
        self.frames: list[Frame] = []
        self.errors: list[str] = []
        self.is_over = False
        self.queue = FrameQueue(1 << 40)
        self.next_due = window.start_ns - round(made.window.lead_secs * NS_PER_SEC)
        self._market = market
        self._listener = Listener(made)
        (self._share,) = shares(made)
        self._numbers = count()
        self._reconnect_ns: int | None = None
        url = f"virtual/{made.exchange.name}"
        self._lane = Lane(
            self._share,
            Line(
                exchange=made.exchange,
                url=url,
                queue=self.queue,
                frame_bytes=FRAME_BYTES,
                staleness_timeout_secs=made.staleness_timeout_secs,
                attempts=Attempts(made.exchange.connect_limit),
                now_ns=lambda: market.now,
            ),
            made.reconnect,
            count(1_000_000),
            made.name,
        )
        self._delays = delays_secs(made.reconnect, random.Random(1))  # noqa: S311 - repeatable
        self._link = self._lane.connection = self._new_link()

    def note(self, ts: int, number: int, kind: str, payload: bytes) -> None:
        self.queue.note(ts, number, kind, payload)

    def live(self, now_ns: int) -> None:
        """Take in what has arrived by now; where it is time, look at it and act."""
        if self._link.is_open:
            self._link.live(now_ns)
        if now_ns < self.next_due:
            return
        if self._is_over_at(now_ns):
            self._end("ended", now_ns)
        elif not self._link.is_open and (self._reconnect_ns or 0) <= now_ns:
            self._connect(now_ns)
        elif self._link.is_open:
            self._look(now_ns)
        self.next_due = now_ns + POLL_NS

    def sealed(self, damage: Sequence[Damage] = ()) -> Sealed:
        """What its frames hold."""
        batches = [frames_batch(self.frames, 0)]
        threshold = self.collector.gap_threshold_secs
        scope = scope_of(self.collector)
        return seal(batches, scope, self.window, damage=damage, gap_threshold_secs=threshold)

    def batches(self, rows: int) -> list[pa.RecordBatch]:
        """Its frames in batches."""
        starts = range(0, len(self.frames), rows)
        return [frames_batch(self.frames[start : start + rows], start) for start in starts]

    def _new_link(self) -> _Link:
        return _Link(next(self._numbers), self._share, self._market, self)

    def _connect(self, now_ns: int) -> None:
        if self._reconnect_ns is not None:
            self._link = self._lane.connection = self._new_link()
        self._link.open(self._share, f"virtual/{self._market.exchange}", now_ns)
        self._lane.state.become(ConnectionState.SUBSCRIBING, "")

    def _look(self, now_ns: int) -> None:
        self._listen(now_ns)
        if self._link.is_cut:
            dropped = Dropped(cause="oversize", frames=1, reason="frame too big")
            self.note(now_ns, self._link.number, "dropped", control_payload(dropped))
            self._lose("frame too big", now_ns)
        elif self._link.is_ending:
            self._lose("closed by the exchange", now_ns)
        elif now_ns - self._link.last_heard_ns > self._staleness_ns:
            self._lose(f"no frame for {self.collector.staleness_timeout_secs:g} s", now_ns)

    def _is_over_at(self, now_ns: int) -> bool:
        linger_ns = round(self.collector.window.linger_secs * NS_PER_SEC)
        has_passed = self._listener.has_passed(self.window.end_ns)
        return has_passed or now_ns >= self.window.end_ns + linger_ns

    @property
    def _staleness_ns(self) -> int:
        return round(self.collector.staleness_timeout_secs * NS_PER_SEC)

    def _listen(self, now_ns: int) -> None:
        fresh = self.queue.take_fresh()
        self.frames += fresh
        sight = self._listener.listen(fresh)
        for number, answer in sight.answers:
            if number == self._link.number:
                self._lane.hear(answer)
        if self._link.number in self._listener.streaming:
            self._lane.streams()
            self._delays = delays_secs(self.collector.reconnect, random.Random(1))  # noqa: S311
        broken = {book.symbol for book in sight.broken if book.connection == self._link.number}
        self._lane.insist(now_ns / NS_PER_SEC)
        self._lane.mend(now_ns / NS_PER_SEC, broken, self._listener.is_whole)

    def _lose(self, reason: str, now_ns: int) -> None:
        self._link.close()
        closed = Closed(cause="disconnect", reason=reason)
        self.note(now_ns, self._link.number, "closed", control_payload(closed))
        self._reconnect_ns = now_ns + round(next(self._delays) * NS_PER_SEC)

    def _end(self, cause: CloseCause, now_ns: int) -> None:
        if self._link.is_open:
            closed = Closed(cause=cause, reason="")
            self.note(now_ns, self._link.number, "closed", control_payload(closed))
            self._link.close()
        self.errors = [str(error) for error in self._lane.errors]
        self.frames += self.queue.take_fresh()
        self.is_over = True
