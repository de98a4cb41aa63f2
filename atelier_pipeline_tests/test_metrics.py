"""Metrics are whole files that Prometheus can read, and never an obstacle."""

import logging
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from atelier_pipeline.capture import CaptureProgress
from atelier_pipeline.lake.writer import Written
from atelier_pipeline.manifest import parse_collector
from atelier_pipeline.metrics import FIGURES, Metrics
from atelier_pipeline_tests.reference_tables import DOCS
from atelier_pipeline_tests.validate.small_lake import T0, SmallLake, window

MANIFEST = """
[collect]
exchange = "kraken"
[collect.datatypes.trades]
enabled = true
[[workers]]
symbol = "BTC/USD"
"""
COLLECTOR = parse_collector("spot", MANIFEST, "spot.toml")
OWN = {"collector": "spot", "exchange": "kraken"}


def read(path: Path) -> dict[tuple[str, ...], float]:
    """(name, values of the labels but those of the collector) → value."""
    samples = [
        sample
        for family in text_string_to_metric_families(path.read_text("utf-8"))
        for sample in family.samples
    ]
    assert all(sample.labels.items() >= OWN.items() for sample in samples)
    return {(s.name, *(s.labels[k] for k in FIGURES[s.name].labels[2:])): s.value for s in samples}


def progress(frames: int) -> CaptureProgress:
    return CaptureProgress(
        states=("streaming", "reconnecting 3", "streaming"),
        frames=frames,
        bytes=100 * frames,
        dropped=1,
        events=2 * frames,
        undecodable=0,
        errors=("BTC/USD refused",),
    )


def test_a_capture_under_way_shows_its_counts_and_its_connections_by_state(tmp_path: Path):
    metrics = Metrics(tmp_path / "metrics", COLLECTOR)
    metrics.capture(window(), progress(7))
    metrics.capture(window(), progress(8))
    (file,) = (tmp_path / "metrics").iterdir()
    assert file.name == "atelier_spot_capture.prom"
    assert read(file) == {
        ("atelier_capture_frames_total",): 8,
        ("atelier_capture_bytes_total",): 800,
        ("atelier_capture_events_total",): 16,
        ("atelier_capture_dropped_frames_total",): 1,
        ("atelier_capture_undecodable_frames_total",): 0,
        ("atelier_capture_refused_feeds",): 1,
        ("atelier_capture_window_start_timestamp_seconds",): T0 / 1e9,
        ("atelier_capture_connections", "streaming"): 2,
        ("atelier_capture_connections", "reconnecting"): 1,
    }


def test_a_stage_shows_what_it_wrote_for_which_window_and_when(tmp_path: Path):
    files = [Written(tmp_path / name, 3, 50, "abc") for name in ("one", "two")]
    Metrics(tmp_path, COLLECTOR).stage("sync", window(), files, 1.5, T0 + 9_000_000_000)
    assert read(tmp_path / "atelier_spot_sync.prom") == {
        ("atelier_stage_rows", "sync"): 6,
        ("atelier_stage_bytes", "sync"): 100,
        ("atelier_stage_files", "sync"): 2,
        ("atelier_stage_seconds", "sync"): 1.5,
        ("atelier_stage_window_start_timestamp_seconds", "sync"): T0 / 1e9,
        ("atelier_stage_end_timestamp_seconds", "sync"): T0 / 1e9 + 9,
    }


def test_rules_that_failed_are_counted_by_severity_and_none_is_zero(tmp_path: Path):
    Metrics(tmp_path, COLLECTOR).rules("raw", ["WARN", "WARN"])
    assert read(tmp_path / "atelier_spot_raw_rules.prom") == {
        ("atelier_rules_failed", "raw", "ERROR"): 0,
        ("atelier_rules_failed", "raw", "WARN"): 2,
    }


def nanoseconds_after(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"opened_at": row["opened_at"] + 1}


def test_feeds_show_counts_latency_and_losses_by_cause_in_seconds(tmp_path: Path):
    lake = SmallLake(exchange="kraken").damaged("captures", lambda r: [*map(nanoseconds_after, r)])
    captures = lake.table("captures").slice(1, 1)
    Metrics(tmp_path, COLLECTOR).feeds(lake.table("gaps"), captures)
    feed = ("BTC/USD", "orderbooks")
    assert read(tmp_path / "atelier_spot_feeds.prom") == {
        ("atelier_feed_events", *feed): captures["events"][0].as_py(),
        ("atelier_feed_reconnects", *feed): 0,
        ("atelier_feed_rejected_frames", *feed): 0,
        ("atelier_feed_duplicates", *feed): 0,
        ("atelier_feed_bad_times", *feed): 0,
        ("atelier_feed_latency_seconds", *feed, "0.5"): 0.02,
        ("atelier_feed_latency_seconds", *feed, "0.99"): 0.02,
        ("atelier_feed_clock_offset_seconds", *feed): 0.003,
        ("atelier_feed_losses", *feed, "sequence"): 1,
    }


def test_without_a_folder_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Metrics(None, COLLECTOR).rules("raw", [])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_logged_and_hinders_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING):
        Metrics(tmp_path / "file", COLLECTOR).rules("raw", [])
    assert "can't write metrics to" in caplog.text


def test_the_page_of_metrics_has_every_one_with_its_labels_and_meaning():
    page = (DOCS / "metrics.md").read_text("utf-8")
    rows = [
        f"| `{name}` | {', '.join(f'`{label}`' for label in figure.labels)} | {figure.meaning} |"
        for name, figure in FIGURES.items()
    ]
    listed = page.split("## What there is")[1].splitlines()
    assert [line for line in listed if line.startswith("| `atelier_")] == rows
