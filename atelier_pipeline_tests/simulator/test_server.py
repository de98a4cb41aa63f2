import asyncio
import json
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from atelier_pipeline.errors import SettingsError
from atelier_pipeline.exchanges.registry import EXCHANGES
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.events import NormalizedDelta
from atelier_pipeline.market.orderbook import OrderbookDelta
from atelier_pipeline.simulator import Fault, Faults, Script, serve
from atelier_pipeline.simulator import server as server_module
from atelier_pipeline.simulator.exchanges import PROTOCOLS

BTC = {
    "bybit": "BTCUSDT",
    "bybit_spot": "BTCUSDT",
    "coinbase": "BTC-USD",
    "coinbase_exchange": "BTC-USD",
    "kraken": "BTC/USD",
}
SPOT = frozenset({Dataset.ORDERBOOKS, Dataset.TRADES})
CODE = "from atelier_pipeline.simulator import run; run(port=0)"


async def until(condition):
    for _ in range(1_000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError


async def how_it_ends(server, exchange):
    async with connect(f"{server.url}/{exchange}") as connection:
        with pytest.raises(ConnectionClosed) as closed:
            await connection.recv()
        return closed.value


async def hear_all(connection, received):
    while True:
        received.append(await connection.recv())


@pytest.mark.parametrize("exchange", PROTOCOLS)
def test_a_client_on_a_real_socket_keeps_the_servers_own_book(exchange):
    codec, symbol = EXCHANGES[exchange], BTC[exchange]
    depth = codec.offered_depth(50)
    kept = OrderbookDelta(
        exchange=exchange, symbol=symbol, depth=depth if codec.cuts_to_depth else None
    )

    async def client(server, count):
        async with connect(f"{server.url}/{exchange}", max_size=None) as connection:
            for request in codec.subscribe([symbol], codec.datasets, depth):
                await connection.send(request.payload)
            while count:
                payload = await connection.recv(decode=False)
                for event in codec.decode(payload, 0):
                    if isinstance(event, NormalizedDelta):
                        kept.apply(event)
                        book = kept.to_orderbook(0)
                        yield book.bids, book.asks
                        count -= 1

    async def main():
        async with serve(exchanges=[exchange], levels=300) as server:
            true_books = [server.book(exchange, symbol, depth)]
            venue = server._simulations[exchange].venue
            venue.tape(symbol).listen(lambda _: true_books.append(venue.book(symbol, depth)))
            books = [book async for book in client(server, count=30)]
            return books, true_books

    books, true_books = asyncio.run(main())
    assert len(books) == 30
    assert all(book in true_books for book in books)


def test_all_exchanges_are_served_side_by_side_on_one_port():
    async def first_frames(server, exchange):
        async with connect(f"{server.url}/{exchange}", max_size=None) as connection:
            protocol = PROTOCOLS[exchange]
            for text in protocol.requests([BTC[exchange]], protocol.datasets, None):
                await connection.send(text)
            return [await connection.recv() for _ in range(20)]

    async def main():
        async with serve(levels=200) as server:
            assert server.url == f"ws://127.0.0.1:{server.port}"
            assert server.exchanges == list(BTC)
            return await asyncio.gather(*(first_frames(server, exchange) for exchange in BTC))

    for exchange, received in zip(BTC, asyncio.run(main()), strict=True):
        assert any(BTC[exchange] in frame for frame in received)


def test_a_session_ends_with_its_connection():
    async def main():
        async with serve(exchanges=["kraken"], levels=200) as server:
            async with connect(f"{server.url}/kraken") as connection:
                await connection.recv()
                assert [session.number for session in server.sessions] == [1]
            await until(lambda: not server.sessions)
            async with connect(f"{server.url}/kraken") as connection:
                await connection.recv()
                assert [session.number for session in server.sessions] == [2]

    asyncio.run(asyncio.wait_for(main(), 20))


def test_an_exchange_that_wants_to_disconnect_closes_the_socket():
    times = iter(range(0, 10**12, 300_000_000))

    async def main():
        async with serve(exchanges=["coinbase"], levels=200, clock=lambda: next(times)) as server:
            return await how_it_ends(server, "coinbase")

    closed = asyncio.run(asyncio.wait_for(main(), 20)).rcvd
    assert (closed.code, closed.reason) == (1008, "no subscription within 5 seconds")


def test_a_silent_bybit_connection_dies_without_a_close_frame():
    times = iter(range(0, 10**15, 5_000_000_000))

    async def main():
        async with serve(exchanges=["bybit"], levels=200, clock=lambda: next(times)) as server:
            return await how_it_ends(server, "bybit")

    assert asyncio.run(asyncio.wait_for(main(), 20)).rcvd is None


def test_faults_reach_the_socket_garbage_as_binary_and_an_abort_without_a_close_frame():
    faults = [
        Fault(what="garbage", channel="heartbeat", count=1, size_bytes=64),
        Fault(what="abort", after_secs=1.5),
    ]

    async def main():
        async with (
            serve(exchanges=["kraken"], levels=50, faults=Faults(Script(faults=faults))) as server,
            connect(f"{server.url}/kraken") as connection,
        ):
            await connection.send(PROTOCOLS["kraken"].requests(["BTC/USD"], SPOT, None)[0])
            received = []
            with pytest.raises(ConnectionClosed) as closed:
                await hear_all(connection, received)
            return received, closed.value

    received, closed = asyncio.run(asyncio.wait_for(main(), 20))
    assert [len(frame) for frame in received if isinstance(frame, bytes)] == [64]
    assert closed.rcvd is None


def test_a_path_that_is_no_exchange_is_not_found():
    async def main():
        async with serve(exchanges=["kraken", "bybit"], levels=200) as server:
            url = server.url.replace("ws://", "http://") + "/nyse"
            return await asyncio.to_thread(not_found, url)

    def not_found(url):
        with pytest.raises(HTTPError) as refused:
            urlopen(url)  # noqa: S310 - a loopback address of our own
        with refused.value as answer:
            return answer.code, answer.read().decode()

    assert asyncio.run(main()) == (404, "there is: /kraken /bybit\n")


def test_a_client_that_does_not_read_is_cut_off(monkeypatch):
    monkeypatch.setattr(server_module, "_SOCKET_BUFFER_BYTES", 1_000)
    monkeypatch.setattr(server_module, "_MOST_WAITING_BYTES", 1_000_000)
    asked = {"type": "subscribe", "product_ids": ["BTC-USD"], "channel": "level2"}

    async def main():
        async with (
            serve(exchanges=["coinbase"]) as server,
            connect(
                f"{server.url}/coinbase", max_size=None, max_queue=1, close_timeout=0.1
            ) as connection,
        ):
            await until(lambda: server.sessions)
            with suppress(ConnectionClosed):
                for _ in range(60):
                    for kind in ("subscribe", "unsubscribe"):
                        await connection.send(json.dumps(asked | {"type": kind}))
            await until(lambda: not server.sessions)

    asyncio.run(asyncio.wait_for(main(), 60))


def test_more_connections_than_there_is_room_for_are_refused(monkeypatch):
    monkeypatch.setattr(server_module, "_MOST_CONNECTIONS", 1)

    async def main():
        async with (
            serve(exchanges=["kraken"], levels=50) as server,
            connect(f"{server.url}/kraken"),
        ):
            await until(lambda: server.sessions)
            with pytest.raises(InvalidStatus) as refused:
                await connect(f"{server.url}/kraken")
            return refused.value.response.status_code

    assert asyncio.run(main()) == 503


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.org"])  # noqa: S104 - refused
def test_only_loopback_is_served_unless_told_otherwise(host):
    async def main():
        async with serve(host=host):
            pass

    with pytest.raises(SettingsError, match=f"host '{host}' is not a loopback address"):
        asyncio.run(main())


def test_a_remote_host_is_served_when_told_so():
    async def main():
        everywhere = "0.0.0.0"  # noqa: S104 - what this test is about
        async with (
            serve(host=everywhere, levels=50, allow_remote=True) as server,
            connect(f"ws://127.0.0.1:{server.port}/kraken") as connection,
        ):
            return json.loads(await connection.recv())["channel"]

    assert asyncio.run(main()) == "status"


def test_a_port_that_is_taken_an_unknown_exchange_and_a_bad_rate_are_settings_errors():
    async def main(**settings):
        async with serve(**settings):
            pass

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"cannot listen on 127.0.0.1 port {port}: "):
            asyncio.run(main(port=port))
    with pytest.raises(SettingsError, match="no simulated exchange 'nyse'"):
        asyncio.run(main(exchanges=["nyse"]))
    with pytest.raises(SettingsError, match="rate is -1"):
        asyncio.run(main(rate=-1))


def test_the_true_book_can_be_asked_for_without_a_client():
    async def main():
        async with serve(exchanges=["kraken"], levels=200) as server:
            bids, asks = server.book("kraken", "BTC/USD", 10)
            with pytest.raises(KeyError):
                server.book("nyse", "BTC/USD")
            return bids, asks

    bids, asks = asyncio.run(main())
    assert (len(bids), len(asks)) == (10, 10)
    assert bids[0][0] < asks[0][0]


def test_an_error_inside_the_context_is_raised_as_it_is():
    async def main():
        async with serve(exchanges=["kraken"], levels=50):
            raise LookupError("of the caller")

    with pytest.raises(LookupError, match="of the caller"):
        asyncio.run(main())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_says_its_addresses_and_ends_cleanly_on_a_signal(number):
    with subprocess.Popen(
        [sys.executable, "-c", CODE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        lines = [process.stdout.readline() for _ in range(7)]
        process.send_signal(number)
        rest, errors = process.communicate(timeout=30)
    assert lines[0] == "simulated exchanges, seed 7, 20 book messages/s per symbol:\n"
    assert [line.rpartition("/")[2].strip() for line in lines[1:6]] == list(BTC)
    assert rest == "simulated exchanges stopped.\n"
    assert (process.returncode, errors) == (0, "")
