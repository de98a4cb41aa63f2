"""The verdict on a day is an asset by collector and day, and leads to its page."""

import base64
import contextlib
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from atelier_pipeline import pipeline
from atelier_pipeline.definitions import house
from atelier_pipeline.orchestration.daily import DAY_JOB, failed_rules
from atelier_pipeline.orchestration.installation import Installation
from atelier_pipeline.orchestration.pages import served_reports
from atelier_pipeline.orchestration.partitions import partition_key
from atelier_pipeline.report import FailedRule
from atelier_pipeline.settings import Settings
from atelier_pipeline_tests.orchestration.past_window import (
    NS_PER_SEC,
    QUIET,
    WINDOW,
    installation,
    journal,
    run,
    sealing_damage,
)

DAY = "2026-02-26"
HOUR_NS = 3600 * NS_PER_SEC

# Dagster's own tester of automation calls a part of Dagster that is in beta.
pytestmark = pytest.mark.filterwarnings("ignore:Parameter `include_sources`")


def judged(installed: Installation, instance: dg.DagsterInstance) -> dict[str, Any]:
    """The metadata of kraken's day, made by the job that the command line knows."""
    now = dt.datetime.fromtimestamp(installed.now_ns() / NS_PER_SEC, dt.UTC)
    with dg.partition_loading_context(now, instance):
        result = (
            house(installed)
            .resolve_job_def(DAY_JOB)
            .execute_in_process(
                partition_key=f"kraken|{DAY}", instance=instance, run_config={"loggers": QUIET}
            )
        )
    (made,) = result.get_asset_materialization_events()
    metadata = made.materialization.metadata
    return {key: value.value for key, value in metadata.items()}


@pytest.fixture
def captured(tmp_path: Path) -> Installation:
    """Kraken's journal of a part of one window, an hour ago."""
    captured = installation(tmp_path)
    journal(captured.collectors["kraken"], captured.settings)
    captured.partitions()
    return replace(captured, now_ns=lambda: WINDOW.end_ns + HOUR_NS)


def test_the_day_in_progress_is_pending_with_all_that_is_known(captured: Installation):
    settings = captured.settings.model_copy(update={"reports_url": "http://127.0.0.1:3001"})
    installed = replace(captured, settings=settings)
    with dg.DagsterInstance.ephemeral() as instance:
        assert run(installed, instance, "kraken").success
        metadata = judged(installed, instance)
    page = installed.settings.lake / "reports" / "kraken" / f"kraken_{DAY}.html"
    assert metadata["report"] == f"http://127.0.0.1:3001/kraken/kraken_{DAY}.html"
    assert metadata["report file"] == str(page)
    assert '<body data-verdict="pending">' in page.read_text("utf-8")
    picture = base64.b64decode(metadata.pop("coverage map").split("base64,")[1].removesuffix(")"))
    assert picture.startswith(b"<svg ")
    records = [record.data for record in metadata["feeds"].records]
    assert [(r["symbol"], r["dataset"], r["verdict"]) for r in records] == [
        ("BTC/USD", "orderbooks", "pending"),
        ("BTC/USD", "trades", "pending"),
    ]
    reasons = str(records[0]["why"])
    assert reasons.startswith("not captured at 00:00-15:00, 15:01-15:51 (950 windows); 1 shutdown")
    counts = {key: value for key, value in metadata.items() if isinstance(value, int)}
    assert counts == {
        "feeds available": 0,
        "feeds degraded": 0,
        "feeds pending": 2,
        "feeds missing": 0,
        "seams proved": 0,
        "seams not proved": 0,
        "rules failed": 0,
    }


def test_a_day_without_any_capture_is_missing_once_it_is_over(tmp_path: Path):
    installed = installation(tmp_path, now_ns=WINDOW.end_ns + 10 * HOUR_NS)
    installation(tmp_path).days()
    with dg.DagsterInstance.ephemeral() as instance:
        metadata = judged(installed, instance)
    assert (metadata["verdict"], metadata["feeds missing"]) == ("missing", 2)
    assert "report" not in metadata


def test_rules_that_failed_are_those_of_the_day_with_their_severity(
    captured: Installation, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pipeline, "seal", sealing_damage)
    collector, windows = captured.day(f"kraken|{DAY}")
    with dg.DagsterInstance.ephemeral() as instance:
        assert failed_rules(instance, collector, windows) == []
        assert not run(captured, instance, "kraken").success
        assert failed_rules(instance, collector, windows) == [
            FailedRule(WINDOW.start_ns, "raw", "positive_price_size", None, blocking=True)
        ]
        _, next_day = captured.day("kraken|2026-02-27")
        assert failed_rules(instance, collector, next_day) == []


@dataclass
class Nights:
    """Ticks of the automation."""

    installed: Installation
    instance: dg.DagsterInstance
    cursor: Any = None

    def tick(self, time: str) -> set[str]:
        """The days whose verdict is requested at a time such as `27 00:15`."""
        now = dt.datetime.strptime(f"2026-02-{time}", "%Y-%m-%d %H:%M").replace(tzinfo=dt.UTC)
        with dg.partition_loading_context(now, self.instance):
            ticked = dg.evaluate_automation_conditions(
                house(self.installed),
                self.instance,
                asset_selection=dg.AssetSelection.assets("daily_verdict"),
                evaluation_time=now,
                cursor=self.cursor,
            )
            self.cursor = ticked.cursor
            asked = ticked.get_requested_partitions(dg.AssetKey("daily_verdict"))
        return {str(key) for key in asked}

    def report(self, asset: str, partition: str) -> None:
        made = dg.AssetMaterialization(dg.AssetKey(asset.split("/")), partition=partition)
        self.instance.report_runless_asset_event(made)


@pytest.fixture
def nights(tmp_path: Path) -> Iterator[Nights]:
    with dg.DagsterInstance.ephemeral() as instance:
        nights = Nights(installation(tmp_path), instance)
        assert nights.tick("26 23:50") == set()
        yield nights


def test_a_day_is_judged_when_it_is_over_and_all_collectors_at_a_quarter_past(nights: Nights):
    nights.report("market_aggregates", str(partition_key("kraken", WINDOW)))
    assert nights.tick("26 23:59") == set()
    assert nights.tick("27 00:01") == {f"kraken|{DAY}"}
    nights.report("daily_verdict", f"kraken|{DAY}")
    assert nights.tick("27 00:02") == set()
    assert nights.tick("27 00:15") == {f"kraken|{DAY}", f"bybit|{DAY}"}
    assert nights.tick("27 00:16") == set()


def test_a_window_that_is_made_again_has_its_day_judged_again(nights: Nights):
    nights.tick("27 00:15")
    nights.tick("27 00:16")
    nights.report("raw/captures", str(partition_key("kraken", WINDOW)))
    assert nights.tick("28 12:00") == {f"kraken|{DAY}", "kraken|2026-02-27", "bybit|2026-02-27"}
    assert nights.tick("28 12:01") == set()


def asked(address: str, path: str) -> tuple[int, bytes]:
    """What a server answers; the client leaves the path as it is."""
    connection = HTTPConnection(address.removeprefix("http://"), timeout=10)
    connection.request("GET", path)
    with contextlib.closing(connection), connection.getresponse() as answer:
        assert str(answer.headers["Content-Security-Policy"]).startswith("default-src 'none'")
        return answer.status, answer.read()


def test_reports_are_served_on_loopback_and_nothing_else_is(tmp_path: Path):
    page = tmp_path / "lake" / "reports" / "kraken" / "day.html"
    page.parent.mkdir(parents=True)
    page.write_text("the page")
    (tmp_path / "lake" / "_source").write_text("live")
    with served_reports(Settings(lake=tmp_path / "lake"), 0) as address:
        assert address.startswith("http://127.0.0.1:")
        assert asked(address, "/kraken/day.html") == (200, b"the page")
        assert asked(address, "/../_source")[0] == 404


def test_an_address_of_reports_that_is_set_is_kept():
    settings = Settings(reports_url="https://reports.example/atelier/")
    with served_reports(settings, 0) as address:
        assert address == "https://reports.example/atelier"
