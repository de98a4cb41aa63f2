"""Windows are requested before they open, each one once."""

import datetime as dt
from pathlib import Path

import dagster as dg
import pytest

from atelier_pipeline.definitions import house
from atelier_pipeline.manifest import Collector
from atelier_pipeline.orchestration.installation import Installation
from atelier_pipeline.orchestration.instance import stopping
from atelier_pipeline.orchestration.partitions import next_window, window_at
from atelier_pipeline.orchestration.sensors import (
    STOPPED_TAG,
    WINDOW_JOB,
    capture_requests,
    due_windows,
)
from atelier_pipeline_tests.orchestration.past_window import NS_PER_SEC, WINDOW, installation

HOUR = 60
DURING = window_at(WINDOW.start_ns, HOUR)


def collector(folder: Path) -> Collector:
    return installation(folder).collectors["kraken"]


def run_keys(installed: Installation, instance: dg.DagsterInstance) -> list[str | None]:
    return [request.run_key for request in capture_requests(installed, instance)]


@pytest.fixture
def halfway(tmp_path: Path) -> Installation:
    """Half a minute into a window of a minute; the prelaunch of the next one has begun."""
    return installation(tmp_path, now_ns=WINDOW.start_ns + 30 * NS_PER_SEC)


def test_the_window_in_progress_is_due(tmp_path: Path):
    assert list(due_windows(collector(tmp_path), DURING.start_ns, HOUR)) == [DURING]


def test_the_next_window_is_due_from_its_prelaunch_on(tmp_path: Path):
    prelaunch = DURING.end_ns - 180 * NS_PER_SEC
    assert list(due_windows(collector(tmp_path), prelaunch - 1, HOUR)) == [DURING]
    assert list(due_windows(collector(tmp_path), prelaunch, HOUR)) == [DURING, next_window(DURING)]


def test_a_window_that_is_nearly_over_is_left_alone(tmp_path: Path):
    last_second = DURING.end_ns - NS_PER_SEC
    assert list(due_windows(collector(tmp_path), last_second, HOUR)) == [next_window(DURING)]


def test_each_collector_has_a_run_of_its_own_under_a_key_that_stays(halfway: Installation):
    with dg.DagsterInstance.ephemeral() as instance:
        requests = list(capture_requests(halfway, instance))
        assert [(r.run_key, r.partition_key) for r in requests] == [
            (key, key)
            for key in (
                "bybit|2026-02-26T15:00",
                "bybit|2026-02-26T15:01",
                "kraken|2026-02-26T15:00",
                "kraken|2026-02-26T15:01",
            )
        ]
        assert run_keys(halfway, instance) == [r.run_key for r in requests]


def ended(run_id: str, status: dg.DagsterRunStatus, stopped: str) -> dg.DagsterRun:
    tags = {"dagster/partition": "kraken|2026-02-26T15:00", STOPPED_TAG: stopped}
    return dg.DagsterRun(job_name=WINDOW_JOB, run_id=run_id, status=status, tags=tags)


def test_a_run_that_was_stopped_with_the_installation_is_requested_again(halfway: Installation):
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_run(ended("one", dg.DagsterRunStatus.CANCELED, stopped="one"))
        assert "kraken|2026-02-26T15:00|1" in run_keys(halfway, instance)


@pytest.mark.parametrize(
    "run",
    [
        ended("one", dg.DagsterRunStatus.FAILURE, stopped="one"),
        ended("two", dg.DagsterRunStatus.CANCELED, stopped="one"),
        ended("two", dg.DagsterRunStatus.STARTED, stopped="one"),
    ],
    ids=["died meanwhile", "ended by a person, behind a stopped one", "goes on behind one"],
)
def test_a_run_that_was_not_stopped_with_the_installation_is_not_requested_again(
    halfway: Installation, run: dg.DagsterRun
):
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_run(run)
        assert "kraken|2026-02-26T15:00" in run_keys(halfway, instance)


def tick_of(installed: Installation):
    """What the sensor does at the installation's time."""
    now = dt.datetime.fromtimestamp(installed.now_ns() / NS_PER_SEC, dt.UTC)
    definitions = house(installed)
    with dg.DagsterInstance.ephemeral() as instance, dg.partition_loading_context(now, instance):
        context = dg.build_sensor_context(
            instance,
            repository_def=definitions.get_repository_def(),
            resources={"installation": installed},
        )
        return definitions.resolve_sensor_def("capture_windows").evaluate_tick(context)


# Dagster warns of the tags that it gives to runs of two dimensions itself.
@pytest.mark.filterwarnings("ignore:Non-compliant tag keys like .'dagster/partition/")
def test_the_sensor_requests_runs_that_are_started_again_if_their_process_dies(
    halfway: Installation,
):
    requests = tick_of(halfway).run_requests or []
    assert [request.run_key for request in requests] == [
        "bybit|2026-02-26T15:00",
        "bybit|2026-02-26T15:01",
        "kraken|2026-02-26T15:00",
        "kraken|2026-02-26T15:01",
    ]
    assert {request.tags["dagster/max_retries"] for request in requests} == {"3"}


def test_nothing_is_requested_while_the_installation_is_stopped(halfway: Installation):
    with stopping(halfway.settings.dagster_home):
        tick = tick_of(halfway)
    assert not tick.run_requests
    assert tick.skip_message == "the installation is being stopped"
