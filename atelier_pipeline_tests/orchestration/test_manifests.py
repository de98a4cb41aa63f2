"""A manifest that is added, changed or removed counts without a line of code."""

import datetime as dt
from pathlib import Path

import dagster as dg
import pytest

from atelier_pipeline.definitions import house
from atelier_pipeline.errors import SettingsError
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.orchestration.installation import Installation
from atelier_pipeline.orchestration.sensors import capture_requests
from atelier_pipeline_tests.orchestration.past_window import (
    MANIFEST,
    NS_PER_SEC,
    WINDOW,
    installation,
)

DURING = WINDOW.start_ns + 10 * NS_PER_SEC


def reloaded(installed: Installation) -> Installation:
    """The installation as a reload of the code location finds it."""
    found = Installation.of(installed.settings)
    return Installation(found.settings, found.collectors, lambda: DURING)


def captured(installed: Installation) -> set[str]:
    """The collectors whose window in progress is requested."""
    with dg.DagsterInstance.ephemeral() as instance:
        requests = list(capture_requests(installed, instance))
    return {str(request.partition_key).split("|")[0] for request in requests}


def partitions_of(installed: Installation, asset: str) -> set[str]:
    """The collectors that an asset has partitions for."""
    now = dt.datetime.fromtimestamp(DURING / NS_PER_SEC, dt.UTC)
    with dg.partition_loading_context(now):
        graph = house(installed).resolve_asset_graph()
        definition = graph.get(dg.AssetKey(asset.split("/"))).partitions_def
        return {str(key).split("|")[0] for key in definition.get_partition_keys()}


def watched(installed: Installation) -> set[str]:
    """The collectors that have an asset of their own, which turns red."""
    keys = house(installed).resolve_asset_graph().get_all_asset_keys()
    return {key.path[1] for key in keys if key.path[0] == "collectors"}


def test_a_manifest_that_is_added_is_captured_partitioned_and_watched(tmp_path: Path):
    before = installation(tmp_path, now_ns=DURING)
    text = MANIFEST.format(exchange="coinbase", symbol="BTC-USD")
    (before.settings.manifests / "spot.toml").write_text(text)
    after, all_three = reloaded(before), {"bybit", "kraken", "spot"}
    assert captured(after) == watched(after) == all_three
    assert partitions_of(after, "raw/trades") == all_three
    assert partitions_of(after, "daily_verdict") == all_three


def test_a_manifest_that_is_changed_captures_what_it_says_now(tmp_path: Path):
    before = installation(tmp_path, now_ns=DURING)
    text = MANIFEST.format(exchange="kraken", symbol="ETH/USD")
    (before.settings.manifests / "kraken.toml").write_text(text)
    changed = reloaded(before).target("kraken|2026-02-26T15:00")[0]
    assert dict(changed.datasets) == {"ETH/USD": {Dataset.ORDERBOOKS, Dataset.TRADES}}


def test_a_manifest_that_is_removed_is_captured_no_more_and_its_windows_say_why(tmp_path: Path):
    before = installation(tmp_path, now_ns=DURING)
    (before.settings.manifests / "kraken.toml").unlink()
    after = reloaded(before)
    assert captured(after) == watched(after) == partitions_of(after, "sync/trades") == {"bybit"}
    gone = r"'kraken' has no manifest in .*: known are bybit"
    with pytest.raises(SettingsError, match=gone):
        after.target("kraken|2026-02-26T15:00")
    with pytest.raises(SettingsError, match=gone):
        after.day("kraken|2026-02-26")


def test_a_manifest_that_can_not_be_used_is_refused_by_name(tmp_path: Path):
    before = installation(tmp_path, now_ns=DURING)
    (before.settings.manifests / "kraken.toml").write_text("[collect]\nexchange = 'nowhere'\n")
    with pytest.raises(SettingsError, match=r"kraken\.toml"):
        reloaded(before)
