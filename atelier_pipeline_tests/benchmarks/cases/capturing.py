"""Frames from a loopback socket: received by `websockets` alone, journaled, and captured whole."""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
from websockets.asyncio.client import connect

from atelier_pipeline.capture import CaptureLimits, CaptureProgress, capture_window
from atelier_pipeline.capture.attempts import Attempts
from atelier_pipeline.capture.connection import Connection, Line
from atelier_pipeline.capture.frames import FrameQueue
from atelier_pipeline.capture.listener import Listener
from atelier_pipeline.capture.recorder import Recorder
from atelier_pipeline.capture.shares import shares
from atelier_pipeline.lake.journal import JournalMeta
from atelier_pipeline.lake.journal_reader import read_journal
from atelier_pipeline.lake.journal_writer import JournalWriter
from atelier_pipeline.manifest import Collector
from atelier_pipeline.market.window import Window
from atelier_pipeline_tests.benchmarks.collectors import collector_for
from atelier_pipeline_tests.benchmarks.feed_server import MARKET
from atelier_pipeline_tests.benchmarks.recorded import NS_PER_SEC
from atelier_pipeline_tests.benchmarks.stopwatch import Stopwatch

EXCHANGE = "bybit"
_LIMITS = CaptureLimits()
_HOUR_NS = 3600 * NS_PER_SEC
_POLL_SECS = 0.1


def bare(watch: Stopwatch, frames: str, count: int) -> dict[str, float]:
    """`websockets` alone: every message is received and forgotten."""
    with _served(frames, count) as url:
        secs, cpu_secs = asyncio.run(_receive(url, count))
    return {**watch.sample(count), "secs": secs, "cpu_secs": cpu_secs}


def journaled(watch: Stopwatch, frames: str, count: int, folder: str) -> dict[str, float]:
    """The capture's connection, queue and recorder: every frame is timed and made durable."""
    collector = collector_for(EXCHANGE, frames)
    with tempfile.TemporaryDirectory(dir=folder) as place, _served(frames, count) as url:
        with JournalWriter.open(Path(place), _meta(collector, url)) as writer, watch:
            asyncio.run(_journal(collector, url, writer, Path(place)))
        return _sample(watch, Path(place), count)


def captured(
    watch: Stopwatch, frames: str, count: int, folder: str, rate: float = 0.0
) -> dict[str, float]:
    """A whole capture, which decodes as well, to know whether its books are whole.

    At `rate` messages a second; 0 = as fast as they are taken.
    """
    collector = collector_for(EXCHANGE, frames)
    Listener(collector).warm_up()
    with tempfile.TemporaryDirectory(dir=folder) as place, _served(frames, count, rate) as url:
        is_enough, on_progress = _until(count)
        with watch:
            report = capture_window(
                collector,
                _window(),
                url=url,
                journal=Path(place),
                stop=is_enough,
                on_progress=on_progress,
            )
        return _sample(watch, Path(place), count, dropped=report.dropped)


@contextmanager
def _served(frames: str, count: int, rate: float = 0.0) -> Iterator[str]:
    """The address of a server of these frames, in a process of its own."""
    module = "atelier_pipeline_tests.benchmarks.feed_server"
    command = (sys.executable, "-m", module, frames, str(count), str(rate))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            port = server.stdout.readline().strip() if server.stdout else ""
            yield f"ws://127.0.0.1:{port}"
        finally:
            server.terminate()


async def _receive(url: str, count: int) -> tuple[float, float]:
    async with connect(url, max_size=_LIMITS.frame_bytes, proxy=None) as socket:
        await socket.send('{"op":"subscribe","req_id":"1"}')
        await socket.recv(decode=False)
        began, cpu_before = time.perf_counter(), time.process_time()
        for _ in range(count):
            await socket.recv(decode=False)
        return time.perf_counter() - began, time.process_time() - cpu_before


async def _journal(collector: Collector, url: str, writer: JournalWriter, place: Path) -> None:
    queue = FrameQueue(_LIMITS.queue_bytes)
    line = Line(
        exchange=collector.exchange,
        url=url,
        queue=queue,
        frame_bytes=_LIMITS.frame_bytes,
        staleness_timeout_secs=collector.staleness_timeout_secs,
        attempts=Attempts(collector.exchange.connect_limit),
        now_ns=time.time_ns,
    )
    recorder = Recorder(writer, queue, _LIMITS, place)
    recording = asyncio.create_task(recorder.run())
    forgetting = asyncio.create_task(_forget(queue))
    await Connection(0, shares(collector)[0], line).run(lambda: None)
    recorder.finish()
    forgetting.cancel()
    with suppress(asyncio.CancelledError):
        await forgetting
    await recording


async def _forget(queue: FrameQueue) -> None:
    """Nobody looks into the frames here."""
    while True:
        await asyncio.sleep(_POLL_SECS)
        queue.take_fresh()


def _sample(watch: Stopwatch, journal: Path, count: int, **facts: float) -> dict[str, float]:
    """Seconds from the first frame's receipt to the last one's; `lost` = sent but not journaled."""
    sample = watch.sample(count, **facts)
    journaled = pa.Table.from_batches(read_journal(journal).batches)
    is_market = [payload.startswith(MARKET) for payload in journaled["payload"].to_pylist()]
    times = journaled["ts_recv"].cast(pa.int64()).to_numpy()[np.array(is_market, np.bool_)]
    secs = (times[-1] - times[0]).item() / NS_PER_SEC
    return {**sample, "secs": secs, "lost": count - len(times)}


def _until(count: int) -> tuple[Callable[[], bool], Callable[[CaptureProgress], None]]:
    """A `stop` that is true once progress has told of `count` frames."""
    told = [0]

    def on_progress(progress: CaptureProgress) -> None:
        told[0] = progress.frames + progress.dropped

    return lambda: told[0] >= count, on_progress


def _window() -> Window:
    """A window that is open for some hours to come."""
    start_ns = time.time_ns() // NS_PER_SEC * NS_PER_SEC
    return Window(start_ns, start_ns + 8 * _HOUR_NS)


def _meta(collector: Collector, url: str) -> JournalMeta:
    return JournalMeta(
        exchange=EXCHANGE,
        collector=collector.name,
        url=url,
        source=collector.source,
        manifest=collector.text,
        window=_window(),
    )
