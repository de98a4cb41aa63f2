"""The front door lists the house, and Dagster can open it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from atelier_pipeline.definitions import house
from atelier_pipeline.orchestration.checks import asset_of
from atelier_pipeline.orchestration.profile import DEMO
from atelier_pipeline.orchestration.redecode_check import REDECODE
from atelier_pipeline.orchestration.ui import WORKSPACE
from atelier_pipeline.validate.rule import Severity
from atelier_pipeline.validate.rules import RULES
from atelier_pipeline_tests.orchestration.past_window import SYMBOLS, installation


def key(text: str) -> dg.AssetKey:
    return dg.AssetKey(text.split("/"))


@pytest.fixture
def graph(tmp_path: Path) -> Any:
    return house(installation(tmp_path)).resolve_asset_graph()


def test_the_assets_are_one_straight_line(graph: Any):
    parents = {
        asset.to_user_string(): {parent.to_user_string() for parent in graph.get(asset).parent_keys}
        for asset in graph.get_all_asset_keys()
    }
    losses = {"raw/gaps", "raw/captures"}
    datasets = {"orderbooks", "trades", "liquidations", "fundings", "open_interests"}
    counted = {"raw/orderbooks", "raw/trades", "raw/liquidations"}
    assert parents == {
        **{f"raw/{name}": set() for name in datasets},
        **{name: set() for name in losses},
        **{f"sync/{name}": {f"raw/{name}", *losses} for name in datasets},
        "sync/snapshots": {*counted, *losses},
        "market_aggregates": {"sync/snapshots", *(f"sync/{name}" for name in datasets)},
        "catalog": {"market_aggregates"},
        "daily_verdict": {"raw/captures", "market_aggregates"},
        **{f"collectors/{name}": {"raw/captures"} for name in SYMBOLS},
    }


def test_every_rule_is_a_check_of_each_window_and_an_error_blocks(graph: Any):
    checks = {(check.asset_key, check.name): graph.get(check) for check in graph.asset_check_keys}
    rules = {(asset_of(rule), rule.name): rule.severity is Severity.ERROR for rule in RULES}
    asked_for = {(REDECODE.asset_key, REDECODE.name): False}
    assert {place: check.blocking for place, check in checks.items()} == rules | asked_for
    assert all(
        check.partitions_def == graph.get(asset).partitions_def
        for (asset, _), check in checks.items()
    )


def test_a_rule_about_one_dataset_is_shown_there_and_one_about_many_on_their_stage():
    shown = {(rule.stage, rule.name): asset_of(rule) for rule in RULES}
    assert shown["raw", "unique_trade_ids"] == key("raw/trades")
    assert shown["raw", "sorted"] == key("raw/captures")
    assert shown["sync", "book_uncrossed"] == key("sync/orderbooks")
    assert shown["sync", "trades_conserved"] == key("sync/trades")
    assert shown["sync", "sorted"] == key("sync/snapshots")
    assert shown["aggregates", "vwap_in_range"] == key("market_aggregates")


def test_dagster_loads_the_shipped_workspace(tmp_path: Path):
    own = {"ATELIER_LAKE": "lake", "ATELIER_JOURNAL": "journal", "DAGSTER_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "dagster", "definitions", "validate", "-w", str(WORKSPACE)]
    loaded = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, **DEMO, **own}, capture_output=True, check=False
    )
    assert loaded.returncode == 0, loaded.stderr.decode()
