"""docs/research.md runs as it stands, from a lake to a model, and the lake agrees with itself."""

import re
from contextlib import chdir
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from atelier_pipeline import pipeline
from atelier_pipeline.datasets import read_aggregates
from atelier_pipeline.lake import read_market_snapshots
from atelier_pipeline.manifest import load_manifests
from atelier_pipeline.market.window import Window
from atelier_pipeline.settings import Settings
from atelier_pipeline.simulator import frames

PAGE = Path(__file__).parents[2] / "docs" / "research.md"
BLOCKS = re.findall(
    r"^## ([^\n]+)$(?:(?!^## ).)*?```python\n(.+?)```",
    PAGE.read_text("utf-8"),
    re.DOTALL | re.MULTILINE,
)
T0 = int(datetime(2026, 2, 26, 15, tzinfo=UTC).timestamp()) * 1_000_000_000
SECONDS = 20


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose data/lake has two windows of simulated bybit, from frames to features."""
    place = tmp_path_factory.mktemp("research")
    manifests = Path(pipeline.__file__).parent / "manifests" / "demo"
    collector = load_manifests(manifests)["bybit"]
    settings = Settings(lake=place / "data" / "lake", journal=place / "data" / "journal")
    for number in range(2):
        t0 = T0 + number * SECONDS * 1_000_000_000
        window = Window(t0, t0 + SECONDS * 1_000_000_000)
        received = frames(
            "bybit", collector.symbols, depth=50, start_ns=t0, duration_s=SECONDS, levels=200
        )
        pipeline.journal_frames(collector, window, settings, received)
        pipeline.seal(collector, window, settings, whole=True)
        pipeline.synchronise(collector, window, settings)
        pipeline.aggregate(collector, window, settings)
    return place


def run(place: Path, *titles: str) -> dict[str, Any]:
    """What the blocks of some sections leave behind, run one after the other."""
    left: dict[str, Any] = {}
    with chdir(place):
        for title, code in BLOCKS:
            if title in titles:
                exec(compile(code, title, "exec"), left)  # noqa: S102 - our own page
    return left


UP_TO_A_MODEL = (
    "Read",
    "Features of your own",
    "Samples",
    "Split",
    "Scale",
    "A first model",
)


def test_the_page_has_a_block_in_each_section():
    assert [title for title, _ in BLOCKS] == [
        *UP_TO_A_MODEL,
        "With torch",
        "Below the features: whole snapshots",
    ]
    assert len(BLOCKS) == PAGE.read_text("utf-8").count("```python")


def test_the_page_leads_from_a_lake_to_a_model(place):
    left = run(place, *UP_TO_A_MODEL)
    train, test = left["train"], left["test"]
    assert set(train.table["symbol"]) == {"BTCUSDT", "ETHUSDT"}
    assert left["x"].shape == (len(train), 5, 3)
    assert left["y_test"].shape == left["foretold"].shape == (len(test),)
    assert min(len(train), len(test)) > 50
    assert train.table["target_known_at"].max() <= left["at"]
    assert np.isfinite(left["r2"])
    np.testing.assert_allclose(
        left["scaling"].apply(train).ticks.select(pl.col(train.recipe.features).mean()).row(0),
        0,
        atol=1e-9,
    )


def test_the_page_leads_to_torch(place):
    pytest.importorskip("torch", reason="torch is an extra: pip install 'atelier-pipeline[torch]'")
    left = run(place, *UP_TO_A_MODEL, "With torch")
    assert left["windows"].shape == (32, 5, 3)
    assert left["targets"].shape == (32,)
    assert len(left["dataset"]) == len(left["train"])


def test_the_page_leads_to_snapshots(place):
    left = run(place, "Read", "Below the features: whole snapshots")
    assert -1 <= left["top"] <= 1
    assert left["bought"] >= 0


@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT"])
def test_snapshots_have_the_features_that_were_computed_of_them(place, symbol):
    lake = place / "data" / "lake"
    rows = read_aggregates(lake, "bybit", symbol).drop_columns("known_at").to_pylist()
    snapshots = list(read_market_snapshots(lake, "bybit", symbol))
    assert len(rows) == len(snapshots) == 2 * SECONDS * 10
    assert sum(len(snapshot.trades) for snapshot in snapshots) > 50
    for row, snapshot in zip(rows, snapshots, strict=True):
        book, funding = snapshot.orderbook, snapshot.funding_rate
        interest = snapshot.open_interest
        assert (row["ts_ns"], row["exchange"], row["symbol"]) == (
            snapshot.ts_ns,
            snapshot.exchange,
            snapshot.symbol,
        )
        assert row["ob_mid_price"] == (book and book.mid_price)
        assert row["ob_spread"] == (book and book.spread)
        assert row["ob_imbalance"] == (book and book.imbalance())
        assert row["trade_count"] == snapshot.quality.n_trades == len(snapshot.trades)
        assert row["trade_volume"] == pytest.approx(
            sum(t.amount for t in snapshot.trades), rel=1e-12
        )
        assert row["liq_count"] == snapshot.quality.n_liquidations == len(snapshot.liquidations)
        assert row["fr_rate"] == (funding and funding.funding_rate)
        assert row["oi_contracts"] == (interest and interest.open_interest)
        assert row["gap"] == snapshot.quality.gap
