"""A morning with the UI: captures turned on, looked at, ended by hand, and made again."""

import itertools
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from atelier_pipeline_tests.browser.installed import Installed, installed, until
from atelier_pipeline_tests.browser.pages import (
    Page,
    browser_page,
    chromium,
    launch_backfill,
    terminate,
    text_of,
    turn_on,
)
from atelier_pipeline_tests.browser.seams import rows, seams, whole_windows

COLLECTORS = ("bybit", "coinbase", "kraken")
MINUTE = timedelta(minutes=1)
LOST_BY_THE_LEDGER = {"bad_time", "late", "silence"}
"""Causes that are notes: nothing is lost by them."""

_RUNS = """query($filter: RunsFilter) {runsOrError(filter: $filter) {... on Runs {results {
    runId status tags {key value}}}}}"""
_BACKFILLS = "{partitionBackfillsOrError{... on PartitionBackfills{results{status numPartitions}}}}"


@pytest.mark.browser
@pytest.mark.timeout(1500)
def test_three_windows_are_captured_seen_ended_and_made_again(tmp_path: Path):
    shots = tmp_path / "screenshots"
    with installed(tmp_path) as ui, browser_page(chromium()) as page:
        turn_on(page, ui.url, "capture_windows")
        turn_on(page, ui.url, "follow_raw")
        windows = _three_windows(ui)
        _no_hole_at(ui, windows)
        _everything_is_there(page, ui, windows, shots)
        _end_by_hand(page, ui)
        _make_again(page, ui, windows)
        _judge_the_day(page, ui, windows[0], shots)


def _three_windows(ui: Installed) -> list[datetime]:
    """The first three consecutive windows that are whole, after that in which it was turned on."""

    def found() -> list[datetime] | None:
        whole = whole_windows(ui.lake, len(COLLECTORS))
        losses = {window: _losses(ui, window) for window in whole}
        unbroken = [window for window in whole if not losses[window]]
        runs = zip(unbroken, unbroken[1:], unbroken[2:], strict=False)
        return next((list(run) for run in runs if run[2] - run[0] == 2 * MINUTE), None)

    return until(found, 600, "three consecutive windows without a loss")


def _losses(ui: Installed, window: datetime) -> list[dict[str, Any]]:
    return [row for row in rows(ui.lake, "gaps", window) if row["cause"] not in LOST_BY_THE_LEDGER]


def _no_hole_at(ui: Installed, windows: list[datetime]) -> None:
    for before, after in itertools.pairwise(windows):
        found = list(seams(ui.lake, before, after))
        assert {feed.split()[0] for feed, _, _ in found} == set(COLLECTORS)
        broken = [each for each in found if None in each[1:] or each[1] != each[2]]
        assert not broken


def _everything_is_there(page: Page, ui: Installed, windows: list[datetime], shots: Path) -> None:
    aggregates = f"{ui.url}/assets/market_aggregates"
    key = f"kraken|{windows[1]:%Y-%m-%dT%H:%M}"
    pages = {
        "lineage": (f"{ui.url}/asset-groups", "raw", "sync", "aggregates", "catalog"),
        "metadata": (aggregates, "rows", "bytes", "mid price", "sample"),
        "partitions": (f"{aggregates}?view=partitions&partition={key}", "kraken", "Materialized"),
        "checks": (f"{aggregates}?view=checks", "grid_complete", "volume_conserved"),
        "raw": (f"{ui.url}/assets/raw/captures", "losses"),
    }
    for name, (address, *wanted) in pages.items():
        text_of(page, address, *wanted)
        page.screenshot(path=shots / f"{name}.png")


def _end_by_hand(page: Page, ui: Installed) -> None:
    """Terminate a capture under way: it ends CANCELED, and what it had is in the lake."""
    run = until(lambda: _under_way(ui), 120, "a capture of kraken is within its window")
    terminate(page, ui.url, run["runId"])
    until(lambda: _status(ui, run["runId"]) == "CANCELED", 60, "the run ends as CANCELED")
    window = _window_of(run)
    captured = [row for row in rows(ui.lake, "captures", window) if row["exchange"] == "kraken"]
    assert sum(row["events"] for row in captured) > 0
    gaps = [row for row in rows(ui.lake, "gaps", window) if row["exchange"] == "kraken"]
    assert "shutdown" in {row["cause"] for row in gaps}


def _make_again(page: Page, ui: Installed, windows: list[datetime]) -> None:
    """A backfill of two windows, from their frames: the same rows in new files."""
    before = {window: rows(ui.lake, "aggregates", window) for window in windows[:2]}
    first, last = (f"{window:%Y-%m-%dT%H:%M}" for window in windows[:2])
    _backfill(page, ui, "window_job", first, last, 2 * len(COLLECTORS))
    assert {window: rows(ui.lake, "aggregates", window) for window in windows[:2]} == before


def _judge_the_day(page: Page, ui: Installed, day: datetime, shots: Path) -> None:
    """The verdict on the day in progress, and the page that its metadata lead to."""
    date = f"{day:%Y-%m-%d}"
    _backfill(page, ui, "day_job", date, date, len(COLLECTORS))
    text_of(page, f"{ui.url}/assets/daily_verdict", "coverage map", "seams proved")
    page.screenshot(path=shots / "daily_verdict.png")
    report = ui.lake / "reports" / "kraken" / f"kraken_{date}.html"
    page.goto(report.as_uri())
    assert page.locator("body").get_attribute("data-verdict") == "pending"
    assert page.locator("tr[data-verdict]").count() == 4
    page.screenshot(path=shots / "report.png", full_page=True)


def _backfill(page: Page, ui: Installed, job: str, first: str, last: str, partitions: int) -> None:
    launch_backfill(page, ui.url, job, first, last, partitions)

    def done() -> bool:
        backfills = ui.ask(_BACKFILLS)["partitionBackfillsOrError"]["results"]
        return {"status": "COMPLETED_SUCCESS", "numPartitions": partitions} in backfills

    until(done, 600, f"a backfill of {job} for every collector completes")


def _under_way(ui: Installed) -> dict[str, Any] | None:
    """A run of kraken that has captured for 20 s of its window."""
    runs = ui.ask(_RUNS, filter={"pipelineName": "window_job", "statuses": ["STARTED"]})
    for run in runs["runsOrError"]["results"]:
        age = datetime.now(tz=_window_of(run).tzinfo) - _window_of(run)
        if _tag(run, "collector") == "kraken" and timedelta(seconds=20) < age < MINUTE / 1.5:
            return run
    return None


def _status(ui: Installed, run_id: str) -> str:
    found = ui.ask(_RUNS, filter={"runIds": [run_id]})["runsOrError"]["results"]
    return str(found[0]["status"])


def _window_of(run: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(f"{_tag(run, 'window')}+00:00")


def _tag(run: dict[str, Any], dimension: str) -> str:
    tags = {tag["key"]: tag["value"] for tag in run["tags"]}
    return str(tags[f"dagster/partition/{dimension}"])
