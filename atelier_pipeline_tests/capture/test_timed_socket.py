"""When and as what messages arrive: from a real server, and cut in every way."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from itertools import count, pairwise

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed, ConnectionClosedError
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from atelier_pipeline.capture.timed_socket import TimedSocket, dial
from atelier_pipeline_tests.capture.servers import scripted

Message = tuple[int, str, bytes]
LIMIT = 300


async def fragments(*parts: str) -> AsyncIterator[str]:
    for part in parts:
        yield part


async def messages(url: str, number: int, frame_limit: int = 1000) -> list[Message]:
    """The first messages, each asked for by itself, so that each has a read of its own."""
    received: list[Message] = []
    news = asyncio.Event()

    def take(ts_recv: int, kind: str, payloads: list[bytes]) -> None:
        received.extend((ts_recv, kind, payload) for payload in payloads)
        news.set()

    async def ask(socket: TimedSocket) -> None:
        for already in range(number):
            await socket.send("next")
            while len(received) == already:
                news.clear()
                await news.wait()

    async with dial(url, frame_limit, count(1).__next__) as socket:
        socket.begin(take)
        tasks = asyncio.create_task(ask(socket)), asyncio.create_task(socket.recv())
        done, running = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in running:
            task.cancel()
        await done.pop()
    return received


def test_each_message_has_the_time_and_kind_of_its_arrival():
    async def script(socket: ServerConnection) -> None:
        for message in ("text", b"\x00binary", fragments("in ", "three ", "parts")):
            await socket.recv()
            await socket.send(message)
        await socket.recv()
        await socket.send(b"not \xff UTF-8", text=True)
        await socket.wait_closed()

    with scripted(script) as url:
        received = asyncio.run(messages(url, 4))
    times = [time for time, _, _ in received]
    assert times == sorted(set(times))
    assert [(kind, payload) for _, kind, payload in received] == [
        ("text", b"text"),
        ("binary", b"\x00binary"),
        ("text", b"in three parts"),
        ("text", b"not \xff UTF-8"),
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


class Wire(asyncio.Transport):
    """A transport that goes nowhere; `written` is what was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is buffered."""

    def can_write_eof(self) -> bool:
        return False

    def close(self) -> None:
        """Whoever feeds the connection ends it."""


def opened() -> tuple[ClientProtocol, bytes]:
    """A client that has sent its request, and the answer of a server that compresses nothing."""
    client, server = ClientProtocol(parse_uri("ws://127.0.0.1"), max_size=LIMIT), ServerProtocol()
    client.send_request(client.connect())
    server.receive_data(b"".join(client.data_to_send()))
    (request,) = server.events_received()
    assert isinstance(request, Request)
    server.send_response(server.accept(request))
    return client, b"".join(server.data_to_send())


def of_library(client: ClientProtocol, pieces: list[bytes]) -> list[tuple[str, bytes]]:
    """The messages that `websockets` alone finds."""
    found: list[tuple[str, bytes]] = []
    parts: list[Frame] = []
    for piece in pieces:
        client.receive_data(piece)
        for event in client.events_received():
            if isinstance(event, Frame) and event.opcode < Opcode.CLOSE:
                parts.append(event)
                if event.fin:
                    payload = b"".join(bytes(part.data) for part in parts)
                    found.append((parts[0].opcode.name.lower(), payload))
                    parts = []
    return found


def of_socket(
    client: ClientProtocol, pieces: list[bytes], begin: int
) -> tuple[list[tuple[str, bytes]], bytes]:
    """The messages that a TimedSocket gives, begun after that many pieces, and what it sent."""
    found: list[tuple[str, bytes]] = []

    async def feed() -> bytes:
        socket, transport = TimedSocket(client), Wire()
        socket.clock, socket.limit = count(1).__next__, LIMIT
        socket.connection_made(transport)
        for place, piece in enumerate([*pieces, b""]):
            if place == begin:
                socket.begin(lambda _, kind, payloads: found.extend((kind, p) for p in payloads))
            if piece:
                socket.data_received(piece)
        socket.connection_lost(None)
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        return transport.written

    return found, asyncio.run(feed())


def stream(rng: random.Random) -> bytes:
    """Frames of all kinds and sizes; at times with a fault, or with an end before the end."""
    data = b"".join(frame for _ in range(rng.randrange(12)) for frame in message(rng))
    if rng.random() < 0.3:
        data += Frame(Opcode.CLOSE, b"\x03\xe8bye").serialize(mask=False) + wire(rng, Opcode.TEXT)
    if data and rng.random() < 0.3:
        place = rng.randrange(len(data))
        data = data[:place] + rng.randbytes(1) + data[place + 1 :]
    return data


def message(rng: random.Random) -> Iterator[bytes]:
    """A message in one part, or in some with pings between them."""
    opcode = rng.choice([Opcode.TEXT, Opcode.BINARY, Opcode.PING, Opcode.PONG])
    if opcode >= Opcode.PING or rng.random() < 0.7:
        yield wire(rng, opcode, 125 if opcode >= Opcode.PING else LIMIT + (rng.random() < 0.1))
        return
    parts = rng.randrange(2, 4)
    for part in range(parts):
        yield wire(rng, Opcode.CONT if part else opcode, LIMIT // 3, fin=part == parts - 1)
        if rng.random() < 0.3:
            yield wire(rng, rng.choice([Opcode.PING, Opcode.PING, Opcode.TEXT]), 99)


def wire(rng: random.Random, opcode: Opcode, most: int = 99, *, fin: bool = True) -> bytes:
    size = rng.choice([0, 1, rng.randrange(most), most])
    return Frame(opcode, rng.randbytes(size), fin).serialize(mask=False)


def cut(rng: random.Random, data: bytes) -> list[bytes]:
    """The data in pieces: one, some, or byte by byte."""
    places = rng.choice([0, 1, 5, len(data)])
    edges = sorted({0, len(data), *rng.sample(range(len(data)), places)})
    return [data[start:end] for start, end in pairwise(edges)]


@pytest.mark.parametrize("seed", range(300))
def test_whatever_comes_and_however_it_is_cut_the_messages_are_those_of_the_library(seed: int):
    rng = random.Random(seed)  # noqa: S311 - the same streams every time
    frames = stream(rng)
    (alone, answer), (client, other_answer) = opened(), opened()
    expected = of_library(alone, cut(rng, answer + frames))
    pieces = cut(rng, other_answer + frames)
    found, written = of_socket(client, pieces, rng.randrange(len(pieces) + 1))
    assert found == expected
    assert client.close_rcvd == alone.close_rcvd
    assert client.close_sent == alone.close_sent
    assert len(written) == sum(map(len, alone.data_to_send()))
