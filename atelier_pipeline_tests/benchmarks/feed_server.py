"""A WebSocket server that sends frames as fast as they are taken, or at a rate.

`python -m … FRAMES COUNT RATE` prints its port and serves until it is ended. The first connection
gets COUNT market frames, those of the file again and again, RATE a second (0 = as fast as it reads
them), and is closed. Requests are answered as Bybit answers them. Frames are made into bytes
beforehand, so that the server costs far less than who receives.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Frame, Opcode

from atelier_pipeline_tests.benchmarks.recorded import read_frames

MARKET = b'{"topic"'
"""How frames begin that are no answers; those in the file were meant for other requests."""

_PER_BLOCK = 64


class Feed:
    """What the first connection gets: blocks of frames, ready for the socket."""

    def __init__(self, frames: Path, count: int, rate: float) -> None:
        self._wire = [
            Frame(Opcode.TEXT, payload).serialize(mask=False)
            for _, payload in read_frames(frames)
            if payload.startswith(MARKET)
        ]
        self._count, self._rate = count, rate
        self._is_taken = False

    async def talk(self, socket: ServerConnection) -> None:
        """Answer requests, and send where nobody was sent anything yet."""
        sending: asyncio.Task[None] | None = None
        async for message in socket:
            request = json.loads(message)
            answer = {"success": True, "ret_msg": "", "conn_id": "", "op": request["op"]}
            await socket.send(json.dumps({**answer, "req_id": request.get("req_id", "")}))
            if not self._is_taken:
                self._is_taken = True
                sending = asyncio.create_task(self._send(socket))
        if sending is not None:
            await sending

    async def _send(self, socket: ServerConnection) -> None:
        began, sent = time.perf_counter(), 0
        for block in self._blocks():
            if self._rate:
                await asyncio.sleep(max(0.0, began + sent / self._rate - time.perf_counter()))
            socket.transport.write(b"".join(block))
            await socket.drain()
            sent += len(block)
        await socket.close()

    def _blocks(self) -> Iterator[list[bytes]]:
        frames = islice(cycle(self._wire), self._count)
        while block := list(islice(frames, _PER_BLOCK)):
            yield block


async def _run(feed: Feed) -> None:
    async with serve(feed.talk, "127.0.0.1", 0, compression=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - the starter waits
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_run(Feed(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))))
