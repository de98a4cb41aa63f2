"""Faults on demand: a script's faults, applied to what one connection says and is told.

A fault stands between the exchange and the socket: the market, the channels and all other
connections know nothing of it, but for `restart`, which is the exchange's own. What was done to
which message is kept, so that a test can tell what a client must have noticed.
"""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from atelier_pipeline.simulator import fault_effects
from atelier_pipeline.simulator.bybit import BybitClient
from atelier_pipeline.simulator.contents import Content, content_of
from atelier_pipeline.simulator.fault_script import Fault, Script
from atelier_pipeline.simulator.listings import LISTINGS
from atelier_pipeline.simulator.session import Closing, Outgoing, Session
from atelier_pipeline.simulator.venue import seeded
from atelier_pipeline.simulator.wire import NS_PER_SECOND

_GARBAGE_BYTES = 32
_MOST_REMEMBERED = 1 << 16
_WITHOUT_COUNT = frozenset({"stall", "silence", "quiet", "skew"})
_OF_THE_CONNECTION = frozenset({"close", "abort", "restart"})
_OF_REQUESTS = frozenset({"refuse", "ignore", "hear_late"})
_NOT_DATA = frozenset({"heartbeat", "ack", "refusal"})


class Happened(NamedTuple):
    """A fault that happened: when, where, and to which message (None: to the connection)."""

    ts: int
    fault: Fault
    exchange: str
    connection: int
    content: Content | None = None
    payload: str | bytes | None = None


class Faults:
    """A script's faults over all connections.

    Attributes:
        happened: what was done, oldest first; the newest 65,536.
    """

    def __init__(self, script: Script) -> None:
        self._script = script
        self.happened: deque[Happened] = deque(maxlen=_MOST_REMEMBERED)

    def befall(self, session: Session) -> None:
        """Let them happen to a new connection."""
        exchange, number = session.exchange, session.number
        faults = {
            f"{self._script.seed}/{exchange}/{number}/{position}": fault
            for position, fault in enumerate(self._script.faults)
            if fault.is_on(exchange, number)
        }
        session.shaper = _Shaper(session, faults, self.happened.append)


class _Progress:
    """One fault on one connection: when it may happen, how often it did, what it holds."""

    def __init__(self, fault: Fault, seed: str) -> None:
        self.fault = fault
        self.rng = seeded(seed)
        self.times = 0
        self.held: list[Outgoing] = []
        self.series: str | None = None

    def is_time(self, since_connected_ns: int) -> bool:
        """Whether it may happen that long after the connection was made."""
        secs = since_connected_ns / NS_PER_SECOND - self.fault.after_secs
        return secs >= 0 and (self.fault.for_secs is None or secs < self.fault.for_secs)

    def meets(self, content: Content, since_connected_ns: int) -> bool:
        """Whether it happens to a message; a yes counts."""
        fault = self.fault
        limit = 0 if fault.what in _WITHOUT_COUNT else fault.count
        if (limit and self.times >= limit) or not self.is_time(since_connected_ns):
            return False
        if not self.is_about(content) or self.rng.random() >= fault.probability:
            return False
        self.times += 1
        return True

    def is_about(self, content: Content) -> bool:
        """Whether a message is among those that the fault picks from."""
        fault = self.fault
        if fault.what == "quiet" and content.channel in _NOT_DATA:
            return False
        if fault.symbol not in {None, content.symbol}:
            return False
        if fault.channel == "snapshot":
            return content.is_snapshot
        return fault.channel in {"any", content.channel}


class _Shaper:
    """A script's faults on one connection."""

    def __init__(
        self, session: Session, faults: dict[str, Fault], record: Callable[[Happened], None]
    ) -> None:
        self._session = session
        self._record = record
        self._connected_ns: int | None = None
        progress = [_Progress(fault, seed) for seed, fault in faults.items()]
        self._of_requests = [p for p in progress if p.fault.what in _OF_REQUESTS]
        self._of_the_connection = [p for p in progress if p.fault.what in _OF_THE_CONNECTION]
        self._stalls = [p for p in progress if p.fault.what == "stall"]
        apart = [*self._of_requests, *self._of_the_connection, *self._stalls]
        self._of_messages = [p for p in progress if p not in apart]
        self._late: list[Outgoing] = []
        self._stalled: list[Outgoing] = []

    def incoming(self, text: str, now: int) -> None:
        """What the client says reaches the exchange, or not, or late, or to be refused."""
        for progress in self._of_requests:
            symbols = self._asked_for(text, progress.fault.symbol)
            content = Content("other", progress.fault.symbol or "")
            if symbols and progress.meets(content, self._age(now)):
                self._note(progress.fault, now, content, text)
                self._mishear(progress.fault, symbols, text, now)
                return
        self._session.client.received(text, now)

    def outgoing(self, sent: list[Outgoing], now: int) -> list[Outgoing]:
        """What the exchange sends, as it reaches the socket by `now`."""
        age = self._age(now)
        for progress in self._of_the_connection:
            if not progress.times and progress.is_time(age):
                progress.times += 1
                self._note(progress.fault, now)
                self._end_or_restart(progress.fault, now)
        if self._of_messages:
            sent = [shaped for message in sent for shaped in self._through(message)]
        return self._through_stalls(self._with_late(sent, now), now)

    def _age(self, now: int) -> int:
        if self._connected_ns is None:
            self._connected_ns = now
        return now - self._connected_ns

    def _note(
        self,
        fault: Fault,
        now: int,
        content: Content | None = None,
        payload: str | bytes | None = None,
    ) -> None:
        session = self._session
        self._record(Happened(now, fault, session.exchange, session.number, content, payload))

    def _asked_for(self, text: str, symbol: str | None) -> list[str]:
        """The symbols that a subscription names, if it is one."""
        if '"subscribe"' not in text:
            return []
        symbols = LISTINGS[self._session.exchange] if symbol is None else [symbol]
        return [listed for listed in symbols if f'{listed}"' in text]

    def _mishear(self, fault: Fault, symbols: list[str], text: str, now: int) -> None:
        if fault.what == "refuse":
            self._session.receive_without(symbols, text, now)
        elif fault.what == "hear_late":
            self._session.receive_later(round(fault.delay_secs * NS_PER_SECOND), text)

    def _end_or_restart(self, fault: Fault, now: int) -> None:
        client = self._session.client
        if fault.what == "close":
            self._session.end(Closing(fault.code, fault.reason))
        elif fault.what == "abort":
            self._session.end(Closing(None))
        elif isinstance(client, BybitClient):
            client.restart_books(fault.symbol, now)

    def _through(self, message: Outgoing) -> list[Outgoing]:
        content = content_of(self._session.exchange, message.payload)
        messages = [message]
        for progress in self._of_messages:
            messages = [out for one in messages for out in self._shape(progress, one, content)]
        return messages

    def _shape(self, progress: _Progress, message: Outgoing, content: Content) -> list[Outgoing]:
        exchange, fault = self._session.exchange, progress.fault
        is_met = progress.meets(content, self._age(message.ts))
        if is_met:
            self._note(fault, message.ts, content, message.payload)
        if fault.what == "renumber":
            return [_renumbered(progress, message, content, exchange, begins=is_met)]
        if is_met:
            return self._affect(progress, message)
        if progress.held and progress.is_about(content):
            held, progress.held = progress.held, []
            return [message, *(Outgoing(message.ts, late.payload) for late in held)]
        return [message]

    def _affect(self, progress: _Progress, message: Outgoing) -> list[Outgoing]:
        fault = progress.fault
        if fault.what in {"drop", "silence", "quiet"}:
            return []
        if fault.what == "duplicate":
            return [message, message]
        if fault.what == "reorder":
            progress.held.append(message)
            return []
        if fault.what == "delay":
            due = message.ts + round(fault.delay_secs * NS_PER_SECOND)
            self._late.append(Outgoing(due, message.payload))
            return []
        if fault.what == "garbage":
            noise = progress.rng.randbytes(fault.size_bytes or _GARBAGE_BYTES)
            return [Outgoing(message.ts, noise), message]
        return [Outgoing(message.ts, self._altered(progress, message.payload))]

    def _altered(self, progress: _Progress, payload: str | bytes) -> str | bytes:
        if isinstance(payload, bytes):
            return payload
        alter = fault_effects.ALTER[progress.fault.what]
        return alter(payload, progress.fault, self._session.exchange, progress.rng)

    def _with_late(self, sent: list[Outgoing], now: int) -> list[Outgoing]:
        """What was delayed comes when it is due, among what is sent then."""
        due = [message for message in self._late if message.ts <= now]
        self._late = [message for message in self._late if message.ts > now]
        return sorted(sent + due, key=lambda message: message.ts)

    def _through_stalls(self, sent: list[Outgoing], now: int) -> list[Outgoing]:
        """Nothing comes while the exchange stalls; then everything, in order, at once."""
        self._stalled.extend(sent)
        stalling = [p for p in self._stalls if p.is_time(self._age(now))]
        for progress in stalling:
            if not progress.times:
                progress.times += 1
                self._note(progress.fault, now)
        if stalling:
            return []
        released, self._stalled = self._stalled, []
        first = now if len(released) > len(sent) else 0
        return [Outgoing(max(message.ts, first), message.payload) for message in released]


def _renumbered(
    progress: _Progress, message: Outgoing, content: Content, exchange: str, *, begins: bool
) -> Outgoing:
    """From the first message that is met on, every message that is numbered in its series."""
    if begins and progress.series is None:
        progress.series = "" if exchange == "coinbase" else content.symbol
    if progress.series is None or isinstance(message.payload, bytes):
        return message
    if exchange != "coinbase" and content.symbol != progress.series:
        return message
    payload = fault_effects.renumber(exchange, message.payload, progress.fault.by)
    return Outgoing(message.ts, payload)
