"""WebSocket servers on loopback for captures: the simulated exchanges, or a script."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any, TypeAlias

from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websockets

from atelier_pipeline.simulator.server import serve
from atelier_pipeline.simulator.session import Outgoing, Session

Script: TypeAlias = Callable[[ServerConnection], Coroutine[Any, Any, None]]


@contextmanager
def running(server: Callable[[], AbstractAsyncContextManager[str]]) -> Iterator[str]:
    """The URL of a server that runs in a thread of its own while the context is open."""
    ready = threading.Event()
    box: dict[str, Any] = {}

    async def main() -> None:
        box["loop"], box["stop"] = asyncio.get_running_loop(), asyncio.Event()
        async with server() as url:
            box["url"] = url
            ready.set()
            await box["stop"].wait()

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield box["url"]
    finally:
        box["loop"].call_soon_threadsafe(box["stop"].set)
        thread.join(10)


@contextmanager
def scripted(script: Script) -> Iterator[str]:
    """A server that runs `script` for each connection and closes it when the script ends."""

    @asynccontextmanager
    async def server() -> AsyncGenerator[str]:
        async with serve_websockets(script, "127.0.0.1", 0, close_timeout=0.1) as listening:
            port = listening.sockets[0].getsockname()[1]
            yield f"ws://127.0.0.1:{port}"

    with running(server) as url:
        yield url


@contextmanager
def simulated(sent: list[bytes] | None = None, rate: float = 20.0) -> Iterator[str]:
    """The simulated exchanges; `sent` gathers every payload that goes to a socket."""

    def hear(_session: Session, message: Outgoing) -> None:
        if sent is not None:
            payload = message.payload
            sent.append(payload.encode() if isinstance(payload, str) else payload)

    @asynccontextmanager
    async def server() -> AsyncGenerator[str]:
        async with serve(rate=rate, tap=hear) as simulators:
            yield simulators.url

    with running(server) as url:
        yield url
