"""Figures for Prometheus, as files in a folder that node_exporter's textfile collector reads.

A run is a process of its own, so no port could be asked for all of them: each collector has files
of its own, replaced whole. Nothing here fails: figures that can't be written are logged.
https://github.com/prometheus/node_exporter#textfile-collector
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from prometheus_client import CollectorRegistry, write_to_textfile
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from atelier_pipeline.capture import CaptureProgress
from atelier_pipeline.lake.writer import Written
from atelier_pipeline.manifest import Collector
from atelier_pipeline.market.window import Window

logger = logging.getLogger(__name__)

SEVERITIES = ("ERROR", "WARN")
NS_PER_SEC = 1_000_000_000
_COLLECTOR = ("collector", "exchange")
_FEED = (*_COLLECTOR, "symbol", "dataset")


@dataclass(frozen=True, slots=True)
class Figure:
    """What one metric means, and the labels it has."""

    meaning: str
    labels: tuple[str, ...] = _COLLECTOR
    counts: bool = False

    def family(self, name: str) -> CounterMetricFamily | GaugeMetricFamily:
        """The metric, as yet without values."""
        kind = CounterMetricFamily if self.counts else GaugeMetricFamily
        return kind(name, self.meaning, labels=self.labels)


FIGURES = {
    "atelier_capture_frames_total": Figure(
        "Frames received and kept in the window in progress.", counts=True
    ),
    "atelier_capture_bytes_total": Figure(
        "Bytes received and kept in the window in progress.", counts=True
    ),
    "atelier_capture_events_total": Figure(
        "Market events received in the window in progress.", counts=True
    ),
    "atelier_capture_dropped_frames_total": Figure(
        "Frames lost to a slow disk in the window in progress.", counts=True
    ),
    "atelier_capture_undecodable_frames_total": Figure(
        "Frames kept that are not as documented, in the window in progress.", counts=True
    ),
    "atelier_capture_connections": Figure("Connections by state.", (*_COLLECTOR, "state")),
    "atelier_capture_refused_feeds": Figure("Subscriptions refused or not answered for."),
    "atelier_capture_window_start_timestamp_seconds": Figure("Start of the window in progress."),
    "atelier_stage_rows": Figure("Rows that a stage wrote.", (*_COLLECTOR, "stage")),
    "atelier_stage_bytes": Figure("Bytes that a stage wrote.", (*_COLLECTOR, "stage")),
    "atelier_stage_files": Figure("Files that a stage wrote.", (*_COLLECTOR, "stage")),
    "atelier_stage_seconds": Figure("Time that a stage took.", (*_COLLECTOR, "stage")),
    "atelier_stage_window_start_timestamp_seconds": Figure(
        "Start of the window that a stage made last.", (*_COLLECTOR, "stage")
    ),
    "atelier_stage_end_timestamp_seconds": Figure(
        "When a stage was last made.", (*_COLLECTOR, "stage")
    ),
    "atelier_rules_failed": Figure(
        "Validation rules that rows offend.", (*_COLLECTOR, "stage", "severity")
    ),
    "atelier_feed_events": Figure("Events of the window.", _FEED),
    "atelier_feed_reconnects": Figure("Reconnects in the window.", _FEED),
    "atelier_feed_rejected_frames": Figure("Undecodable frames of the window.", _FEED),
    "atelier_feed_duplicates": Figure("Events received again in the window.", _FEED),
    "atelier_feed_bad_times": Figure("Events of the window without a usable time.", _FEED),
    "atelier_feed_latency_seconds": Figure(
        "Time from the exchange's clock to ours, median and 99th percentile of the window.",
        (*_FEED, "quantile"),
    ),
    "atelier_feed_clock_offset_seconds": Figure(
        "Least time that an event of the window took from the exchange's clock to ours.", _FEED
    ),
    "atelier_feed_losses": Figure("Losses of the window by cause.", (*_FEED, "cause")),
}
"""Every metric, in the order in which docs/metrics.md lists them."""

_OF_CAPTURES = {
    "atelier_feed_events": "events",
    "atelier_feed_reconnects": "reconnects",
    "atelier_feed_rejected_frames": "rejected",
    "atelier_feed_duplicates": "duplicates",
    "atelier_feed_bad_times": "bad_times",
}
_NS_OF_CAPTURES = (
    ("atelier_feed_latency_seconds", "latency_p50_ns", ("0.5",)),
    ("atelier_feed_latency_seconds", "latency_p99_ns", ("0.99",)),
    ("atelier_feed_clock_offset_seconds", "clock_offset_ns", ()),
)


@dataclass(frozen=True, slots=True)
class _Value:
    """One line: the values of the labels after those of the collector, and the number."""

    metric: str
    value: float
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Metrics:
    """The files of one collector in `folder`; without a folder nothing is written."""

    folder: Path | None
    collector: Collector

    def capture(self, window: Window, progress: CaptureProgress) -> None:
        """A capture under way."""
        self._put("capture", _capture(window, progress))

    def stage(
        self, stage: str, window: Window, files: Sequence[Written], seconds: float, now_ns: int
    ) -> None:
        """A stage that has written `files` in `seconds` and ended at `now_ns` (UTC ns)."""
        sums = {
            "rows": sum(file.rows for file in files),
            "bytes": sum(file.bytes for file in files),
            "files": len(files),
            "seconds": seconds,
            "window_start_timestamp_seconds": window.start_ns / NS_PER_SEC,
            "end_timestamp_seconds": now_ns / NS_PER_SEC,
        }
        self._put(stage, [_Value(f"atelier_stage_{n}", v, (stage,)) for n, v in sums.items()])

    def rules(self, stage: str, failed: Iterable[str]) -> None:
        """How many rules failed, from the severities of those that did."""
        counts = Counter(failed)
        values = [_Value("atelier_rules_failed", counts[s], (stage, s)) for s in SEVERITIES]
        self._put(f"{stage}_rules", values)

    def feeds(self, gaps: pa.Table, captures: pa.Table) -> None:
        """What was captured and lost, from rows of GAPS and CAPTURES of one window."""
        self._put("feeds", [*_captured(captures), *_lost(gaps)])

    def _put(self, name: str, values: Iterable[_Value]) -> None:
        if self.folder is None:
            return
        registry = CollectorRegistry()
        registry.register(_Families(self._families(values)))
        path = self.folder / f"atelier_{self.collector.name}_{name}.prom"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_to_textfile(str(path), registry)
        except OSError as error:
            logger.warning("can't write metrics to %s: %s", path, error.strerror or error)

    def _families(self, values: Iterable[_Value]) -> list[Metric]:
        own = (self.collector.name, self.collector.exchange.name)
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for value in values:
            if value.metric not in families:
                families[value.metric] = FIGURES[value.metric].family(value.metric)
            families[value.metric].add_metric([*own, *value.labels], value.value)
        return list(families.values())


@dataclass(frozen=True, slots=True, eq=False)
class _Families:
    """Metrics that are known already, as a registry asks for them."""

    families: list[Metric]

    def collect(self) -> Iterable[Metric]:
        return self.families


def _capture(window: Window, progress: CaptureProgress) -> Iterator[_Value]:
    counts = {
        "frames_total": progress.frames,
        "bytes_total": progress.bytes,
        "events_total": progress.events,
        "dropped_frames_total": progress.dropped,
        "undecodable_frames_total": progress.undecodable,
        "refused_feeds": len(progress.errors),
        "window_start_timestamp_seconds": window.start_ns / NS_PER_SEC,
    }
    for name, value in counts.items():
        yield _Value(f"atelier_capture_{name}", value)
    for state, count in Counter(text.split()[0] for text in progress.states).items():
        yield _Value("atelier_capture_connections", count, (state,))


def _captured(captures: pa.Table) -> Iterator[_Value]:
    durations = [column for _, column, _ in _NS_OF_CAPTURES]
    columns = ["symbol", "dataset", *_OF_CAPTURES.values(), *durations]
    for row in captures.select(columns).to_pylist():
        feed = (row["symbol"], row["dataset"])
        for metric, column in _OF_CAPTURES.items():
            yield _Value(metric, row[column], feed)
        for metric, column, quantile in _NS_OF_CAPTURES:
            if row[column] is not None:
                yield _Value(metric, row[column] / NS_PER_SEC, (*feed, *quantile))


def _lost(gaps: pa.Table) -> Iterator[_Value]:
    names = ("symbol", "dataset", "cause")
    rows = zip(*(gaps[name].to_pylist() for name in names), strict=True)
    for labels, count in sorted(Counter(rows).items()):
        yield _Value("atelier_feed_losses", count, labels)
