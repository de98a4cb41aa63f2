"""Frames from the queue to the journal: every 0.5 s, or sooner where many come.

A thread beside the event loop writes them.
"""

import asyncio
from contextlib import suppress
from pathlib import Path

from atelier_pipeline.capture.frames import Frame, FrameQueue
from atelier_pipeline.capture.limits import CaptureLimits
from atelier_pipeline.lake.journal_writer import JournalWriter

FLUSH_SECS = 0.5
"""From the beginning of one write to that of the next, which waits for no more than the first.

A crash loses what came since the last write began: half a second, or as long as a write takes where
that is longer. The other half of the promised second is for a busy machine.
"""


class Recorder:
    """Writes what is in the queue until `finish`.

    Attributes:
        at_floor: the disk reached its floor.
    """

    def __init__(
        self, writer: JournalWriter, queue: FrameQueue, limits: CaptureLimits, folder: Path
    ) -> None:
        self.at_floor = False
        self._writer = writer
        self._queue = queue
        self._limits = limits
        self._folder = folder
        self._is_finishing = False

    async def run(self) -> None:
        """Write every FLUSH_SECS until `finish`, then the rest. Raises JournalError."""
        clock = asyncio.get_running_loop().time
        due = clock() + FLUSH_SECS
        while not self._is_finishing:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._queue.filling.wait(), due - clock())
            due = clock() + FLUSH_SECS
            await self._flush()
            self._queue.filling.clear()
        await self._flush()

    def finish(self) -> None:
        """Let `run` write what is left and return."""
        self._is_finishing = True
        self._queue.filling.set()

    async def _flush(self) -> None:
        frames = self._queue.take()
        await asyncio.to_thread(self._write, frames)
        self._queue.written(frames)

    def _write(self, frames: list[Frame]) -> None:
        self._writer.extend(frames)
        self._writer.flush()
        self.at_floor = self._limits.at_floor(self._folder)
