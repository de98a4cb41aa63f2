"""Housekeeping as jobs: what they do to a lake, what they report, and when they run."""

from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow.parquet as pq
import pytest

from atelier_pipeline import pipeline
from atelier_pipeline.definitions import house
from atelier_pipeline.lake.names import FileKind, Mode
from atelier_pipeline.orchestration.installation import Installation
from atelier_pipeline.validate.catalog import query
from atelier_pipeline_tests.housekeeping.lakes import LATER_NS, MadeUp, contents
from atelier_pipeline_tests.orchestration.past_window import (
    QUIET,
    WINDOW,
    installation,
    journal,
)

SMALL = ("trades", "captures", "aggregates")
HOUR_NS = 3_600_000_000_000


def run(job: str, installed: Installation, **config: Any) -> dg.ExecuteInProcessResult:
    """One run of a job, whose op is called like it."""
    ops = {job.removesuffix("_job"): {"config": config}}
    resolved = house(installed).resolve_job_def(job)
    return resolved.execute_in_process(
        run_config={"loggers": QUIET, "ops": ops}, raise_on_error=False
    )


def told(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """The numbers of a run's report."""
    outputs = [event for event in result.all_events if event.is_successful_output]
    metadata = [event.step_output_data.metadata for event in outputs]
    return {name: value.value for each in metadata for name, value in each.items()}


def problem(result: dg.ExecuteInProcessResult) -> str:
    """Why a run failed."""
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    return failure.step_failure_data.user_failure_data.description


@pytest.fixture
def closed(tmp_path: Path) -> Installation:
    """Two windows of a day that is closed."""
    installed = installation(tmp_path, now_ns=LATER_NS)
    for hour in (3, 4):
        MadeUp(hour, 5).write(installed.settings.lake, SMALL)
    return installed


@pytest.fixture
def sealed(tmp_path: Path) -> Installation:
    """A window that is sealed, two hours after its end, and its journal."""
    installed = installation(tmp_path, now_ns=WINDOW.end_ns + 2 * HOUR_NS)
    collector = installed.collectors["bybit"]
    journal(collector, installed.settings, seconds=1)
    pipeline.seal(collector, WINDOW, installed.settings)
    return installed


def test_closed_days_are_compacted_and_their_sizes_reported(closed: Installation):
    lake = closed.settings.lake
    before = sum(len(data) for name, data in contents(lake).items() if name != "_source")
    result = run("compact_job", closed)
    assert result.success
    after = sum(len(data) for name, data in contents(lake).items() if name != "_source")
    assert told(result) == {
        "folders": 3,
        "folders left in pieces": 0,
        "rows": 30,
        "files before": 6,
        "files after": 3,
        "bytes before": before,
        "bytes after": after,
    }
    assert query("SELECT count(*) AS n FROM trades", lake)["n"].to_pylist() == [10]
    assert told(run("compact_job", closed))["folders"] == 0


def test_a_day_that_is_not_equal_stays_and_fails_the_run(closed: Installation):
    lake = closed.settings.lake
    damaged = MadeUp(4, 5).path(lake, FileKind.TRADES, Mode.RAW)
    data = bytearray(damaged.read_bytes())
    first = pq.read_metadata(damaged).row_group(0).column(0)
    data[first.data_page_offset + first.total_compressed_size - 1] ^= 1
    damaged.write_bytes(data)
    result = run("compact_job", closed)
    assert not result.success
    assert problem(result).startswith("1 days are as they were:\nkraken/BTC-USD/trades/date=")
    assert damaged.read_bytes() == data


def test_days_that_stay_in_pieces_are_told_with_the_reason(closed: Installation):
    during = Installation(closed.settings, closed.collectors, lambda: WINDOW.end_ns)
    report = told(run("compact_job", during))
    assert report["folders left in pieces"] == 3
    (row,) = report["left in pieces"].records
    assert row.data == {"why": "its day has not been over for a day", "folders": 3}


def test_no_days_for_frames_are_refused_in_words(sealed: Installation):
    result = run("prune_job", sealed, frames_days=0)
    assert not result.success
    assert problem(result).startswith("ops.prune.config.frames_days = 0: expected at least 1;")


def test_a_journal_goes_once_its_frames_are_sealed_and_equal(sealed: Installation):
    folder = pipeline.journal_of(sealed.collectors["bybit"], WINDOW, sealed.settings)
    size = sum(path.stat().st_size for path in folder.iterdir())
    result = run("prune_job", sealed)
    assert told(result) == {
        "removed: leftover": 0,
        "removed: journal": 1,
        "removed: frames": 0,
        "bytes removed": size,
        "not proved": 0,
    }
    assert not folder.exists()


def test_frames_go_after_the_days_that_the_setting_says_and_not_before(sealed: Installation):
    settings = sealed.settings.model_copy(update={"frames_days": 1})
    early = Installation(settings, sealed.collectors, sealed.now_ns)
    assert told(run("prune_job", early))["removed: frames"] == 0
    late = Installation(settings, sealed.collectors, lambda: LATER_NS)
    assert told(run("prune_job", late))["removed: frames"] == 1


def test_frames_that_are_not_proved_stay_and_fail_the_run(sealed: Installation):
    late = Installation(sealed.settings, sealed.collectors, lambda: LATER_NS)
    trades = next(sealed.settings.lake.rglob("*_trades_raw_*.parquet"))
    trades.unlink()
    result = run("prune_job", late, frames_days=1)
    assert not result.success
    assert problem(result).startswith("1 not removed:\n")
    assert list((sealed.settings.lake / "frames").rglob("*.parquet"))


@pytest.mark.parametrize("job", ["compact_job", "prune_job"])
def test_without_a_lake_there_is_nothing_to_do(tmp_path: Path, job: str):
    assert told(run(job, installation(tmp_path))) == {}


def test_both_run_once_a_night_when_they_are_turned_on(tmp_path: Path):
    schedules = house(installation(tmp_path)).schedules or []
    assert {(s.name, s.job_name, s.cron_schedule, s.default_status) for s in schedules} == {
        ("compact_nightly", "compact_job", "30 2 * * *", dg.DefaultScheduleStatus.STOPPED),
        ("prune_nightly", "prune_job", "30 3 * * *", dg.DefaultScheduleStatus.STOPPED),
    }
