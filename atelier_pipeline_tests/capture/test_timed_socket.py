"""When and as what messages arrive, against a real server."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosedError

from atelier_pipeline.capture.timed_socket import dial
from atelier_pipeline_tests.capture.servers import scripted

Message = tuple[int, str, bytes]


async def fragments(*parts: str) -> AsyncIterator[str]:
    for part in parts:
        yield part


async def messages(url: str, number: int, frame_bytes: int = 1000) -> list[Message]:
    async with dial(url, frame_bytes, count(1).__next__) as socket:
        received = []
        for _ in range(number):
            payload = await socket.recv(decode=False)
            received.append((*socket.arrivals.popleft(), payload))
        return received


def test_each_message_has_the_time_and_kind_of_its_arrival():
    async def script(socket: ServerConnection) -> None:
        await socket.send("text")
        await socket.send(b"\x00binary")
        await socket.send(fragments("in ", "three ", "parts"))
        await socket.send(b"not \xff UTF-8", text=True)
        await socket.wait_closed()

    with scripted(script) as url:
        received = asyncio.run(messages(url, 4))
    assert received == [
        (1, "text", b"text"),
        (2, "binary", b"\x00binary"),
        (3, "text", b"in three parts"),
        (4, "text", b"not \xff UTF-8"),
    ]


def test_a_frame_above_the_limit_closes_the_connection():
    async def script(socket: ServerConnection) -> None:
        await socket.send("x" * 1001)
        await socket.wait_closed()

    with scripted(script) as url, pytest.raises(ConnectionClosedError) as closed:
        asyncio.run(messages(url, 1))
    assert closed.value.sent is not None
    assert closed.value.sent.code == 1009


def test_the_user_agent_names_this_project():
    async def script(socket: ServerConnection) -> None:
        assert socket.request is not None
        await socket.send(socket.request.headers["User-Agent"])
        await socket.wait_closed()

    with scripted(script) as url:
        ((_, _, agent),) = asyncio.run(messages(url, 1))
    assert agent.startswith(b"atelier-pipeline/")
