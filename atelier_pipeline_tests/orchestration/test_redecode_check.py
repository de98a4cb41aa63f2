"""The check `redecode` of a window: equal, different, or not to be judged."""

import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from atelier_pipeline import pipeline
from atelier_pipeline.definitions import house
from atelier_pipeline.orchestration.checks import OFFENDING
from atelier_pipeline.orchestration.installation import Installation
from atelier_pipeline.orchestration.partitions import partition_key
from atelier_pipeline.orchestration.redecode_check import REDECODE
from atelier_pipeline_tests.orchestration.past_window import (
    QUIET,
    WINDOW,
    installation,
    journal,
    sealing_damage,
)


@pytest.fixture(autouse=True)
def _home(prepared_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(prepared_home))


@pytest.fixture
def installed(tmp_path: Path) -> Installation:
    """A window of `bybit` in the past, with a journal."""
    installed = installation(tmp_path)
    journal(installed.collectors["bybit"], installed.settings)
    return installed


def judged(installed: Installation) -> dg.AssetCheckEvaluation:
    """What the job finds in the window."""
    with dg.DagsterInstance.get() as instance:
        result = (
            house(installed)
            .resolve_job_def("redecode_job")
            .execute_in_process(
                partition_key=partition_key("bybit", WINDOW),
                instance=instance,
                run_config={"loggers": QUIET},
            )
        )
    (evaluation,) = [
        event.asset_check_evaluation_data
        for event in result.all_events
        if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION
    ]
    return evaluation


def values(evaluation: dg.AssetCheckEvaluation) -> dict[str, Any]:
    return {key: value.value for key, value in evaluation.metadata.items() if key != "sample"}


def test_a_window_that_its_frames_give_passes(installed: Installation):
    pipeline.seal(installed.collectors["bybit"], WINDOW, installed.settings)
    evaluation = judged(installed)
    assert evaluation.passed
    assert evaluation.asset_key == dg.AssetKey(["raw", "captures"])
    assert evaluation.partition == partition_key("bybit", WINDOW)
    assert values(evaluation) == {
        OFFENDING: 0,
        "files that are the same": 4,
        "files that differ": 0,
    }


def test_every_row_that_differs_is_shown_by_dataset(installed: Installation):
    sealing_damage(installed.collectors["bybit"], WINDOW, installed.settings)
    evaluation = judged(installed)
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.ERROR)
    found = values(evaluation)
    assert (found[OFFENDING], found["files that differ"]) == (1, 1)
    assert found["differences"].endswith(": 1 changed in price")
    (row,) = (record.data for record in evaluation.metadata["sample"].records)
    assert (row["dataset"], row["symbol"]) == ("trades", "BTCUSDT")
    assert (row["difference"], row["new_row"]) == ("changed", 0)
    assert row["old"] == "price=-1.0"


def test_a_window_without_frames_is_not_judged(installed: Installation):
    pipeline.seal(installed.collectors["bybit"], WINDOW, installed.settings)
    shutil.rmtree(installed.settings.journal)
    shutil.rmtree(installed.settings.lake / "frames")
    evaluation = judged(installed)
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert values(evaluation)["problem"].startswith("no frames are left, neither ")


def test_a_window_in_progress_is_not_judged(tmp_path: Path):
    installed = installation(tmp_path, now_ns=WINDOW.end_ns - 1)
    evaluation = judged(installed)
    assert values(evaluation) == {OFFENDING: 1, "problem": "the window is not over"}


def test_the_check_itself_finds_the_same_from_its_page(installed: Installation):
    sealing_damage(installed.collectors["bybit"], WINDOW, installed.settings)
    key = partition_key("bybit", WINDOW)
    tags = {f"dagster/partition/{name}": value for name, value in key.keys_by_dimension.items()}
    with dg.DagsterInstance.get() as instance:
        result = (
            house(installed)
            .resolve_implicit_global_asset_job_def()
            .get_subset(asset_selection=set(), asset_check_selection={REDECODE})
            .execute_in_process(
                instance=instance,
                run_config={"loggers": QUIET},
                tags={"dagster/partition": key, **tags},
            )
        )
    (evaluation,) = result.get_asset_check_evaluations()
    assert (evaluation.passed, evaluation.partition) == (False, key)
    assert evaluation.metadata == judged(installed).metadata


def test_no_window_is_decoded_twice_by_its_own_run(installed: Installation):
    job = house(installed).resolve_job_def("window_job")
    assert "redecode_check" not in job.graph.node_dict
    assert "raw_checks" in job.graph.node_dict
