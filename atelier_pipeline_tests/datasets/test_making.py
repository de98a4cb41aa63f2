"""Samples by the letter of the rules, and by what they may not see."""

import math

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from atelier_pipeline.datasets import Recipe, Samples, make_samples
from atelier_pipeline.lake.schemas import AGGREGATES
from atelier_pipeline_tests.datasets.tapes import (
    FEATURES,
    MS,
    PERIOD,
    T0,
    plain_samples,
    recipes,
    tape,
    tapes,
)

RECIPE = Recipe(features=("ob_imbalance",), horizon=2)


def smooth(ticks: int) -> pl.DataFrame:
    """One market whose tick k has the price 100 + k and the imbalance k / 100, known at once."""
    number = np.arange(1, ticks + 1)
    return pl.DataFrame(
        {
            "number": number,
            "exchange": ["kraken"] * ticks,
            "symbol": ["BTC/USD"] * ticks,
            "ts_ns": T0 + number * PERIOD,
            "known_at": T0 + number * PERIOD,
            "gap": np.zeros(ticks, np.bool_),
            "ob_mid_price": 100.0 + number,
            "ob_imbalance": number / 100,
        }
    )


def ticks_of(samples: Samples, column: str = "ts_ns") -> list[int]:
    return ((samples.table[column] - T0) // PERIOD).to_list()


@settings(max_examples=150, deadline=None)
@given(tapes(), recipes())
def test_samples_are_those_of_the_rules(aggregates, recipe):
    samples = make_samples(aggregates, recipe, period_ns=PERIOD)
    expected = plain_samples(aggregates, recipe)
    windows = [sample.pop("window") for sample in expected]
    assert samples.table.drop("row", "target").to_dicts() == [
        {k: v for k, v in sample.items() if k != "target"} for sample in expected
    ]
    features, targets = samples.to_numpy()
    np.testing.assert_allclose(targets, [s["target"] for s in expected], rtol=1e-12)
    shape = (len(expected), recipe.lookback, len(recipe.features))
    np.testing.assert_array_equal(features.reshape(shape), np.array(windows).reshape(shape))
    assert len(samples) + sum(samples.dropped.values()) == aggregates.height


@settings(max_examples=60, deadline=None)
@given(tapes(), recipes(), st.integers(0, 2**32))
def test_the_order_of_the_rows_and_other_columns_change_nothing(aggregates, recipe, seed):
    shuffled = aggregates.sample(fraction=1, shuffle=True, seed=seed).with_columns(other=1)
    one, other = (make_samples(a, recipe, period_ns=PERIOD) for a in (aggregates, shuffled))
    assert one.table.equals(other.table)
    assert one.ticks.equals(other.ticks)


@st.composite
def chosen_samples(draw: st.DrawFn) -> tuple[pl.DataFrame, Recipe, int]:
    """A tape, a recipe that keeps nulls, and the number of one of its samples."""
    recipe = msgspec.structs.replace(draw(recipes()), nulls="keep")
    aggregates = draw(tapes())
    count = len(make_samples(aggregates, recipe, period_ns=PERIOD))
    assume(count)
    return aggregates, recipe, draw(st.integers(0, count - 1))


def with_other_values(aggregates: pl.DataFrame, rows: pl.Expr, columns: list[str]) -> pl.DataFrame:
    return aggregates.with_columns(
        pl.when(rows).then(7.5).otherwise(pl.col(name)).alias(name) for name in columns
    )


@settings(max_examples=80, deadline=None)
@given(chosen_samples())
def test_features_rest_on_no_value_that_was_unknown_when_they_could_be_used(chosen):
    aggregates, recipe, place = chosen
    recipe = msgspec.structs.replace(recipe, target="ob_mid_price")
    samples = make_samples(aggregates, recipe, period_ns=PERIOD)
    assume(place < len(samples))
    usable_at = samples.table["usable_at"][place]
    assert usable_at <= samples.table["entry_ts_ns"][place] < samples.table["target_ts_ns"][place]
    unknown = pl.col("known_at").cast(pl.Int64) + recipe.latency_ns > usable_at
    changed = with_other_values(aggregates, unknown, ["ob_imbalance", "trade_volume"])
    again = make_samples(changed, recipe, period_ns=PERIOD)
    assert again.table.equals(samples.table)
    np.testing.assert_array_equal(again.to_numpy()[0][place], samples.to_numpy()[0][place])


@settings(max_examples=80, deadline=None)
@given(chosen_samples())
def test_a_target_rests_on_its_entry_and_its_own_tick_alone(chosen):
    aggregates, recipe, place = chosen
    recipe = msgspec.structs.replace(recipe, target="ob_mid_price")
    samples = make_samples(aggregates, recipe, period_ns=PERIOD)
    assume(place < len(samples))
    sample = samples.frame.row(place, named=True)
    market = pl.struct("exchange", "symbol") == {n: sample[n] for n in ("exchange", "symbol")}
    own = market & pl.col("ts_ns").is_in([sample["entry_ts_ns"], sample["target_ts_ns"]])
    changed = with_other_values(aggregates, ~own, ["ob_mid_price"])
    again = make_samples(changed, recipe, period_ns=PERIOD).frame.filter(
        pl.col("ts_ns") == sample["ts_ns"], market
    )
    assert again["target"].to_list() == [sample["target"]]


def test_a_row_that_is_known_at_once_is_its_own_entry():
    samples = make_samples(smooth(5), RECIPE)
    assert ticks_of(samples) == ticks_of(samples, "entry_ts_ns") == [1, 2, 3]
    assert ticks_of(samples, "target_ts_ns") == [3, 4, 5]
    assert samples.table["target"].to_list() == pytest.approx(
        [math.log(b / a) for a, b in ((101, 103), (102, 104), (103, 105))], rel=1e-12
    )


def test_a_row_that_is_known_late_enters_at_the_first_tick_from_then_on():
    known_at = T0 + pl.col("number") * PERIOD + pl.Series([0, 1, PERIOD, 250 * MS, 0, 0, 0, 0, 0])
    samples = make_samples(smooth(9).with_columns(known_at=known_at), RECIPE)
    assert ticks_of(samples) == [1, 2, 3, 4, 5, 6, 7]
    assert ticks_of(samples, "entry_ts_ns") == [1, 3, 4, 7, 7, 6, 7]


def test_the_latency_moves_the_entry():
    recipe = msgspec.structs.replace(RECIPE, latency_ns=PERIOD + 1)
    assert ticks_of(make_samples(smooth(9), recipe), "entry_ts_ns") == [3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("value", 103.0), ("change", 2.0), ("return", 2 / 101), ("log_return", math.log(103 / 101))],
)
def test_a_target_is_of_the_kind_that_was_asked_for(kind, expected):
    samples = make_samples(smooth(5), msgspec.structs.replace(RECIPE, kind=kind))
    assert samples.table["target"][0] == pytest.approx(expected, rel=1e-12)


def test_nothing_reaches_over_a_hole():
    recipe = msgspec.structs.replace(RECIPE, lookback=3)
    samples = make_samples(smooth(20).filter(pl.col("number") != 10), recipe)
    assert ticks_of(samples) == [3, 4, 5, 6, 7, 13, 14, 15, 16, 17, 18]
    assert samples.dropped == {"incomplete": 8, "null": 0}


def test_nothing_reaches_from_one_market_into_another():
    two = pl.concat([smooth(5), smooth(5).with_columns(symbol=pl.lit("ETH/USD"))])
    samples = make_samples(two, RECIPE)
    assert samples.table["symbol"].to_list() == 3 * ["BTC/USD"] + 3 * ["ETH/USD"]
    assert ticks_of(samples) == [1, 2, 3, 1, 2, 3]


def test_a_known_loss_is_told_wherever_it_touches_a_sample():
    recipe = msgspec.structs.replace(RECIPE, lookback=2)
    samples = make_samples(smooth(12).with_columns(gap=pl.col("number") == 6), recipe)
    assert ticks_of(samples) == [2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert ticks_of(samples.without_gaps()) == [2, 3, 8, 9, 10]


@pytest.mark.parametrize(
    ("nulls", "expected"),
    [("drop", [1, 4, 5, 6]), ("keep", [1, 2, 3, 4, 5, 6]), ("zero", [1, 2, 3, 4, 5, 6])],
)
def test_a_missing_feature_is_dropped_kept_or_zero(nulls, expected):
    imbalance = pl.when(pl.col("number") == 2).then(None).otherwise(pl.col("ob_imbalance"))
    aggregates = smooth(8).with_columns(
        ob_imbalance=pl.when(pl.col("number") == 3).then(math.nan).otherwise(imbalance)
    )
    samples = make_samples(aggregates, msgspec.structs.replace(RECIPE, nulls=nulls))
    assert ticks_of(samples) == expected
    missing = {"drop": [], "keep": [math.nan] * 2, "zero": [0.0] * 2}[nulls]
    np.testing.assert_array_equal(samples.to_numpy()[0][1:3, 0][: len(missing)], missing)
    assert samples.dropped["null"] == 8 - 2 - len(expected)


def test_zeros_in_the_place_of_prices_are_no_returns():
    price = pl.when(pl.col("number") == 4).then(0.0).otherwise(pl.col("ob_mid_price"))
    samples = make_samples(smooth(8).with_columns(ob_mid_price=price), RECIPE)
    assert ticks_of(samples) == [1, 3, 5, 6]


def test_values_too_large_for_a_target_give_no_sample():
    price = pl.Series([1e-308, 1.0, 1e308, -1e308, 1e308, 1.0])
    for kind in ("change", "log_return"):
        recipe = Recipe(features=("ob_imbalance",), kind=kind)
        samples = make_samples(smooth(6).with_columns(ob_mid_price=price), recipe)
        assert samples.table["target"].is_finite().all()
        assert len(samples) == {"change": 3, "log_return": 3}[kind]


def test_the_lakes_own_tables_are_taken_as_they_are():
    rows = tape(1).cast({"known_at": pl.Int64}).to_dicts()
    table = pa.Table.from_pylist(rows, schema=AGGREGATES)
    recipe = Recipe(features=FEATURES, nulls="zero")
    assert make_samples(table, recipe).frame.equals(make_samples(tape(1), recipe).frame)


def test_no_ticks_give_no_samples():
    samples = make_samples(smooth(0), RECIPE, period_ns=PERIOD)
    assert len(samples) == 0
    assert [part.shape for part in samples.to_numpy()] == [(0, 1), (0,)]


@pytest.mark.parametrize(
    ("aggregates", "recipe", "words"),
    [
        (smooth(5).drop("known_at"), RECIPE, r"no columns \['known_at'\]"),
        (smooth(5), Recipe(features=("ob_imbalance", "x")), r"no columns \['x'\]"),
        (smooth(5), Recipe(features=("symbol",)), r"\['symbol'\] hold no numbers"),
        (smooth(5).with_columns(gap=None), RECIPE, r"\['gap'\] must not hold nulls"),
        (pl.concat([smooth(5), smooth(5)]), RECIPE, "there twice"),
        (smooth(1), RECIPE, "give the period"),
        (smooth(5).with_columns(pl.col("ts_ns") + 1), RECIPE, "not every tick is a multiple"),
        (
            pl.concat(
                [smooth(5), smooth(5).with_columns(pl.col("ts_ns") * 2, symbol=pl.lit("ETH/USD"))]
            ),
            RECIPE,
            r"ticks are \[100000000, 200000000\] ns apart",
        ),
    ],
)
def test_aggregates_that_no_sample_can_be_made_of_are_refused(aggregates, recipe, words):
    with pytest.raises(ValueError, match=words):
        make_samples(aggregates, recipe)
