"""What a worker says when it has ended, and how that is shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from atelier_pipeline.capture import CaptureReport
from atelier_pipeline.workers.sinks import SinkReport

NS_PER_SEC = 1_000_000_000

Kind: TypeAlias = Literal["data", "market"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerReport:
    """A worker that has ended.

    Attributes:
        name: the manifest's.
        started_ns, ended_ns: UTC ns.
        events: received by topic.
        snapshots: ticks that came out, by topic; none of a DataWorker.
        late: events by topic that came after the emission delay: in no row, but in the journal.
        gaps: losses by cause; notes, which lost nothing, left out.
        errors: what went wrong, one sentence each; none for a run without a blemish.
        captures: one report for each group of symbols that shared an exchange and a depth.
        sinks: one for each.
    """

    name: str
    kind: Kind
    started_ns: int
    ended_ns: int
    events: Mapping[str, int]
    snapshots: Mapping[str, int]
    late: Mapping[str, int]
    gaps: Mapping[str, int]
    errors: tuple[str, ...]
    captures: tuple[CaptureReport, ...]
    sinks: tuple[SinkReport, ...]

    @property
    def ok(self) -> bool:
        """Whether there was no error."""
        return not self.errors

    @property
    def seconds(self) -> float:
        """How long it ran."""
        return (self.ended_ns - self.started_ns) / NS_PER_SEC

    @property
    def rate(self) -> float:
        """Events a second."""
        return sum(self.events.values()) / self.seconds if self.seconds else 0.0

    @property
    def reconnects(self) -> int:
        """Connections that replaced a lost one."""
        return sum(capture.reconnects for capture in self.captures)

    @property
    def flushes(self) -> int:
        """How often sinks wrote files."""
        return sum(sink.flushes for sink in self.sinks)


def print_report(report: WorkerReport, console: Console) -> None:
    """Topics, sinks, losses and errors, for a person."""
    console.print(f"[bold]{report.kind} worker {report.name}[/bold] {_summary(report)}")
    console.print(_topics(report))
    if report.sinks:
        console.print(_sinks(report))
    for cause, count in report.gaps.items():
        console.print(f"gap: {count} x {cause}", highlight=False)
    for capture in report.captures:
        console.print(f"journal: {capture.journal}", highlight=False, soft_wrap=True)
    for error in report.errors:
        console.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)


def _summary(report: WorkerReport) -> str:
    endings = ", ".join(dict.fromkeys(str(capture.ending) for capture in report.captures))
    return (
        f"{report.seconds:.1f} s, {sum(report.events.values()):,} events, {report.rate:,.0f}/s, "
        f"{report.reconnects} reconnects, {sum(report.gaps.values())} gaps, "
        f"{sum(report.snapshots.values()):,} snapshots, {report.flushes} flushes, "
        f"{len(report.errors)} errors; ended: {endings or 'nothing was captured'}"
    )


def _topics(report: WorkerReport) -> Table:
    table = Table("topic", box=SIMPLE)
    for name in ("received", "per second", "late", "snapshots"):
        table.add_column(name, justify="right")
    for topic, count in report.events.items():
        rate = count / report.seconds if report.seconds else 0.0
        table.add_row(topic, f"{count:,}", f"{rate:,.1f}", f"{report.late.get(topic, 0):,}", "")
    for topic, count in report.snapshots.items():
        table.add_row(topic, "", "", "", f"{count:,}")
    return table


def _sinks(report: WorkerReport) -> Table:
    table = Table("sink", box=SIMPLE)
    table.columns[0].overflow = "fold"
    for name in ("batches", "events", "flushes", "files", "failures", "missed"):
        table.add_column(name, justify="right")
    for sink in report.sinks:
        numbers = (sink.batches, sink.events, sink.flushes, len(sink.files))
        table.add_row(sink.name, *(f"{n:,}" for n in (*numbers, sink.failures, sink.missed)))
    return table
