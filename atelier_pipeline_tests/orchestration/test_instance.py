"""DAGSTER_HOME holds what every process of an installation must agree on."""

import datetime as dt
from pathlib import Path

import dagster as dg
import pytest
import yaml

from atelier_pipeline.orchestration.instance import (
    COMPUTE_POOL,
    SHIPPED,
    partitions_start,
    prepare_home,
)

NOON = int(dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC).timestamp()) * 1_000_000_000
MINUTE_NS = 60 * 1_000_000_000
DAY_NS = 86_400 * 1_000_000_000


@pytest.fixture(autouse=True)
def _home_of_this_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))


def test_a_new_home_gets_the_shipped_configuration_and_a_limit_for_compute(tmp_path: Path):
    prepare_home(tmp_path / "home")
    assert (tmp_path / "home" / "dagster.yaml").read_text() == SHIPPED.read_text()
    with dg.DagsterInstance.from_config(str(tmp_path / "home")) as instance:
        limits = instance.event_log_storage.get_concurrency_keys()
        settings = yaml.safe_load(SHIPPED.read_text())["run_coordinator"]["config"]
        assert limits == {COMPUTE_POOL}
        assert instance.run_coordinator.inst_data is not None
        assert instance.run_coordinator.inst_data.config_dict == settings
        assert instance.telemetry_enabled is False


def test_an_older_configuration_is_replaced_and_kept_beside(tmp_path: Path):
    older = "# atelier_pipeline instance configuration, version 0\n"
    (tmp_path / "dagster.yaml").write_text(older)
    prepare_home(tmp_path)
    assert (tmp_path / "dagster.yaml").read_text() == SHIPPED.read_text()
    assert (tmp_path / "dagster.yaml.old").read_text() == older


def test_a_configuration_of_somebody_s_own_stays(tmp_path: Path):
    own = "telemetry: {enabled: false}\n"
    (tmp_path / "dagster.yaml").write_text(own)
    prepare_home(tmp_path)
    assert (tmp_path / "dagster.yaml").read_text() == own


def test_a_limit_that_was_changed_in_the_ui_stays(tmp_path: Path):
    prepare_home(tmp_path)
    with dg.DagsterInstance.get() as instance:
        instance.event_log_storage.set_concurrency_slots(COMPUTE_POOL, 7)
    prepare_home(tmp_path)
    with dg.DagsterInstance.get() as instance:
        assert instance.event_log_storage.get_concurrency_info(COMPUTE_POOL).slot_count == 7


def test_partitions_start_in_the_hour_of_the_first_run_where_the_lake_is_empty(tmp_path: Path):
    noon = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
    assert partitions_start(tmp_path / "home", tmp_path / "lake", NOON + MINUTE_NS) == noon
    assert partitions_start(tmp_path / "home", tmp_path / "lake", NOON + DAY_NS) == noon


def test_partitions_start_with_the_oldest_data_of_the_lake(tmp_path: Path):
    for day in ("2026-03-02", "2026-03-01"):
        (tmp_path / "lake/kraken/BTC-USD/trades" / f"date={day}").mkdir(parents=True)
    start = partitions_start(tmp_path / "home", tmp_path / "lake", NOON)
    assert start == dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
