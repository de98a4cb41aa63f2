"""One connection: opened, subscribed, pinged, and every frame of it journaled until it ends.

Frames are not looked into here; what they said about the subscriptions is told from outside.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from websockets.exceptions import WebSocketException

from atelier_pipeline.capture.attempts import Attempts
from atelier_pipeline.capture.frames import FrameQueue
from atelier_pipeline.capture.losses import Loss, loss_of
from atelier_pipeline.capture.repairs import Repairs
from atelier_pipeline.capture.shares import Share
from atelier_pipeline.capture.subscriptions import FeedError, Subscriptions
from atelier_pipeline.capture.timed_socket import TimedSocket, dial
from atelier_pipeline.decode.control import CloseCause, Closed, Dropped, Opened, control_payload
from atelier_pipeline.exchanges.contract import Exchange, Request
from atelier_pipeline.lake.journal import FrameKind

ANSWER_TIMEOUT_SECS = 10
"""Within this time after connecting the exchange is expected to have answered every request."""

QUIET_SECS = 0.3
"""After this time without a frame it is worth asking whether the exchange is still there."""

BURST = 8
"""Frames sent at once, then one second's pause: the least that any of the exchanges takes.

https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-rate-limits
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What all connections of a capture have in common; `now_ns` is the receive clock."""

    exchange: Exchange
    url: str
    queue: FrameQueue
    frame_bytes: int
    staleness_timeout_secs: float
    attempts: Attempts
    now_ns: Callable[[], int]


class Connection:
    """One attempt to connect and what comes of it.

    Attributes:
        number: the connection's number in the journal.
        repairs: the books that are waited for; None until the connection is open.
        subscriptions: what was asked for, and the answers so far.
    """

    def __init__(self, number: int, share: Share, line: Line) -> None:
        self.number = number
        self.subscriptions = Subscriptions(share.requests, share.alone)
        self.repairs: Repairs | None = None
        self._share = share
        self._line = line
        self._outbox: asyncio.Queue[str] = asyncio.Queue()
        self._socket: TimedSocket | None = None
        self._given_up = ""
        self._is_over = False
        self._is_overdue = False
        self._received = 0
        self._received_before = 0
        self._opened_at = self._heard_at = self._pinged_at = 0.0
        self._is_ping_due = self._is_probed = False
        self._pings = 0

    async def run(self, on_open: Callable[[], None]) -> Loss:
        """Connect and receive; returns why it ended. Cancel it after `end`."""
        line, loss = self._line, Loss("ended")
        try:
            async with dial(line.url, line.frame_bytes, line.now_ns) as socket:
                self._begin(socket)
                on_open()
                await self._converse(socket)
        except (OSError, WebSocketException) as error:
            loss = self._lost(loss_of(error))
        finally:
            self._socket = None
        return loss

    def ask(self, requests: tuple[Request, ...]) -> None:
        """Send more requests, in order."""
        for request in requests:
            self._outbox.put_nowait(request.payload)

    def tend(self, now_secs: float) -> None:
        """Send the ping that is due; give up where nothing is received any more. Call it often."""
        if self._socket is None:
            return
        self._is_overdue |= now_secs - self._opened_at > ANSWER_TIMEOUT_SECS
        self._ping(now_secs)
        if self._received != self._received_before:
            self._received_before, self._heard_at = self._received, now_secs
        timeout_secs = self._line.staleness_timeout_secs
        if now_secs - self._heard_at > timeout_secs:
            self.give_up(f"no frame for {timeout_secs:g} s")

    def probe(self, now_secs: float) -> None:
        """Ping once where nothing is heard, so that an exchange without news shows it is there."""
        if not self._is_probed and now_secs - self._heard_at > QUIET_SECS:
            self._is_probed = self._is_ping_due = True

    @property
    def is_open(self) -> bool:
        """Whether frames can come."""
        return self._socket is not None

    def end_patience(self) -> None:
        """Take every answer that has not come for one that will not."""
        self._is_overdue = self._opened_at > 0

    @property
    def is_overdue(self) -> bool:
        """Whether the exchange should have answered every request by now."""
        return self._is_overdue

    def errors(self) -> list[FeedError]:
        """The feeds that were refused or, after their time, not answered for."""
        return self.subscriptions.errors(overdue=self._is_overdue)

    def give_up(self, reason: str) -> None:
        """Drop the connection as if it had been lost."""
        if self._socket is not None:
            self._given_up = reason
            self._socket.transport.abort()

    def end(self, cause: CloseCause, reason: str) -> None:
        """Journal the end; once it is there, nothing more of this connection is."""
        if not self._is_over:
            self._is_over = True
            self._note(FrameKind.CLOSED, control_payload(Closed(cause=cause, reason=reason)))

    def _begin(self, socket: TimedSocket) -> None:
        self._socket = socket
        self._opened_at = self._heard_at = self._pinged_at = asyncio.get_running_loop().time()
        self.repairs = Repairs(self._opened_at)
        opened = Opened(url=self._line.url, symbols=self._share.symbols)
        self._note(FrameKind.OPENED, control_payload(opened))
        socket.begin(self._take)
        self.ask(self._share.requests)

    async def _converse(self, socket: TimedSocket) -> None:
        sending = asyncio.create_task(self._send(socket))
        try:
            # Messages go to `_take`; this waits for the end, and raises what it was.
            await socket.recv()
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            # Left to its context manager, a cancelled connection would report an internal error.
            await socket.close()

    def _take(self, ts_recv: int, kind: str, payloads: list[bytes]) -> None:
        if not self._is_over:
            self._line.queue.receive_all(ts_recv, self.number, kind, payloads)
            self._received += len(payloads)

    async def _send(self, socket: TimedSocket) -> None:
        sent = 0
        while True:
            text = await self._outbox.get()
            self._note(FrameKind.SENT, text.encode())
            await socket.send(text)
            sent += 1
            if sent % BURST == 0:
                await asyncio.sleep(1)

    def _ping(self, now_secs: float) -> None:
        exchange = self._line.exchange
        self._is_ping_due |= now_secs - self._pinged_at >= exchange.ping_interval_secs
        if exchange.ping and self._is_ping_due:
            self._pinged_at, self._is_ping_due = now_secs, False
            self._pings += 1
            self._outbox.put_nowait(exchange.ping(str(self._pings)))

    def _lost(self, loss: Loss) -> Loss:
        if self._given_up:
            loss = Loss(self._given_up)
        if loss.oversize:
            dropped = Dropped(cause="oversize", frames=1, reason=loss.reason)
            self._note(FrameKind.DROPPED, control_payload(dropped))
        self.end("disconnect", loss.reason)
        return loss

    def _note(self, kind: FrameKind, payload: bytes) -> None:
        self._line.queue.note(self._line.now_ns(), self.number, kind, payload)
