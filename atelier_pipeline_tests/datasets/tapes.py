"""Made-up aggregates with holes, late rows, nulls and losses, and samples by the letter."""

import math

import numpy as np
import polars as pl
from hypothesis import strategies as st

from atelier_pipeline.datasets import Recipe

MS = 1_000_000
PERIOD = 100 * MS
T0 = 1_700_000_000_000 * MS
MARKETS = [("bybit", "BTCUSDT"), ("bybit", "ETHUSDT"), ("kraken", "BTC/USD")]
FEATURES = ("ob_imbalance", "trade_volume", "book_valid")
SCHEMA = {
    "ts_ns": pl.UInt64,
    "ob_mid_price": pl.Float64,
    "ob_imbalance": pl.Float64,
    "trade_volume": pl.Float64,
    "symbol": pl.String,
    "exchange": pl.String,
    "book_valid": pl.Boolean,
    "gap": pl.Boolean,
    "known_at": pl.Datetime("ns", "UTC"),
}


def tick(market: tuple[str, str], number: int, random: np.random.Generator) -> dict:
    """A row; one of ten is known late, lacks a value, or lies in a known loss."""
    late = random.choice([0, 0, 0, 0, 20, 70, 100, 250, 900]) * MS
    return {
        "ts_ns": T0 + number * PERIOD,
        "ob_mid_price": _some(random, 100 + random.normal()),
        "ob_imbalance": _some(random, random.uniform(-1, 1)),
        "trade_volume": _some(random, random.exponential()),
        "symbol": market[1],
        "exchange": market[0],
        "book_valid": bool(random.integers(2)),
        "gap": random.uniform() < 0.03,
        "known_at": T0 + number * PERIOD + int(late),
    }


def _some(random: np.random.Generator, value: float) -> float | None:
    return None if random.uniform() < 0.04 else float(value)


def tape(seed: int, *, markets: int = 2, ticks: int = 60, holes: float = 0.02) -> pl.DataFrame:
    """Rows of some markets in mixed order, with ticks left out."""
    random = np.random.default_rng(seed)
    rows = [
        tick(market, number, random)
        for market in MARKETS[:markets]
        for number in range(1, ticks + 1)
        if number <= 2 or random.uniform() >= holes
    ]
    order = random.permutation(len(rows))
    return pl.DataFrame([rows[k] for k in order], SCHEMA)


def tapes() -> st.SearchStrategy:
    return st.builds(tape, st.integers(0, 2**32), markets=st.integers(1, 3))


def recipes() -> st.SearchStrategy:
    return st.builds(
        Recipe,
        features=st.lists(st.sampled_from(FEATURES), min_size=1, unique=True).map(tuple),
        target=st.sampled_from(["ob_mid_price", "trade_volume"]),
        kind=st.sampled_from(["value", "change", "return", "log_return"]),
        horizon=st.integers(1, 6),
        lookback=st.integers(1, 5),
        latency_ns=st.sampled_from([0, 1, 40 * MS, PERIOD, 3 * PERIOD]),
        nulls=st.sampled_from(["drop", "keep", "zero"]),
    )


def plain_samples(aggregates: pl.DataFrame, recipe: Recipe) -> list[dict]:
    """Every sample with the window of its features, by a loop over dicts."""
    numbers = aggregates.cast({"known_at": pl.Int64})
    rows = {(r["exchange"], r["symbol"], r["ts_ns"]): r for r in numbers.to_dicts()}
    made = (_sample(rows, key, recipe) for key in sorted(rows))
    return [sample for sample in made if sample is not None]


def _sample(rows: dict, key: tuple[str, str, int], recipe: Recipe) -> dict | None:
    *market, ts = key
    stamps = [ts - k * PERIOD for k in reversed(range(recipe.lookback))]
    behind = [rows.get((*market, stamp)) for stamp in stamps]
    before = rows.get((*market, ts - recipe.lookback * PERIOD))
    if None in behind:
        return None
    known = [row["known_at"] for row in [before, *behind] if row is not None]
    usable = max(known) + recipe.latency_ns
    entry = ts
    while entry < usable:
        entry += PERIOD
    target = entry + recipe.horizon * PERIOD
    path = [rows.get((*market, stamp)) for stamp in range(ts, target + 1, PERIOD)]
    if None in path:
        return None
    ahead = path[(entry - ts) // PERIOD :]
    window = [[_feature(row[name], recipe) for name in recipe.features] for row in behind]
    value = _target(ahead[0][recipe.target], ahead[-1][recipe.target], recipe.kind)
    if value is None or (recipe.nulls == "drop" and any(math.isnan(v) for w in window for v in w)):
        return None
    return {
        "exchange": market[0],
        "symbol": market[1],
        "ts_ns": ts,
        "usable_at": usable,
        "entry_ts_ns": entry,
        "target_ts_ns": target,
        "target_known_at": max(row["known_at"] for row in ahead),
        "gap": any(row["gap"] for row in [*behind, *ahead]),
        "target": value,
        "window": window,
    }


def _feature(value: float | None, recipe: Recipe) -> float:
    if value is None:
        return 0.0 if recipe.nulls == "zero" else math.nan
    return float(value)


def _target(start: float | None, end: float | None, kind: str) -> float | None:
    if end is None or (start is None and kind != "value"):
        return None
    if kind == "value":
        return end
    if kind == "change":
        return end - start
    if start <= 0 or end <= 0:
        return None
    return math.log(end / start) if kind == "log_return" else end / start - 1
