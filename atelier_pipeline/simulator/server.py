"""The simulated exchanges as WebSocket servers: one loopback port, one path per exchange.

The only place of this package that reads a clock or touches a socket. One task moves all markets
and hands every connection what it is due; a connection that does not read is cut off when its
share of memory is used up.
"""

import asyncio
import ipaddress
import signal
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websockets
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.protocol import State

from atelier_pipeline.errors import SettingsError
from atelier_pipeline.simulator.exchanges import PROTOCOLS, Simulation
from atelier_pipeline.simulator.faults import Faults
from atelier_pipeline.simulator.session import Outgoing, Session
from atelier_pipeline.simulator.venue import LEVELS, TrueBook

_SHORTEST_PAUSE_S = 0.001
_LONGEST_PAUSE_S = 0.05
_MOST_CONNECTIONS = 256
_SOCKET_BUFFER_BYTES = 4 << 20
_MOST_WAITING_BYTES = 64 << 20
_TRY_AGAIN_LATER = 1013

Tap = Callable[[Session, Outgoing], None]
"""Hears every message of every session as it goes to the socket: what the server sent."""


class _Connection:
    """A socket and the session behind it."""

    def __init__(self, socket: ServerConnection, session: Session, tap: Tap | None) -> None:
        self._socket = socket
        self._tap = tap
        self.session = session
        self._waiting: deque[Outgoing] = deque()
        self._waiting_bytes = 0
        self.ended = asyncio.Event()

    def take(self, sent: Iterable[Outgoing]) -> None:
        """Queue messages and write what the socket's buffer has room for."""
        for message in sent:
            self._waiting.append(message)
            self._waiting_bytes += len(message.payload)
        self._write()
        if self.session.closing or self._waiting_bytes > _MOST_WAITING_BYTES:
            self.ended.set()

    async def finish(self) -> None:
        """End the connection as the exchange wants it, or because the client does not read."""
        closing = self.session.closing
        if closing is None:
            await self._socket.close(_TRY_AGAIN_LATER, "slow consumer")
        elif closing.code is None:
            self._socket.transport.abort()
        else:
            await self._socket.close(closing.code, closing.reason)

    def _write(self) -> None:
        """Frames go to the socket together: a system call for each would halve the rate."""
        protocol, transport = self._socket.protocol, self._socket.transport
        if protocol.state is not State.OPEN:
            return
        room = _SOCKET_BUFFER_BYTES - transport.get_write_buffer_size()
        while self._waiting and room > 0:
            message = self._waiting.popleft()
            room -= len(message.payload)
            self._frame(message.payload)
            if self._tap:
                self._tap(self.session, message)
        transport.write(b"".join(protocol.data_to_send()))

    def _frame(self, payload: str | bytes) -> None:
        self._waiting_bytes -= len(payload)
        if isinstance(payload, str):
            self._socket.protocol.send_text(payload.encode())
        else:
            self._socket.protocol.send_binary(payload)


class Server:
    """Running simulated exchanges.

    Attributes:
        url: ws://HOST:PORT; an exchange is at url + "/" + its name.
        port: the port that was bound.
    """

    def __init__(
        self, simulations: dict[str, Simulation], clock: Callable[[], int], tap: Tap | None
    ) -> None:
        self.url = ""
        self.port = 0
        self._simulations = simulations
        self._clock = clock
        self._tap = tap
        self._connections: dict[ServerConnection, _Connection] = {}

    @property
    def exchanges(self) -> list[str]:
        """The names of the exchanges that are served."""
        return list(self._simulations)

    @property
    def sessions(self) -> list[Session]:
        """The open connections, oldest first."""
        return [connection.session for connection in self._connections.values()]

    def book(self, exchange: str, symbol: str, depth: int | None = None) -> TrueBook:
        """The exchange's own book now. Raises KeyError for what is not served or listed."""
        simulation = self._simulations[exchange]
        simulation.catch_up(self._clock())
        return simulation.venue.book(symbol, depth)

    def admit(self, socket: ServerConnection, request: Request) -> Response | None:
        """Refuse a path that is no exchange, and more connections than there is room for."""
        if request.path.strip("/") not in self._simulations:
            paths = " ".join(f"/{name}" for name in self._simulations)
            return socket.respond(HTTPStatus.NOT_FOUND, f"there is: {paths}\n")
        if len(self._connections) >= _MOST_CONNECTIONS:
            return socket.respond(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections\n")
        return None

    async def talk(self, socket: ServerConnection) -> None:
        """Serve one connection until either side ends it."""
        path = socket.request.path if socket.request else ""
        simulation = self._simulations[path.strip("/")]
        session = simulation.session()
        connection = self._connections[socket] = _Connection(socket, session, self._tap)
        reading = asyncio.create_task(self._read(socket, connection, simulation))
        ending = asyncio.create_task(connection.ended.wait())
        try:
            connection.take(session.on_connect(simulation.catch_up(self._clock())))
            await asyncio.wait({reading, ending}, return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                reading.result()
            else:
                await connection.finish()
        finally:
            session.close()
            del self._connections[socket]
            for task in (reading, ending):
                task.cancel()
            await asyncio.gather(reading, ending, return_exceptions=True)

    async def move(self) -> None:
        """Let the markets run and send what they give, for ever."""
        while True:
            now = self._clock()
            reached = {
                name: simulation.catch_up(now) for name, simulation in self._simulations.items()
            }
            for connection in list(self._connections.values()):
                connection.take(connection.session.tick(reached[connection.session.exchange]))
            await asyncio.sleep(self._pause_s(now))

    async def _read(
        self, socket: ServerConnection, connection: _Connection, simulation: Simulation
    ) -> None:
        with suppress(ConnectionClosed):
            async for message in socket:
                text = message if isinstance(message, str) else message.decode(errors="replace")
                now = simulation.catch_up(self._clock())
                connection.take(connection.session.on_message(text, now))

    def _pause_s(self, now: int) -> float:
        due = [simulation.venue.agenda.next_due() for simulation in self._simulations.values()]
        soonest = min((time_ns for time_ns in due if time_ns is not None), default=now + 10**9)
        return min(max((soonest - now) / 1e9, _SHORTEST_PAUSE_S), _LONGEST_PAUSE_S)


@asynccontextmanager
async def serve(  # noqa: PLR0913 - one keyword per setting, each with a default
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    seed: int = 7,
    rate: float = 20.0,
    exchanges: Iterable[str] = tuple(PROTOCOLS),
    levels: int = LEVELS,
    clock: Callable[[], int] = time.time_ns,
    tap: Tap | None = None,
    faults: Faults | None = None,
    allow_remote: bool = False,
) -> AsyncGenerator[Server]:
    """Serve the simulated exchanges while the context is open.

    Args:
        host: where to listen; refused unless loopback, or `allow_remote`.
        port: 0 = any free one.
        seed: another seed is another market.
        rate: order book messages per second and symbol.
        exchanges: which of them, by name.
        levels: levels per side of a whole book.
        clock: the time in UTC ns.
        tap: hears every message as it goes to a socket.
        faults: what goes wrong on the connections; None = nothing.
        allow_remote: let other machines connect.

    Raises SettingsError for a host, port, exchange or rate that cannot be used.
    """
    _check_host(host, allow_remote=allow_remote)
    simulations = _simulations(exchanges, seed=seed, rate=rate, levels=levels, start_ns=clock())
    for simulation in simulations.values():
        simulation.faults = faults
    server = Server(simulations, clock, tap)
    try:
        listening = await serve_websockets(
            server.talk,
            host,
            port,
            process_request=server.admit,
            compression=None,
            ping_interval=None,
            close_timeout=1,
        )
    except OSError as error:
        reason = error.strerror or error
        raise SettingsError(f"cannot listen on {host} port {port}: {reason}") from error
    server.port = listening.sockets[0].getsockname()[1]
    server.url = f"ws://{f'[{host}]' if ':' in host else host}:{server.port}"
    moving = asyncio.create_task(server.move())
    try:
        yield server
    finally:
        moving.cancel()
        listening.close()
        await listening.wait_closed()
        with suppress(asyncio.CancelledError):
            await moving


def _check_host(host: str, *, allow_remote: bool) -> None:
    try:
        is_loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback and not allow_remote:
        msg = f"host {host!r} is not a loopback address; allow_remote (--allow-remote) permits it"
        raise SettingsError(msg)


def _simulations(
    exchanges: Iterable[str], *, seed: int, rate: float, levels: int, start_ns: int
) -> dict[str, Simulation]:
    try:
        return {
            name: Simulation(name, seed=seed, rate=rate, start_ns=start_ns, levels=levels)
            for name in exchanges
        }
    except ValueError as error:
        raise SettingsError(str(error)) from error


def run(
    host: str = "127.0.0.1",
    port: int = 8765,
    seed: int = 7,
    rate: float = 20.0,
    *,
    allow_remote: bool = False,
    faults: Faults | None = None,
    announce: Callable[[str], None] = print,
) -> None:
    """Serve until SIGINT or SIGTERM; say the addresses first. Errors as in `serve`."""
    serving = serve(
        host=host, port=port, seed=seed, rate=rate, allow_remote=allow_remote, faults=faults
    )
    market = f"seed {seed}, {rate:g} book messages/s per symbol"
    asyncio.run(_until_told(serving, market, announce))


async def _until_told(
    serving: AbstractAsyncContextManager[Server], market: str, announce: Callable[[str], None]
) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with serving as server:
        announce(f"simulated exchanges, {market}:")
        for name in server.exchanges:
            announce(f"  {server.url}/{name}")
        announce("Ctrl-C stops them.")
        await stopped.wait()
    announce("simulated exchanges stopped.")
