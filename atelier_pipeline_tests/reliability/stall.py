"""A disk that stands still while messages keep coming: what is dropped, and what memory it takes.

    python -m atelier_pipeline_tests.reliability.stall --secs 60 --rate 10000

A capture in a process of its own, before a server in another one. While the disk stands still,
`fdatasync` does not return. Every message sent must be in the journal, or be counted there.
"""

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pyarrow as pa
from websockets.asyncio.server import ServerConnection, serve

from atelier_pipeline.capture import CaptureLimits, CaptureReport, capture_window
from atelier_pipeline.capture.listener import Listener
from atelier_pipeline.capture.states import logger
from atelier_pipeline.decode.control import read_dropped
from atelier_pipeline.lake.journal_reader import read_journal
from atelier_pipeline_tests.capture.samples import accepted, book, collector, window
from atelier_pipeline_tests.reliability.victims import ended, forked

KIB, MIB = 1 << 10, 1 << 20
BEFORE_SECS, AFTER_SECS = 3.0, 3.0
TICK_SECS = 0.01
MOST_BUFFERED_BYTES = 4 * MIB
OVERHEAD_BYTES = 200
"""What the queue adds to a payload's bytes."""

TRADE = (
    b'{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":65123.4,'
    b'"qty":0.00012345,"ord_type":"limit","trade_id":%010d,"timestamp":"%s"}]}'
)


class Memory(msgspec.Struct):
    """Resident bytes of the capture's process before the disk stood still, and at most.

    And when it stood still and went on, UTC ns.
    """

    before: int = 0
    peak: int = 0
    stood_ns: int = 0
    went_on_ns: int = 0


@dataclass(frozen=True)
class Outcome:
    """What became of the messages.

    Attributes:
        sent: by the server.
        journaled: received frames in the journal.
        dropped: the frames that its records count, and how many records those are.
        largest: bytes that came while the disk stood still and were kept, as the queue counts them:
            all of them were in it at once.
    """

    sent: int
    journaled: int
    dropped: int
    records: int
    largest: int
    memory: Memory

    def __str__(self) -> str:
        return (
            f"sent {self.sent}, journaled {self.journaled}, dropped {self.dropped} in "
            f"{self.records} records, unaccounted {self.sent - self.journaled - self.dropped}; "
            f"queue held {self.largest} bytes; resident {self.memory.before / MIB:.0f} MiB "
            f"before, {self.memory.peak / MIB:.0f} MiB at most"
        )


def stall(folder: Path, secs: float, rate: int, queue_bytes: int) -> Outcome:
    """Let a disk stand still for `secs` with `rate` messages a second."""
    logger.setLevel(logging.CRITICAL)
    Listener(collector()).warm_up()
    reading, writing = os.pipe()
    sending_secs = BEFORE_SECS + secs + AFTER_SECS
    server = forked(lambda: asyncio.run(_flood(writing, sending_secs, rate)))
    url = os.read(reading, 200).decode()
    limits = CaptureLimits(queue_bytes=queue_bytes, window_disk_bytes=1, disk_floor_bytes=0)
    capture = forked(lambda: _capture(folder, url, limits))
    memory = _watch(capture, folder, secs)
    sent = int(os.read(reading, 200))
    (folder / "stop").touch()
    codes = ended(capture), ended(server)
    assert codes == (0, 0)
    return _outcome(folder / "journal", sent, memory)


def _capture(folder: Path, url: str, limits: CaptureLimits) -> CaptureReport:
    sync = os.fdatasync

    def standing_still(descriptor: int) -> None:
        while (folder / "stand").exists():
            time.sleep(0.05)
        sync(descriptor)

    os.fdatasync = standing_still
    stop: Callable[[], bool] = (folder / "stop").exists
    journal = folder / "journal"
    made, when = collector(collect="staleness_timeout_secs = 300"), window(3600)
    return capture_window(made, when, url=url, journal=journal, stop=stop, limits=limits)


async def _flood(ready: int, secs: float, rate: int) -> None:
    """Accept, send a book, then trades for `secs`; tell how many frames that were in all."""
    over = asyncio.Event()

    async def talk(socket: ServerConnection) -> None:
        answers = accepted(await socket.recv(decode=True))
        for text in (*answers, book()):
            await socket.send(text)
        sent = await _send_trades(socket, secs, rate)
        await (await socket.ping())
        await asyncio.sleep(0.5)
        os.write(ready, b"%d" % (sent + len(answers) + 1))
        await socket.wait_closed()
        over.set()

    async with serve(talk, "127.0.0.1", 0, compression=None, ping_interval=None) as listening:
        os.write(ready, b"ws://127.0.0.1:%d" % listening.sockets[0].getsockname()[1])
        await over.wait()


async def _send_trades(socket: ServerConnection, secs: float, rate: int) -> int:
    """At the rate, or as fast as the client takes them; a system call for a tick's trades."""
    clock, protocol, transport = asyncio.get_running_loop().time, socket.protocol, socket.transport
    began, sent = clock(), 0
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime()).encode()
    while (passed := clock() - began) < secs:
        if transport.get_write_buffer_size() < MOST_BUFFERED_BYTES:
            for number in range(sent, int(passed * rate)):
                protocol.send_text(TRADE % (number, stamp))
            sent = int(passed * rate)
            transport.write(b"".join(protocol.data_to_send()))
        await asyncio.sleep(TICK_SECS)
    return sent


def _watch(pid: int, folder: Path, secs: float) -> Memory:
    """Let the disk stand still, and see what the capture's memory does meanwhile and afterwards."""
    memory = Memory()
    _sample(pid, memory, BEFORE_SECS)
    memory.before = memory.peak
    (folder / "stand").touch()
    memory.stood_ns = time.time_ns()
    _sample(pid, memory, secs)
    memory.went_on_ns = time.time_ns()
    (folder / "stand").unlink()
    _sample(pid, memory, AFTER_SECS)
    return memory


def _sample(pid: int, memory: Memory, secs: float) -> None:
    until = time.monotonic() + secs
    while time.monotonic() < until:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        memory.peak = max(memory.peak, pages * os.sysconf("SC_PAGE_SIZE"))
        time.sleep(0.05)


def _outcome(journal: Path, sent: int, memory: Memory) -> Outcome:
    frames = dropped = records = largest = 0
    for batch in read_journal(journal).batches:
        times = batch["ts_recv"].cast(pa.int64()).to_pylist()
        columns = (times, batch["kind"].to_pylist(), batch["payload"].to_pylist())
        for ts, kind, payload in zip(*columns, strict=True):
            if kind == "text":
                frames += 1
                if memory.stood_ns <= ts < memory.went_on_ns:
                    largest += len(payload) + OVERHEAD_BYTES
            elif kind == "dropped":
                dropped += read_dropped(payload).frames or 0
                records += 1
    return Outcome(sent, frames, dropped, records, largest, memory)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--secs", type=float, default=60, help="for which the disk stands still")
    parser.add_argument("--rate", type=int, default=10_000, help="messages a second")
    parser.add_argument("--queue-kib", type=int, default=128 << 10, help="limit of the queue, KiB")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="atelier-stall-") as name:
        outcome = stall(Path(name), options.secs, options.rate, options.queue_kib * KIB)
    sys.stdout.write(f"{outcome}\n")
    return 0 if outcome.sent == outcome.journaled + outcome.dropped else 1


if __name__ == "__main__":
    sys.exit(main())
