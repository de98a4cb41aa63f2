"""The simulated exchanges in a process of their own, which keeps what it sent to whom."""

import asyncio
import os
import signal
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from atelier_pipeline.simulator import serve
from atelier_pipeline.simulator.session import Outgoing, Session
from atelier_pipeline_tests.reliability.victims import ended, forked

_HEAD = struct.Struct("<qII")
Sent = list[tuple[int, bytes]]
"""(time the exchange sent it, payload) of one connection, in order."""


@dataclass(frozen=True)
class Served:
    """Running exchanges: their address, and the folder in which they note what they send."""

    url: str
    folder: Path

    def sent(self, exchange: str) -> dict[int, Sent]:
        """What was sent on each connection to an exchange so far, by the connection's number."""
        path = self.folder / exchange
        data, at = path.read_bytes() if path.exists() else b"", 0
        connections: dict[int, Sent] = {}
        while at + _HEAD.size <= len(data):
            ts, number, size = _HEAD.unpack_from(data, at)
            at += _HEAD.size
            connections.setdefault(number, []).append((ts, data[at : at + size]))
            at += size
        return connections


@contextmanager
def served(folder: Path, rate: float = 20.0) -> Iterator[Served]:
    """The simulated exchanges while the body runs."""
    reading, writing = os.pipe()
    pid = forked(lambda: asyncio.run(_serve(folder, rate, writing)))
    os.close(writing)
    try:
        yield Served(os.read(reading, 200).decode(), folder)
    finally:
        os.close(reading)
        os.kill(pid, signal.SIGKILL)
        ended(pid)


async def _serve(folder: Path, rate: float, ready: int) -> None:
    files: dict[str, int] = {}

    def note(session: Session, message: Outgoing) -> None:
        if session.exchange not in files:
            flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND
            files[session.exchange] = os.open(folder / session.exchange, flags)
        payload = message.payload.encode() if isinstance(message.payload, str) else message.payload
        head = _HEAD.pack(message.ts, session.number, len(payload))
        os.write(files[session.exchange], head + payload)

    async with serve(rate=rate, levels=60, tap=note) as server:
        os.write(ready, server.url.encode())
        await asyncio.Event().wait()
