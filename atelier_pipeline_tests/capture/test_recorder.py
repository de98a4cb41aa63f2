"""From the queue to the journal, on good disks and bad ones."""

import asyncio
import json
import threading
from pathlib import Path

import pytest

from atelier_pipeline.capture import recorder
from atelier_pipeline.capture.frames import FrameQueue
from atelier_pipeline.capture.limits import CaptureLimits
from atelier_pipeline.lake.journal import JournalMeta
from atelier_pipeline.lake.journal_writer import JournalWriter
from atelier_pipeline.market.window import Window
from atelier_pipeline_tests.capture.samples import rows

META = JournalMeta(
    exchange="kraken",
    collector="mine",
    url="ws://127.0.0.1:1",
    source="simulated",
    manifest="",
    window=Window(0, 1),
)
LIMITS = CaptureLimits(queue_bytes=1000, disk_floor_bytes=0)


class Gate:
    """A journal whose disk stands still until it is told to go on."""

    def __init__(self, writer: JournalWriter) -> None:
        self.extend = writer.extend
        self.reached = threading.Event()
        self.open = threading.Event()
        self._writer = writer

    def flush(self) -> int:
        self.reached.set()
        assert self.open.wait(10)
        return self._writer.flush()


def test_what_waits_at_the_end_is_written(tmp_path: Path):
    async def record(writer: JournalWriter) -> None:
        queue = FrameQueue(LIMITS.queue_bytes)
        writing = recorder.Recorder(writer, queue, LIMITS, tmp_path)
        recording = asyncio.create_task(writing.run())
        queue.note(1, 4, "opened", b"{}")
        queue.receive(2, 4, "text", b"a")
        writing.finish()
        await recording

    with JournalWriter.open(tmp_path, META) as writer:
        asyncio.run(record(writer))
    assert rows(tmp_path) == [(4, "opened", b"{}"), (4, "text", b"a")]


def test_the_next_write_is_due_from_the_beginning_of_the_last_not_from_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async def record(gate: Gate) -> None:
        queue = FrameQueue(LIMITS.queue_bytes)
        monkeypatch.setattr(recorder, "FLUSH_SECS", 0.05)
        writing = recorder.Recorder(gate, queue, LIMITS, tmp_path)  # pyright: ignore[reportArgumentType]
        recording = asyncio.create_task(writing.run())
        await asyncio.to_thread(gate.reached.wait, 10)
        monkeypatch.setattr(recorder, "FLUSH_SECS", 3600)
        gate.reached.clear()
        gate.open.set()
        assert await asyncio.to_thread(gate.reached.wait, 10)
        writing.finish()
        await recording

    with JournalWriter.open(tmp_path, META) as writer:
        asyncio.run(record(Gate(writer)))


def test_a_disk_that_stands_still_costs_counted_frames_and_no_memory(tmp_path: Path):
    async def record(gate: Gate) -> FrameQueue:
        queue = FrameQueue(LIMITS.queue_bytes)
        writing = recorder.Recorder(gate, queue, LIMITS, tmp_path)  # pyright: ignore[reportArgumentType]
        recording = asyncio.create_task(writing.run())
        queue.receive(0, 0, "text", b"first")
        await asyncio.to_thread(gate.reached.wait)
        for time in range(1, 100):
            queue.receive(time, 0, "text", b"x" * 50)
        gate.open.set()
        writing.finish()
        await recording
        queue.receive(100, 0, "text", b"last")
        await writing.run()
        return queue

    with JournalWriter.open(tmp_path, META) as writer:
        queue = asyncio.run(record(Gate(writer)))
    assert (queue.frames, queue.dropped) == (5, 96)
    journaled = rows(tmp_path)
    assert [kind for _, kind, _ in journaled] == [*["text"] * 4, "dropped", "text"]
    assert json.loads(journaled[4][2])["frames"] == 96


def test_many_bytes_are_written_before_their_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async def record(gate: Gate) -> None:
        queue = FrameQueue(1 << 26)
        made = recorder.Recorder(gate, queue, LIMITS, tmp_path)  # pyright: ignore[reportArgumentType]
        recording = asyncio.create_task(made.run())
        queue.receive_all(1, 0, "text", [b"x" * (1 << 20)] * 17)
        assert await asyncio.to_thread(gate.reached.wait, 10)
        gate.open.set()
        made.finish()
        await recording

    monkeypatch.setattr(recorder, "FLUSH_SECS", 3600.0)
    with JournalWriter.open(tmp_path, META) as writer:
        asyncio.run(record(Gate(writer)))
    assert len(rows(tmp_path)) == 17
