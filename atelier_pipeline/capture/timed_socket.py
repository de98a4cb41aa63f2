"""One WebSocket: how it is opened, and when and as what each of its messages arrived."""

from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any, cast
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.frames import Frame, Opcode
from websockets.protocol import Event

from atelier_pipeline import __version__
from atelier_pipeline.lake.journal import FrameKind

OPEN_TIMEOUT_SECS = 10
CLOSE_TIMEOUT_SECS = 1
PING_SECS = 20
"""How often WebSocket pings are sent, and how long each pong is waited for."""

USER_AGENT = f"atelier-pipeline/{__version__}"

_KINDS = {Opcode.TEXT: FrameKind.TEXT, Opcode.BINARY: FrameKind.BINARY}


class TimedSocket(ClientConnection):
    """A WebSocket that notes when each message arrived, by `clock` in UTC ns.

    `recv` gives a message when the event loop comes to it, which may be later; `arrivals` has the
    (time, kind) of the messages that it will give, in its order.
    """

    clock: Callable[[], int]

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - passed on unread
        super().__init__(*args, **kwargs)
        self.arrivals = deque[tuple[int, str]]()
        self._kind: str = FrameKind.TEXT

    def process_event(self, event: Event) -> None:
        """Note the arrival of a message with its last frame."""
        if isinstance(event, Frame):
            self._note(event)
        super().process_event(event)

    def _note(self, frame: Frame) -> None:
        self._kind = _KINDS.get(frame.opcode, self._kind)
        if frame.fin and (frame.opcode in _KINDS or frame.opcode is Opcode.CONT):
            self.arrivals.append((self.clock(), self._kind))


@asynccontextmanager
async def dial(
    url: str, frame_bytes: int, now_ns: Callable[[], int]
) -> AsyncGenerator[TimedSocket]:
    """An open WebSocket to `url`, closed at the end; a frame above `frame_bytes` closes it (1009).

    Raises OSError and WebSocketException.
    """

    class _Socket(TimedSocket):
        clock = staticmethod(now_ns)

    connecting = connect(
        url,
        create_connection=_Socket,
        user_agent_header=USER_AGENT,
        proxy=None if _is_loopback(url) else True,
        open_timeout=OPEN_TIMEOUT_SECS,
        close_timeout=CLOSE_TIMEOUT_SECS,
        ping_interval=PING_SECS,
        ping_timeout=PING_SECS,
        max_size=frame_bytes,
    )
    async with connecting as socket:
        yield cast("TimedSocket", socket)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
