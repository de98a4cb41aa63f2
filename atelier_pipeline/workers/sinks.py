"""Where a worker's batches go: the protocol of a sink, and the fan-out to several.

Each sink has a thread and a bounded queue of its own, so that one that fails or is slow costs the
others nothing. What it does not take is counted.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

from atelier_pipeline.workers.batches import Batch, GapBatch

logger = logging.getLogger("atelier_pipeline.workers")

QUEUE_BYTES = 256 * 1024 * 1024
"""Columns that wait for one sink; what comes on top is not given to it, and counted."""

CLOSE_TIMEOUT_SECS = 60.0
"""How long the end of a worker waits for a sink."""

Market: TypeAlias = tuple[str, str]
"""Exchange and symbol."""


class OutputSink(Protocol):
    """Takes what a worker makes; its methods are called one at a time, in a thread of its own.

    What they raise is counted, reported, and stops nobody; the next batch comes all the same.
    """

    @property
    def name(self) -> str:
        """What the report calls it."""
        ...

    def receive(self, batch: Batch) -> None:
        """Take a run of events or of snapshots."""
        ...

    def close(self) -> None:
        """Keep nothing back: the worker has ended. Called once."""
        ...


@runtime_checkable
class GapSink(Protocol):
    """A sink that also wants to know what was missed, just before it is closed."""

    def receive_gaps(self, gaps: GapBatch) -> None:
        """Take the losses of one market."""
        ...


@runtime_checkable
class FileSink(Protocol):
    """A sink that leaves files."""

    @property
    def flushes(self) -> int:
        """How often it wrote."""
        ...

    @property
    def files(self) -> list[Path]:
        """What it wrote."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkReport:
    """What became of one sink.

    Attributes:
        batches, events: received by it, of snapshots ticks.
        failures: batches, or its end, at which it raised.
        missed: events that it was not given, because it was too slow.
        flushes, files: what it wrote, if it writes files.
        error: the last thing that it raised; "" for none.
    """

    name: str
    batches: int = 0
    events: int = 0
    failures: int = 0
    missed: int = 0
    flushes: int = 0
    files: tuple[Path, ...] = ()
    error: str = ""

    @property
    def errors(self) -> list[str]:
        """What a report must say of it, one sentence each."""
        told: list[str] = []
        if self.failures:
            told.append(f"sink {self.name}: failed {self.failures} times: {self.error}")
        elif self.error:
            told.append(f"sink {self.name}: {self.error}")
        if self.missed:
            told.append(f"sink {self.name}: too slow, {self.missed} events were not given to it")
        return told


@dataclass(slots=True)
class _Tally:
    batches: int = 0
    events: int = 0
    failures: int = 0
    missed: int = 0
    error: str = ""


@dataclass(slots=True)
class _Waiting:
    batches: deque[Batch | GapBatch] = field(default_factory=deque[Batch | GapBatch])
    bytes: int = 0
    is_ending: bool = False


class _Outlet:
    """One sink with its queue and its thread."""

    def __init__(self, sink: OutputSink, markets: Collection[Market] | None, limit: int) -> None:
        self.sink = sink
        self.markets = markets
        self._limit = limit
        self._tally = _Tally()
        self._waiting = _Waiting()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=f"sink {sink.name}", daemon=True)
        self._thread.start()

    def put(self, batch: Batch | GapBatch) -> None:
        if self.markets is not None and (batch.exchange, batch.symbol) not in self.markets:
            return
        with self._changed:
            size = 0 if isinstance(batch, GapBatch) else batch.nbytes
            if self._waiting.bytes + size > self._limit and not isinstance(batch, GapBatch):
                self._tally.missed += batch.count
                return
            self._waiting.batches.append(batch)
            self._waiting.bytes += size
            self._changed.notify()

    def end(self) -> None:
        with self._changed:
            self._waiting.is_ending = True
            self._changed.notify()

    def join(self, timeout_secs: float) -> None:
        self._thread.join(timeout_secs)
        if self._thread.is_alive():
            with self._changed:
                self._tally.error = f"did not end within {timeout_secs:g} s"

    def report(self) -> SinkReport:
        tally, sink = self._tally, self.sink
        wrote = (sink.flushes, tuple(sink.files)) if isinstance(sink, FileSink) else (0, ())
        return SinkReport(
            name=sink.name,
            batches=tally.batches,
            events=tally.events,
            failures=tally.failures,
            missed=tally.missed,
            flushes=wrote[0],
            files=wrote[1],
            error=tally.error,
        )

    def _run(self) -> None:
        while (batch := self._next()) is not None:
            self._give(batch)
        self._try(self.sink.close)

    def _next(self) -> Batch | GapBatch | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting.batches or self._waiting.is_ending)
            if not self._waiting.batches:
                return None
            batch = self._waiting.batches.popleft()
            self._waiting.bytes -= 0 if isinstance(batch, GapBatch) else batch.nbytes
            return batch

    def _give(self, batch: Batch | GapBatch) -> None:
        if isinstance(batch, GapBatch):
            sink = self.sink
            if isinstance(sink, GapSink):
                self._try(lambda: sink.receive_gaps(batch))
            return
        self._tally.batches += 1
        self._tally.events += batch.count
        self._try(lambda: self.sink.receive(batch))

    def _try(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:
            if not self._tally.failures:
                logger.exception("sink %s failed; the others go on", self.sink.name)
            self._tally.failures += 1
            self._tally.error = f"{type(error).__name__}: {error}"


class OutputSinkSet:
    """Several sinks that receive the same, each at its own pace."""

    def __init__(self, queue_bytes: int = QUEUE_BYTES) -> None:
        self._queue_bytes = queue_bytes
        self._outlets: list[_Outlet] = []

    def add(self, sink: OutputSink, markets: Collection[Market] | None = None) -> None:
        """Give a sink everything, or what is of some markets."""
        self._outlets.append(_Outlet(sink, markets, self._queue_bytes))

    def publish(self, batch: Batch | GapBatch) -> None:
        """Hand a batch to every sink that wants it; never waits and never raises."""
        for outlet in self._outlets:
            outlet.put(batch)

    def close(self, timeout_secs: float = CLOSE_TIMEOUT_SECS) -> None:
        """Let every sink finish what it has, and close it."""
        for outlet in self._outlets:
            outlet.end()
        for outlet in self._outlets:
            outlet.join(timeout_secs)

    def reports(self) -> tuple[SinkReport, ...]:
        """What became of each sink, in order."""
        return tuple(outlet.report() for outlet in self._outlets)
