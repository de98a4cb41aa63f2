"""Frames from the queue to the journal: every 0.8 s, or sooner where many come.

A thread beside the event loop writes them.
"""

import asyncio
from contextlib import suppress
from pathlib import Path

from atelier_pipeline.capture.frames import Frame, FrameQueue
from atelier_pipeline.capture.limits import CaptureLimits
from atelier_pipeline.lake.journal_writer import JournalWriter

FLUSH_SECS = 0.8
"""A crash loses the frames of this time and of one write: a second, on a disk that keeps up."""


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
        while not self._is_finishing:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._queue.filling.wait(), FLUSH_SECS)
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
