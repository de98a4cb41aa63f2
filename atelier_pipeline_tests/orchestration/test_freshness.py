"""A collector that has produced nothing for two windows turns red."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.freshness import FreshnessState
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.test_utils import InProcessTestWorkspaceLoadTarget, freeze_time
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._daemon.freshness import FreshnessDaemon

from atelier_pipeline.orchestration.freshness import collector_key, first_requests, produced
from atelier_pipeline.orchestration.instance import prepare_home
from atelier_pipeline.orchestration.ledger import Ledger
from atelier_pipeline_tests.orchestration.past_window import SYMBOLS, installation
from atelier_pipeline_tests.validate.small_lake import SmallLake, window

# Dagster's own snapshot of a schedule reads a property that it deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:Property `ScheduleDefinition.environment_vars`")

FRONT_DOOR = LoadableTargetOrigin(
    executable_path=None,
    python_file=None,
    module_name="atelier_pipeline.definitions",
    working_directory=None,
    attribute=None,
    package_name=None,
)
MINUTE = dt.timedelta(minutes=1)
SECOND = dt.timedelta(seconds=1)


@dataclass
class Watch:
    """Dagster's freshness daemon over the installation of the environment."""

    instance: dg.DagsterInstance
    workspace: WorkspaceProcessContext

    def states(self, now: dt.datetime) -> dict[str, FreshnessState]:
        """What the UI shows of each collector at `now`."""
        with freeze_time(now):
            list(FreshnessDaemon().run_iteration(self.workspace))
        keys = {name: collector_key(name) for name in SYMBOLS}
        records = self.instance.get_freshness_state_records(list(keys.values()))
        return {name: records[key].freshness_state for name, key in keys.items()}


@pytest.fixture
def watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    settings = installation(tmp_path).settings
    for name in ("lake", "journal", "manifests", "window_minutes"):
        monkeypatch.setenv(f"ATELIER_{name.upper()}", str(getattr(settings, name)))
    monkeypatch.setenv("DAGSTER_HOME", "")
    prepare_home(settings.dagster_home)
    target = InProcessTestWorkspaceLoadTarget(InProcessCodeLocationOrigin(FRONT_DOOR))
    with (
        dg.DagsterInstance.get() as instance,
        WorkspaceProcessContext(instance, target) as workspace,
    ):
        assert instance.freshness_enabled
        yield Watch(instance, workspace)


def capture(events: int) -> Ledger:
    lake = SmallLake()
    captures = lake.damaged("captures", lambda rows: [rows[0] | {"events": events}])
    return Ledger(window(), lake.table("gaps"), captures.table("captures"))


def test_a_collector_without_events_for_two_windows_is_red_until_it_has_some(watch: Watch):
    began = dt.datetime.now(dt.UTC)
    for name in SYMBOLS:
        (record,) = produced(name, capture(events=5))
        watch.instance.report_runless_asset_event(record)
    fresh, late = FreshnessState.PASS, FreshnessState.WARN
    assert watch.states(began + MINUTE) == {"bybit": fresh, "kraken": fresh}
    assert watch.states(began + 2 * MINUTE + SECOND) == {"bybit": late, "kraken": late}

    watch.instance.report_runless_asset_event(next(produced("bybit", capture(events=1))))
    assert watch.states(began + 4 * MINUTE)["kraken"] is FreshnessState.FAIL


def test_a_capture_that_brought_nothing_leaves_no_record():
    assert list(produced("kraken", capture(events=0))) == []


def test_a_record_says_what_a_window_has_brought():
    (record,) = produced("kraken", capture(events=1234))
    assert record.asset_key.to_user_string() == "collectors/kraken"
    assert record.description == "1,234 events in window 2026-02-26T15:00"
    assert {key: value.value for key, value in record.metadata.items()} == {
        "events": 1234,
        "losses": 1,
    }


def test_the_first_request_of_a_collector_starts_its_clock_once(watch: Watch):
    began = dt.datetime.now(dt.UTC)
    first = list(first_requests(["bybit", "kraken"], watch.instance))
    for record in first:
        watch.instance.report_runless_asset_event(record)
    assert [record.asset_key for record in first] == [collector_key(name) for name in SYMBOLS]
    assert list(first_requests(["bybit", "kraken"], watch.instance)) == []
    assert set(watch.states(began + 4 * MINUTE).values()) == {FreshnessState.FAIL}
