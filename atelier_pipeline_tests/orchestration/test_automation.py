"""What is downstream follows raw files that were made again, unless their checks found an error."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from atelier_pipeline import pipeline
from atelier_pipeline.definitions import house
from atelier_pipeline.lake.names import Mode
from atelier_pipeline.orchestration.automation import automation_sensor
from atelier_pipeline.orchestration.checks import asset_of
from atelier_pipeline.orchestration.derived import SYNC
from atelier_pipeline.orchestration.installation import Installation
from atelier_pipeline.orchestration.instance import SHIPPED
from atelier_pipeline.orchestration.materialise import asset_key
from atelier_pipeline.orchestration.partitions import partition_key
from atelier_pipeline.orchestration.raw import RAW
from atelier_pipeline.validate.rules import RULES
from atelier_pipeline_tests.orchestration.past_window import (
    NS_PER_SEC,
    WINDOW,
    installation,
    journal,
    run,
    sealing_damage,
)

# Dagster's own tester of automation calls a part of Dagster that is in beta.
pytestmark = pytest.mark.filterwarnings("ignore:Parameter `include_sources`")

DERIVED = {*(asset_key(Mode.SYNC, kind).to_user_string() for kind in SYNC), "market_aggregates"}
CHECKS = {f"{asset_of(rule).to_user_string()}:{rule.name}" for rule in RULES}
CHECKS_OF_DERIVED = {check for check in CHECKS if not check.startswith("raw/")}


@dataclass
class Automation:
    """Ticks of the automation, a minute apart, and runs between them."""

    installed: Installation
    instance: dg.DagsterInstance
    minutes: int = 0
    cursor: Any = None

    def tick(self) -> set[str]:
        """The assets and checks that are requested now; each for one window, or as a whole."""
        self.minutes += 1
        now = dt.datetime.fromtimestamp(self.installed.now_ns() / NS_PER_SEC, dt.UTC)
        time = now + dt.timedelta(minutes=self.minutes)
        with dg.partition_loading_context(time, self.instance):
            ticked = dg.evaluate_automation_conditions(
                house(self.installed), self.instance, evaluation_time=time, cursor=self.cursor
            )
        self.cursor = ticked.cursor
        requested = {result.key: result.true_subset.size for result in ticked.results}
        return {key.to_user_string() for key, size in requested.items() if size == 1}

    def make_raw(self) -> bool:
        """Raw files and their checks, in one run; whether it succeeded."""
        return self.make([asset_key(Mode.RAW, kind) for kind in RAW])

    def make(self, assets: list[dg.AssetKey] | None = None) -> bool:
        """Assets and their checks, or the whole window, in one run; whether it succeeded."""
        return run(self.installed, self.instance, "kraken", assets).success

    def report(self, *keys: dg.AssetKey) -> None:
        """Raw files made by somebody who checks nothing."""
        for key in keys:
            made = dg.AssetMaterialization(key, partition=partition_key("kraken", WINDOW))
            self.instance.report_runless_asset_event(made)


@pytest.fixture
def automation(tmp_path: Path) -> Iterator[Automation]:
    """An installation a while after a window; the first tick is over."""
    installed = installation(tmp_path)
    journal(installed.collectors["kraken"], installed.settings)
    with dg.DagsterInstance.ephemeral() as instance:
        ticking = Automation(installed, instance)
        assert ticking.tick() == set()
        yield ticking


def test_raw_files_that_nobody_checked_are_checked_with_what_is_derived_from_them(
    automation: Automation,
):
    automation.report(*(asset_key(Mode.RAW, kind) for kind in RAW))
    assert automation.tick() == DERIVED | CHECKS
    assert automation.tick() == set()


def test_what_is_derived_follows_raw_files_once_but_not_those_with_an_error(
    automation: Automation, monkeypatch: pytest.MonkeyPatch
):
    assert automation.make_raw()
    assert automation.tick() == DERIVED | CHECKS_OF_DERIVED
    assert automation.tick() == set()

    with monkeypatch.context() as damaging:
        damaging.setattr(pipeline, "seal", sealing_damage)
        assert not automation.make_raw()
    assert automation.tick() == set()

    assert automation.make_raw()
    assert automation.tick() == DERIVED | CHECKS_OF_DERIVED


def test_a_window_that_one_run_made_whole_is_left_alone(automation: Automation):
    assert automation.make()
    assert automation.tick() == set()
    assert automation.make()
    assert automation.tick() == set()


def test_checks_of_a_run_that_a_tick_fell_into_are_not_made_twice(automation: Automation):
    assert automation.make_raw()
    automation.tick()
    assert automation.make([dg.AssetKey(key.split("/")) for key in sorted(DERIVED)])
    assert automation.tick() == {"catalog"}
    assert automation.tick() == set()


def test_the_catalog_follows_the_aggregates_of_any_window(automation: Automation):
    automation.report(dg.AssetKey("market_aggregates"))
    assert "catalog" in automation.tick()
    assert "catalog" not in automation.tick()


def test_what_follows_a_window_is_one_run_with_its_checks_and_limited():
    sensor = automation_sensor()
    assert not sensor.emit_backfills
    limits = yaml.safe_load(SHIPPED.read_text())["run_coordinator"]["config"]
    limited = {each["key"]: each["limit"] for each in limits["tag_concurrency_limits"]}
    assert [limited[tag] for tag in sensor.run_tags] == [2]
