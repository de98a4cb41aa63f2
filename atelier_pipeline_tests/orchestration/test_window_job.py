"""One run takes a window from its frames to its features, and its checks stand guard."""

from pathlib import Path

import dagster as dg
import pytest

from atelier_pipeline import pipeline
from atelier_pipeline.lake.names import FileKind, Mode, find_files
from atelier_pipeline.orchestration.checks import asset_of
from atelier_pipeline.orchestration.materialise import asset_key
from atelier_pipeline.orchestration.outcome import ROWS, outcome_of
from atelier_pipeline.orchestration.partitions import partition_key
from atelier_pipeline.orchestration.raw import RAW
from atelier_pipeline.validate.catalog import query
from atelier_pipeline.validate.rules import RULES
from atelier_pipeline_tests.orchestration.past_window import (
    WINDOW,
    installation,
    journal,
    run,
    sealing_damage,
)

TICKS = 600


def is_evaluation(event: dg.DagsterEvent) -> bool:
    return event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION


@pytest.fixture(autouse=True)
def _home(prepared_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(prepared_home))


def test_a_window_in_the_past_is_rebuilt_from_its_journal_to_its_features(tmp_path: Path):
    installed = installation(tmp_path)
    journal(installed.collectors["bybit"], installed.settings)
    with dg.DagsterInstance.get() as instance:
        result = run(installed, instance, "bybit")
        outcome = outcome_of(instance, result.run_id)
        key = partition_key("bybit", WINDOW)
        aggregates = dg.AssetKey("market_aggregates")
        assert key in instance.get_materialized_partitions(aggregates)

    assert (outcome.succeeded, outcome.failed, outcome.problems) == (True, {}, [])
    assert sorted(outcome.passed) == sorted(
        f"{asset_of(rule).to_user_string()}: {rule.name}" for rule in RULES
    )
    assert outcome.numbers["market_aggregates", ROWS] == TICKS
    assert outcome.numbers["raw/liquidations", "files"] == 0
    files = find_files(installed.settings.lake, FileKind.AGGREGATES, Mode.SYNC)
    assert [(file.exchange, file.name, file.t0_ns) for file in files] == [
        ("bybit", "BTCUSDT", WINDOW.start_ns)
    ]
    ticks = query(
        "SELECT count(*) AS ticks FROM aggregates",
        installed.settings.lake,
        installed.settings.catalog,
    )
    assert ticks.to_pylist() == [{"ticks": TICKS}]


def test_a_window_that_ends_while_its_run_begins_is_left_to_its_frames(tmp_path: Path):
    """The run finds it in progress; when the capture looks, it is over."""
    installed = installation(tmp_path, now_ns=WINDOW.end_ns - 1)
    journal(installed.collectors["bybit"], installed.settings, seconds=1)
    with dg.DagsterInstance.get() as instance:
        result = run(installed, instance, "bybit", [asset_key(Mode.RAW, kind) for kind in RAW])
        outcome = outcome_of(instance, result.run_id)
    assert outcome.problems == []
    assert outcome.numbers["raw/trades", ROWS] > 0


def test_a_window_in_the_past_without_frames_fails_and_says_that_time_is_gone(tmp_path: Path):
    installed = installation(tmp_path)
    with dg.DagsterInstance.get() as instance:
        outcome = outcome_of(instance, run(installed, instance, "kraken").run_id)
    assert (outcome.succeeded, outcome.numbers, outcome.passed) == (False, {}, [])
    (problem,) = outcome.problems
    assert problem.startswith("raw: ")
    assert "time can't be captured again" in problem


def test_a_check_that_fails_is_kept_by_partition_and_blocks_what_is_downstream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    installed = installation(tmp_path)
    journal(installed.collectors["kraken"], installed.settings)

    monkeypatch.setattr(pipeline, "seal", sealing_damage)
    with dg.DagsterInstance.get() as instance:
        result = run(installed, instance, "kraken")
        outcome = outcome_of(instance, result.run_id)
        evaluations = [
            event.asset_check_evaluation_data for event in result.filter_events(is_evaluation)
        ]
    assert not outcome.succeeded
    assert outcome.failed == {"raw/captures: positive_price_size": 1}
    assert {asset for asset, _ in outcome.numbers} == {
        f"raw/{name}"
        for name in (
            "orderbooks",
            "trades",
            "liquidations",
            "fundings",
            "open_interests",
            "gaps",
            "captures",
        )
    }
    assert {evaluation.partition for evaluation in evaluations} == {"kraken|2026-02-26T15:00"}
