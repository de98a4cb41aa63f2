"""One WebSocket: how it is opened, and when and as what each of its messages arrived.

`websockets` opens it, answers pings, closes it and puts messages together that came in parts. A
message that is whole in what was read is taken from there: behind a frame object, a queue and a
future each, it would cost five times as much.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any, TypeAlias, cast
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.frames import Frame, Opcode
from websockets.protocol import Event, State

from atelier_pipeline import __version__
from atelier_pipeline.capture.messages import (
    BINARY_MESSAGE,
    TEXT_MESSAGE,
    frame_bytes,
    whole_messages,
)
from atelier_pipeline.lake.journal import FrameKind

OPEN_TIMEOUT_SECS = 10
CLOSE_TIMEOUT_SECS = 1
PING_SECS = 20
"""How often WebSocket pings are sent, and how long each pong is waited for."""

USER_AGENT = f"atelier-pipeline/{__version__}"

Taker: TypeAlias = Callable[[int, str, list[bytes]], None]
"""Takes messages of one kind that were read at once: ts_recv in UTC ns, kind, payloads."""

_KINDS = {Opcode.TEXT: FrameKind.TEXT, Opcode.BINARY: FrameKind.BINARY}
_WHOLE = {TEXT_MESSAGE: FrameKind.TEXT, BINARY_MESSAGE: FrameKind.BINARY}


class TimedSocket(ClientConnection):
    """A WebSocket whose messages go to a taker as they are read.

    All that one read of the socket brought has one time: the system tells no more. `recv` gives
    nothing; it waits until the connection is closed, and raises ConnectionClosed.

    Attributes:
        clock: the time in UTC ns.
        limit: bytes; a message of more closes the connection (1009).
    """

    clock: Callable[[], int]
    limit: int

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - passed on unread
        super().__init__(*args, **kwargs)
        self._early: list[tuple[int, str, list[bytes]]] = []
        self._take: Taker = self._keep
        self._now = 0
        self._head = b""
        self._owed = 0
        self._kind: str = FrameKind.TEXT
        self._parts: bytearray | None = None

    def begin(self, take: Taker) -> None:
        """Give `take` the messages that are there already, and all others as they come."""
        self._take = take
        for messages in self._early:
            take(*messages)
        self._early.clear()

    def data_received(self, data: bytes) -> None:
        """Take whole messages out of what was read; the library gets the rest, in order."""
        self._now, at = self.clock(), 0
        while at < len(data) and self.state is State.CONNECTING:
            # Line by line, so that the library stops exactly where the first frame begins.
            start, at = at, data.find(b"\n", at) + 1 or len(data)
            super().data_received(data[start:at])
        if self._head:
            data, self._head = self._head + data, b""
        while at < len(data):
            at = self._read(data, at)

    def process_event(self, event: Event) -> None:
        """Put together what the library has read; it minds everything but messages."""
        if not isinstance(event, Frame) or event.opcode not in (*_KINDS, Opcode.CONT):
            super().process_event(event)
            return
        self._kind = _KINDS.get(event.opcode, self._kind)
        self._parts = self._parts or bytearray()
        self._parts += event.data
        if event.fin:
            payload, self._parts = bytes(self._parts), None
            self._take(self._now, self._kind, [payload])

    def _keep(self, ts_recv: int, kind: str, payloads: list[bytes]) -> None:
        self._early.append((ts_recv, kind, payloads))

    def _read(self, data: bytes, at: int) -> int:
        """Read some of the data from `at` on; returns the place behind it."""
        if self.state is not State.OPEN:
            super().data_received(data[at:])
            return len(data)
        if not self._owed and self._parts is None and data[at] in _WHOLE:
            payloads, end = whole_messages(data, at, self.limit)
            if payloads:
                self._take(self._now, _WHOLE[data[at]], payloads)
                return end
        size = self._owed or frame_bytes(data, at)
        if size is None:
            self._head = data[at:]
            return len(data)
        part = data[at : at + size]
        self._owed = size - len(part)
        super().data_received(part)
        return at + len(part)


@asynccontextmanager
async def dial(
    url: str, frame_limit: int, now_ns: Callable[[], int]
) -> AsyncGenerator[TimedSocket]:
    """An open WebSocket to `url`, closed at the end; `frame_limit` in bytes.

    Raises OSError and WebSocketException.
    """

    class _Socket(TimedSocket):
        clock = staticmethod(now_ns)
        limit = frame_limit

    connecting = connect(
        url,
        create_connection=_Socket,
        user_agent_header=USER_AGENT,
        proxy=None if _is_loopback(url) else True,
        open_timeout=OPEN_TIMEOUT_SECS,
        close_timeout=CLOSE_TIMEOUT_SECS,
        ping_interval=PING_SECS,
        ping_timeout=PING_SECS,
        max_size=frame_limit,
    )
    async with connecting as socket:
        yield cast("TimedSocket", socket)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
