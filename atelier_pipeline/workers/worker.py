"""The two workers: a manifest run by itself, from the sockets to the sinks, without Dagster."""

import asyncio
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import ClassVar, Self, TypeVar

from atelier_pipeline.errors import SettingsError
from atelier_pipeline.manifest import Collector, Manifest, load_manifest
from atelier_pipeline.market.window import Window
from atelier_pipeline.settings import Settings, load_settings
from atelier_pipeline.workers.channel import ChannelSink, TopicRegistry
from atelier_pipeline.workers.line import DataLine, Line, MarketLine, event_topics, snapshot_topics
from atelier_pipeline.workers.parquet import ParquetSink
from atelier_pipeline.workers.plan import (
    collector_name,
    collectors_of,
    duration_of,
    outputs_of,
    session_window,
    worker_plans,
)
from atelier_pipeline.workers.report import Kind, WorkerReport
from atelier_pipeline.workers.session import Session, claim_window
from atelier_pipeline.workers.sinks import OutputSink, OutputSinkSet
from atelier_pipeline.workers.terminal import TerminalSink

NS_PER_SEC = 1_000_000_000

T = TypeVar("T")


class Worker:
    """One run of a manifest; what a DataWorker and a MarketWorker have in common.

    Attributes:
        topics: the names of its topics.
        registry: where they can be subscribed to, if an output is a channel.
    """

    kind: ClassVar[Kind]
    _line: ClassVar[type[Line]]

    def __init__(
        self,
        manifest: Manifest,
        *,
        name: str = "worker",
        sinks: Sequence[OutputSink] = (),
        terminal: TerminalSink | None = None,
        settings: Settings | None = None,
        duration_secs: float | None = None,
    ) -> None:
        """Nothing is connected or written yet.

        Args:
            manifest: what is captured, and the outputs.
            name: what the report and the journal call it.
            sinks: further sinks; they get every market.
            terminal: where an output of type terminal goes; default: one of its own.
            settings: the installation's: journal, simulated exchanges, limits.
            duration_secs: how long it runs, instead of the manifest's `duration_hours`.

        Raises:
            SettingsError: the manifest can't be run.
        """
        if duration_secs is not None and duration_secs <= 0:
            raise SettingsError(f"the duration must be above 0 seconds, not {duration_secs:g}")
        self.name = name
        self._manifest = manifest
        self._settings = load_settings() if settings is None else settings
        self._duration_secs = duration_of(manifest) if duration_secs is None else duration_secs
        self._own_sinks = list(sinks)
        self._terminal = terminal
        self._collectors = collectors_of(manifest, name)
        self._outputs = outputs_of(worker_plans(manifest, name))
        self._stop = threading.Event()
        self._has_run = False
        self.topics = tuple(topic for c in self._collectors for topic in self._topics_of(c))
        is_channel = any(kind == "channel" for kind, _ in self._outputs)
        capacity = manifest.collect.channel_capacity
        self.registry = TopicRegistry(self.topics if is_channel else (), capacity)
        self._check()

    @classmethod
    def from_file(
        cls,
        path: Path,
        *,
        sinks: Sequence[OutputSink] = (),
        terminal: TerminalSink | None = None,
        settings: Settings | None = None,
        duration_secs: float | None = None,
    ) -> Self:
        """The worker of a manifest file, named after it; raises SettingsError as load_manifest."""
        return cls(
            load_manifest(path),
            name=path.stem,
            sinks=sinks,
            terminal=terminal,
            settings=settings,
            duration_secs=duration_secs,
        )

    def run(self) -> WorkerReport:
        """Run until the duration is over, `stop`, or nothing is left to capture.

        In the main thread SIGINT and SIGTERM stop it too. Raises SettingsError where it has run
        before or the source has no address, LakeError where a folder holds another source.
        """
        return run_workers([self])[0]

    async def run_async(self) -> WorkerReport:
        """As `run`, in asyncio code; signals are the caller's. Cancelled, it ends before that."""
        running = asyncio.ensure_future(asyncio.to_thread(self.run_here))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            self.stop()
            await running
            raise

    def stop(self) -> None:
        """End the run; may be called in any thread and in a signal handler."""
        self._stop.set()

    @property
    def outputs(self) -> tuple[str, ...]:
        """The types of the manifest's outputs."""
        return tuple(kind for kind, _ in self._outputs)

    def add_sink(self, sink: OutputSink) -> None:
        """One more sink, which gets every market; before the run."""
        self._own_sinks.append(sink)

    def _topics_of(self, collector: Collector) -> Iterable[str]:
        raise NotImplementedError

    def _check(self) -> None:
        """Refuses now what no line could do, and not once it is connected."""
        for collector in self._collectors:
            collector.url(self._settings.simulator_url)
            self._idle_line(collector)

    def _warm_up(self) -> None:
        for collector in self._collectors:
            self._idle_line(collector).warm_up()

    def _idle_line(self, collector: Collector) -> Line:
        return self._line(collector, Window(0, collector.sync.period_ns), lambda _: None)

    def run_here(self) -> WorkerReport:
        """As `run`, and never minds signals."""
        if self._has_run:
            raise SettingsError(f"{self.name}: a worker runs once; make another one")
        self._has_run = True
        self._warm_up()
        sinks = OutputSinkSet()
        try:
            self._add_sinks(sinks)
            started_ns = time.time_ns()
            sessions = self._sessions(started_ns, sinks)
            _side_by_side([partial(session.run, self._stop.is_set) for session in sessions])
        finally:
            sinks.close()
            self.registry.close()
        return self._report(started_ns, sessions, sinks)

    def _add_sinks(self, sinks: OutputSinkSet) -> None:
        for (kind, folder), markets in self._outputs.items():
            sinks.add(self._sink(kind, folder), markets)
        for sink in self._own_sinks:
            sinks.add(sink)

    def _sink(self, kind: str, folder: str | None) -> OutputSink:
        if kind == "channel":
            return ChannelSink(self.registry)
        if folder is None:
            return self._terminal or TerminalSink()
        sync = self._manifest.collect.sync
        return ParquetSink(
            Path(folder),
            source=self._manifest.collect.source,
            flush_threshold=sync.flush_threshold,
            raw_span_ns=sync.flush_threshold * sync.update_frequency.period_ns,
            collector=collector_name(self.name),
        )

    def _sessions(self, started_ns: int, sinks: OutputSinkSet) -> list[Session]:
        seconds = self._duration_secs
        ends_ns = None if seconds is None else started_ns + round(seconds * NS_PER_SEC)
        sessions: list[Session] = []
        for collector in self._collectors:
            window = session_window(started_ns, collector.sync.period_ns, seconds)
            window = claim_window(collector, window, self._settings)
            line = self._line(collector, window, sinks.publish)
            sessions.append(Session(collector, line, window, ends_ns, self._settings))
        return sessions

    def _report(
        self, started_ns: int, sessions: Sequence[Session], sinks: OutputSinkSet
    ) -> WorkerReport:
        lines, reports = [session.line for session in sessions], sinks.reports()
        errors = [error for session in sessions for error in session.errors]
        errors += [error for report in reports for error in report.errors]
        return WorkerReport(
            name=self.name,
            kind=self.kind,
            started_ns=started_ns,
            ended_ns=time.time_ns(),
            events={topic: count for line in lines for topic, count in line.events.items()},
            snapshots={topic: count for line in lines for topic, count in line.snapshots.items()},
            late={topic: count for line in lines for topic, count in line.late.items()},
            gaps=dict(Counter(cause for line in lines for cause in _causes(line))),
            errors=tuple(errors),
            captures=tuple(s.report for s in sessions if s.report is not None),
            sinks=reports,
        )


class DataWorker(Worker):
    """Hands on events as they are received."""

    kind = "data"
    _line = DataLine

    def _topics_of(self, collector: Collector) -> Iterable[str]:
        return event_topics(collector).values()


class MarketWorker(Worker):
    """Hands on synchronised MarketSnapshots."""

    kind = "market"
    _line = MarketLine

    def _topics_of(self, collector: Collector) -> Iterable[str]:
        return snapshot_topics(collector).values()


def run_workers(workers: Sequence[Worker]) -> list[WorkerReport]:
    """Run workers side by side until all have ended; their reports, in order.

    In the main thread SIGINT and SIGTERM stop them all. Raises what a worker raises once all have
    ended.
    """

    def stop() -> None:
        for worker in workers:
            worker.stop()

    with _stopped_by_signals(stop):
        return _side_by_side([worker.run_here for worker in workers])


def _side_by_side(calls: Sequence[Callable[[], T]]) -> list[T]:
    """What the calls return, each in a thread; raises what one raised, once all have ended."""
    with ThreadPoolExecutor(len(calls)) as pool:
        running = [pool.submit(call) for call in calls]
    return [each.result() for each in running]


@contextmanager
def _stopped_by_signals(stop: Callable[[], None]) -> Generator[None]:
    """SIGINT and SIGTERM call `stop`, where this is the thread that hears them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def heard(_number: int, _frame: FrameType | None) -> None:
        stop()

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, heard) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _causes(line: Line) -> Iterator[str]:
    """The cause of every loss of a line; notes, which lost nothing, are none."""
    for table in line.gaps.values():
        for row in table.select(["cause", "lost"]).to_pylist():
            if row["lost"] != 0:
                yield row["cause"]
