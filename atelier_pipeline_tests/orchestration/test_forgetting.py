"""DAGSTER_HOME forgets what is old, and nothing by which an installation knows its windows."""

import datetime as dt
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.schedules.schema import AssetDaemonAssetEvaluationsTable
from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import SqliteScheduleStorage

from atelier_pipeline.definitions import house
from atelier_pipeline.orchestration.daily import failed_rules
from atelier_pipeline.orchestration.forgetting import (
    LOGS_AT_ONCE,
    SECS_PER_DAY,
    WINDOWS_EXPLAINED,
    forget_evaluations_sensor,
    forget_run_logs_sensor,
)
from atelier_pipeline.orchestration.installation import Installation
from atelier_pipeline.orchestration.instance import prepare_home
from atelier_pipeline.orchestration.partitions import partition_key
from atelier_pipeline.orchestration.run_logs import forget_log, old_logs
from atelier_pipeline.validate.rules import RULES
from atelier_pipeline_tests.orchestration.past_window import (
    NS_PER_SEC,
    WINDOW,
    installation,
    journal,
    run,
)

KEYS = [partition_key(collector, WINDOW) for collector in ("bybit", "kraken")]


@dataclass(frozen=True)
class Ran:
    """An installation with a window that succeeded, of bybit, and one that failed, of kraken."""

    installed: Installation
    instance: dg.DagsterInstance
    good: str
    bad: str

    def logs(self) -> list[Path]:
        """The files in which the logs of both runs are."""
        storage = self.storage
        return [Path(storage.path_for_shard(run_id)) for run_id in (self.good, self.bad)]

    @property
    def storage(self) -> SqliteEventLogStorage:
        storage = self.instance.event_log_storage
        assert isinstance(storage, SqliteEventLogStorage)
        return storage

    def forget(self, *, after_days: float, run_log_days: int = 30) -> str:
        """What the sensor says so long after the runs."""
        settings = self.installed.settings.model_copy(update={"run_log_days": run_log_days})
        now_ns = time.time_ns() + round(after_days * SECS_PER_DAY * NS_PER_SEC)
        late = replace(self.installed, settings=settings, now_ns=lambda: now_ns)
        resources = {"installation": late}
        with dg.build_sensor_context(instance=self.instance, resources=resources) as context:
            skipped = forget_run_logs_sensor()(context)
        assert isinstance(skipped, dg.SkipReason)
        return str(skipped.skip_message)


@pytest.fixture(scope="module")
def one_good_one_bad(tmp_path_factory: pytest.TempPathFactory) -> tuple[Installation, str, str]:
    """Both runs, made once."""
    folder = tmp_path_factory.mktemp("ran")
    installed = installation(folder)
    journal(installed.collectors["bybit"], installed.settings)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DAGSTER_HOME", str(installed.settings.dagster_home))
        prepare_home(installed.settings.dagster_home)
        with dg.DagsterInstance.get() as instance:
            good, bad = (run(installed, instance, name).run_id for name in ("bybit", "kraken"))
    return installed, good, bad


@pytest.fixture
def ran(
    one_good_one_bad: tuple[Installation, str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Ran]:
    installed, good, bad = one_good_one_bad
    home = shutil.copytree(installed.settings.dagster_home, tmp_path / "home")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with dg.DagsterInstance.get() as instance:
        yield Ran(installed, instance, good, bad)


def known(ran: Ran) -> dict[str, Any]:
    """What Dagster knows of the windows: partitions, figures, checks, runs."""
    instance, partitions = ran.instance, ran.installed.partitions()
    assets = [key for key in instance.all_asset_keys() if key.path[0] != "collectors"]
    made = {key.to_user_string(): instance.get_latest_materialization_event(key) for key in assets}
    checks = ran.storage.get_asset_check_partition_info(
        list(house(ran.installed).resolve_asset_graph().asset_check_keys), partition_keys=KEYS
    )
    bybit = ran.installed.collectors["bybit"]
    return {
        "materialized": {key: instance.get_materialized_partitions(key) for key in assets},
        "status": {key: instance.get_status_by_partition(key, KEYS, partitions) for key in assets},
        "figures": {name: figures(entry) for name, entry in made.items() if entry is not None},
        "checks": {(info.check_key, info.partition_key): info for info in checks},
        "failed": failed_rules(instance, bybit, [WINDOW]),
        "runs": {each.run_id: each.status for each in instance.get_runs()},
    }


def figures(entry: dg.EventLogEntry) -> dict[str, Any]:
    """What is neither a picture nor a table."""
    return {
        name: value
        for name, value in metadata(entry).items()
        if not isinstance(value, dg.MarkdownMetadataValue | dg.TableMetadataValue)
    }


def metadata(entry: dg.EventLogEntry | None) -> dict[str, Any]:
    assert entry is not None
    made = entry.asset_materialization
    assert made is not None
    return dict(made.metadata)


def test_logs_and_pictures_of_old_runs_go_and_all_that_is_known_of_windows_stays(ran: Ran):
    before = known(ran)
    said = ran.forget(after_days=31)
    assert said == "logs of 2 runs older than 30 days were removed"
    assert not any(log.exists() for log in ran.logs())
    assert known(ran) == before
    aggregates = dg.AssetKey("market_aggregates")
    made = ran.instance.fetch_materializations(aggregates, limit=1).records[0].event_log_entry
    assert metadata(made) == figures(made)
    assert metadata(made)["rows"].value > 0
    (good, bad) = (before["status"][aggregates][key] for key in KEYS)
    assert (str(good.value), str(bad.value)) == ("MATERIALIZED", "FAILED")
    assert len(before["checks"]) >= len(RULES)


def test_the_page_of_an_old_run_is_empty_and_what_it_leaves_is_forgotten_too(ran: Ran):
    ran.forget(after_days=31)
    with dg.DagsterInstance.get() as page:
        assert page.all_logs(ran.good) == []
    assert ran.logs()[0].exists()
    assert ran.forget(after_days=62).startswith("logs of 1 runs")


@pytest.mark.filterwarnings("ignore:Parameter `include_sources`")  # Dagster's tester calls a beta
def test_automation_has_nothing_to_do_after_logs_were_forgotten(ran: Ran):
    definitions = house(ran.installed)
    now = dt.datetime.fromtimestamp(ran.installed.now_ns() / NS_PER_SEC, dt.UTC)

    def evaluated(cursor: Any = None) -> Any:
        return dg.evaluate_automation_conditions(
            definitions, instance=ran.instance, cursor=cursor, evaluation_time=now
        )

    first = evaluated()
    ran.forget(after_days=31)
    assert evaluated(first.cursor).total_requested == 0


@pytest.mark.parametrize(("days", "kept"), [(29.9, 30), (4000.0, 0)])
def test_young_logs_stay_and_all_of_them_where_days_are_0(ran: Ran, days: float, kept: int):
    ran.forget(after_days=days, run_log_days=kept)
    assert all(log.exists() for log in ran.logs())


def test_the_log_of_a_run_that_is_not_over_stays(ran: Ran):
    job = house(ran.installed).resolve_job_def("compact_job")
    under_way = ran.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    ran.instance.report_engine_event("captures", under_way)
    assert not forget_log(ran.instance, ran.storage, under_way.run_id)
    assert Path(ran.storage.path_for_shard(under_way.run_id)).exists()


def test_the_oldest_logs_are_forgotten_first(ran: Ran):
    assert old_logs(ran.storage, time.time() + 1) == [ran.good, ran.bad]
    assert LOGS_AT_ONCE * 6 * 24 > 3 * 24 * 60, "three collectors with one-minute windows"


def test_what_automation_found_is_forgotten_after_some_windows(tmp_path: Path):
    installed = installation(tmp_path)
    resources = {"installation": installed}
    limit_secs = WINDOWS_EXPLAINED * 60
    with dg.instance_for_test() as instance:
        evaluations = instance.schedule_storage
        assert isinstance(evaluations, SqliteScheduleStorage)
        for key, age_secs in (("old", limit_secs + 100), ("young", limit_secs - 100)):
            stored_at = dt.datetime.fromtimestamp(
                installed.now_ns() / NS_PER_SEC - age_secs, dt.UTC
            )
            row = {"evaluation_id": 1, "asset_key": key, "create_timestamp": stored_at}
            with evaluations.connect() as connection:
                connection.execute(AssetDaemonAssetEvaluationsTable.insert().values(**row))
        with dg.build_sensor_context(instance=instance, resources=resources) as context:
            forget_evaluations_sensor()(context)
        with evaluations.connect() as connection:
            left = connection.execute(
                sqlalchemy.select(AssetDaemonAssetEvaluationsTable.c.asset_key)
            )
            assert list(left.scalars()) == ["young"]
