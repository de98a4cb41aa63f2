"""Who runs a capture: starts its lanes, tends them ten times a second, and decides when it ends.

Here errors become action: a refused feed is noted and the others go on, a lost or silent connection
is made again by its lane, a full disk or an exchange that refuses everything ends the capture.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import msgspec

from atelier_pipeline.capture.attempts import Attempts, fair_share
from atelier_pipeline.capture.connection import Line
from atelier_pipeline.capture.frames import FrameQueue
from atelier_pipeline.capture.lane import Lane
from atelier_pipeline.capture.limits import CaptureLimits
from atelier_pipeline.capture.listener import Listener
from atelier_pipeline.capture.recorder import Recorder
from atelier_pipeline.capture.report import CaptureProgress, CaptureReport, Ending
from atelier_pipeline.capture.shares import shares
from atelier_pipeline.decode.control import CloseCause
from atelier_pipeline.decode.watch import Sight
from atelier_pipeline.errors import (
    AtelierError,
    ConnectionFailedError,
    SubscriptionRejectedError,
)
from atelier_pipeline.lake.journal import FrameKind
from atelier_pipeline.lake.journal_writer import JournalWriter
from atelier_pipeline.manifest import Collector
from atelier_pipeline.market.window import Window

POLL_SECS = 0.1
PROGRESS_SECS = 1.0
CLOCK_SECS = 60.0
NS_PER_SEC = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of a capture; see capture_window."""

    collector: Collector
    window: Window
    url: str
    journal: Path
    stop: Callable[[], bool]
    now_ns: Callable[[], int]
    on_progress: Callable[[CaptureProgress], None] | None
    on_sight: Callable[[Sight, int], None] | None
    ends_ns: int | None
    limits: CaptureLimits

    @property
    def lead_ns(self) -> int:
        """When to connect, UTC ns."""
        return self.window.start_ns - round(self.collector.window.lead_secs * NS_PER_SEC)

    @property
    def linger_ns(self) -> int:
        """When to end even though feeds are behind, UTC ns."""
        return self.window.end_ns + round(self.collector.window.linger_secs * NS_PER_SEC)


class Supervisor:
    """One capture, to be run once."""

    def __init__(self, plan: Plan, writer: JournalWriter) -> None:
        self._plan = plan
        self._queue = FrameQueue(plan.limits.queue_bytes)
        self._listener = Listener(plan.collector)
        self._recorder = Recorder(writer, self._queue, plan.limits, plan.journal)
        self._lanes = _lanes(plan, self._queue, writer.first_connection)
        self._told_at = self._clocked_at = 0.0

    async def run(self) -> tuple[CaptureReport, AtelierError | None]:
        """The whole capture; returns its report and, where nothing came of it, why."""
        self._listener.warm_up()
        if not await self._wait_for_lead():
            now_ns = self._plan.now_ns()
            return self._report(Ending.STOPPED, now_ns, now_ns), None
        opened_ns = self._plan.now_ns()
        recording = asyncio.create_task(self._recorder.run())
        running = [asyncio.create_task(lane.run()) for lane in self._lanes]
        ending = Ending.STOPPED
        try:
            ending = await self._supervise([recording, *running])
        finally:
            closed_ns = self._plan.now_ns()
            await self._end(ending, running)
            self._recorder.finish()
            await recording
        report = self._report(ending, opened_ns, closed_ns)
        return report, self._failure(report)

    async def _wait_for_lead(self) -> bool:
        """Whether the lead has come; False where the capture was stopped before."""
        while self._plan.now_ns() < self._plan.lead_ns:
            if self._plan.stop():
                return False
            await asyncio.sleep(POLL_SECS)
        return True

    async def _supervise(self, tasks: list[asyncio.Task[None]]) -> Ending:
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(POLL_SECS)
            self._listen(clock())
            self._probe(clock())
            for lane in self._lanes:
                lane.connection.tend(clock())
            self._note_clock(clock())
            self._tell(clock())
            for task in tasks:
                if task.done():
                    task.result()
            ending = self._ending()
            if ending is not None:
                return ending

    def _listen(self, now_secs: float) -> None:
        received_ns = self._plan.now_ns()
        sight = self._listener.listen(self._queue.take_fresh())
        self._show(sight, received_ns)
        by_number = {lane.connection.number: lane for lane in self._lanes}
        for number, answer in sight.answers:
            if number in by_number:
                by_number[number].hear(answer)
        for number in self._listener.streaming & by_number.keys():
            by_number[number].streams()
        for number, lane in by_number.items():
            broken = {book.symbol for book in sight.broken if book.connection == number}
            lane.insist(now_secs)
            lane.mend(now_secs, broken, self._listener.is_whole)

    def _show(self, sight: Sight, received_ns: int) -> None:
        if self._plan.on_sight is not None and not self._listener.failure:
            self._plan.on_sight(sight, received_ns)

    def _probe(self, now_secs: float) -> None:
        """Once the window is over, ask who is still there: silence could be a lost connection."""
        if self._plan.now_ns() >= self._plan.window.end_ns:
            for lane in self._lanes:
                lane.connection.probe(now_secs)

    def _ending(self) -> Ending | None:
        """Why the capture is over, or None while it is not."""
        plan, now_ns = self._plan, self._plan.now_ns()
        reasons = (
            (plan.stop(), Ending.STOPPED),
            (self._recorder.at_floor, Ending.DISK_FLOOR),
            (all(lane.is_refused for lane in self._lanes), Ending.REFUSED),
            (all(lane.gave_up for lane in self._lanes), Ending.UNREACHABLE),
            (plan.ends_ns is not None and now_ns >= plan.ends_ns, Ending.ASKED),
            (self._have_feeds_passed(now_ns), Ending.OWN_TIME),
            (now_ns >= plan.linger_ns, Ending.LINGER),
        )
        return next((ending for is_so, ending in reasons if is_so), None)

    def _have_feeds_passed(self, now_ns: int) -> bool:
        if self._plan.collector.sync.clock == "receive":
            return now_ns >= self._plan.window.end_ns
        return self._listener.has_passed(self._plan.window.end_ns)

    async def _end(self, ending: Ending, running: list[asyncio.Task[None]]) -> None:
        complete = self._plan.now_ns() >= self._plan.window.end_ns or ending is Ending.OWN_TIME
        cause: CloseCause = "ended" if complete else "shutdown"
        for lane in self._lanes:
            lane.end(cause, ending)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self._listen(asyncio.get_running_loop().time())
        now_ns = self._plan.now_ns()
        self._show(self._listener.finish(min(self._plan.window.end_ns, now_ns)), now_ns)
        if not self._is_heard:
            for lane in self._lanes:
                lane.connection.end_patience()

    @property
    def _is_heard(self) -> bool:
        """Whether events came, as far as anybody can tell."""
        return bool(self._listener.streaming or self._listener.failure)

    def _failure(self, report: CaptureReport) -> AtelierError | None:
        if report.ending is Ending.STOPPED:
            return None
        if report.ending is Ending.UNREACHABLE or not report.connections:
            return ConnectionFailedError(f"{report.url}: {self._losses()}; {_remedy(self._plan)}")
        if self._is_heard or any(lane.was_accepted for lane in self._lanes):
            return None
        if any(lane.loss for lane in self._lanes) and report.ending is not Ending.REFUSED:
            return ConnectionFailedError(f"{report.url}: no connection lasted: {self._losses()}")
        return SubscriptionRejectedError(f"{report.url}: {'; '.join(report.errors)}")

    def _losses(self) -> str:
        reasons = [lane.loss.reason for lane in self._lanes if lane.loss is not None]
        return "; ".join(dict.fromkeys(reasons)) or "no answer before the window's end"

    def _note_clock(self, now_secs: float) -> None:
        lane = self._lanes[0]
        due = self._clocked_at == 0 or now_secs - self._clocked_at >= CLOCK_SECS
        if due and lane.connection.is_open:
            self._clocked_at = now_secs
            now_ns = self._plan.now_ns()
            clocks = msgspec.json.encode({"utc_ns": now_ns, "monotonic_secs": now_secs})
            self._queue.note(now_ns, lane.connection.number, FrameKind.CLOCK, clocks)

    def _tell(self, now_secs: float) -> None:
        if self._plan.on_progress is None or now_secs - self._told_at < PROGRESS_SECS:
            return
        self._told_at = now_secs
        progress = CaptureProgress(
            states=tuple(str(lane.state) for lane in self._lanes),
            frames=self._queue.frames,
            bytes=self._queue.bytes,
            dropped=self._queue.dropped,
            events=self._listener.events,
            undecodable=self._listener.undecodable,
            errors=self._errors(),
        )
        self._plan.on_progress(progress)

    def _errors(self) -> tuple[str, ...]:
        errors = [str(error) for lane in self._lanes for error in lane.errors]
        return (*errors, *filter(None, [self._listener.failure]))

    def _report(self, ending: Ending, opened_ns: int, closed_ns: int) -> CaptureReport:
        return CaptureReport(
            collector=self._plan.collector.name,
            window=self._plan.window,
            url=self._plan.url,
            journal=self._plan.journal,
            ending=ending,
            opened_ns=opened_ns,
            closed_ns=closed_ns,
            frames=self._queue.frames,
            bytes=self._queue.bytes,
            dropped=self._queue.dropped,
            events=self._listener.events,
            undecodable=self._listener.undecodable,
            connections=sum(lane.opened for lane in self._lanes),
            reconnects=sum(max(lane.opened - 1, 0) for lane in self._lanes),
            errors=self._errors(),
        )


def _lanes(plan: Plan, queue: FrameQueue, first_connection: int) -> list[Lane]:
    collector = plan.collector
    line = Line(
        exchange=collector.exchange,
        url=plan.url,
        queue=queue,
        frame_bytes=plan.limits.frame_bytes,
        staleness_timeout_secs=collector.staleness_timeout_secs,
        attempts=Attempts(fair_share(collector.exchange.connect_limit)),
        now_ns=plan.now_ns,
    )
    made, numbers = shares(collector), count(first_connection)
    return [
        Lane(share, line, collector.reconnect, numbers, f"{collector.name} {n}/{len(made)}")
        for n, share in enumerate(made, start=1)
    ]


def _remedy(plan: Plan) -> str:
    if plan.collector.source == "simulated":
        return "start `atelier simulate`, or set ATELIER_SIMULATOR_URL to where it runs"
    return "check the network, the firewall and the proxy settings of this machine"
