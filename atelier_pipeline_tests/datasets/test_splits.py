"""A split by time: the training part could have been had at the split, the test part is later."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atelier_pipeline.datasets import (
    Recipe,
    make_samples,
    min_max_scaling,
    split_at,
    standard_scaling,
    time_at_share,
)
from atelier_pipeline.errors import LakeError
from atelier_pipeline_tests.datasets.tapes import FEATURES, MS, PERIOD, T0, recipes, tape, tapes

TICKS = 60
RECIPE = Recipe(features=FEATURES, horizon=3, lookback=2, nulls="keep")
times = st.integers(T0 + PERIOD, T0 + TICKS * PERIOD)


def after(time_ns: int) -> pl.Expr:
    return pl.col("known_at").cast(pl.Int64) > time_ns


def another_future(aggregates: pl.DataFrame, at_ns: int, seed: int) -> pl.DataFrame:
    """The same rows as far as they were known by a time; those later may differ or be gone."""
    random = np.random.default_rng(seed)
    rows = aggregates.height
    values = {
        "ob_mid_price": random.uniform(1, 1e6, rows),
        "ob_imbalance": random.normal(size=rows) * 1e6,
        "trade_volume": random.exponential(size=rows) * 1e6,
        "book_valid": random.integers(2, size=rows).astype(bool),
    }
    known_at = pl.Series(at_ns + 1 + random.integers(0, 20 * PERIOD, rows))
    changed = aggregates.with_columns(
        *(
            pl.when(after(at_ns)).then(pl.Series(new)).otherwise(pl.col(name)).alias(name)
            for name, new in values.items()
        ),
        pl.when(after(at_ns))
        .then(known_at)
        .otherwise(pl.col("known_at").cast(pl.Int64))
        .alias("known_at"),
        pl.when(pl.col("ts_ns") > at_ns).then(random.uniform() < 0.5).otherwise("gap").alias("gap"),
    )
    goes = (pl.col("ts_ns") > at_ns) & pl.Series(random.uniform(size=rows) < 0.3)
    return changed.filter(~goes)


@settings(max_examples=150, deadline=None)
@given(tapes(), recipes(), times, st.integers(0, 2**32))
def test_no_future_changes_the_training_part_or_what_is_fitted_on_it(aggregates, recipe, at, seed):
    one, other = (
        split_at(make_samples(table, recipe, period_ns=PERIOD), at).train
        for table in (aggregates, another_future(aggregates, at, seed))
    )
    assert one.ticks.equals(other.ticks)
    assert one.table.equals(other.table)
    assert [part.tobytes() for part in one.to_numpy()] == [p.tobytes() for p in other.to_numpy()]
    if not any(one.ticks[name].is_null().all() for name in recipe.features):
        assert standard_scaling(one) == standard_scaling(other)
        assert min_max_scaling(one) == min_max_scaling(other)


@settings(max_examples=100, deadline=None)
@given(tapes(), recipes(), times, st.integers(0, 4))
def test_the_parts_are_the_longest_that_keep_the_embargo(aggregates, recipe, at, more):
    embargo = recipe.horizon + more
    samples = make_samples(aggregates, recipe, period_ns=PERIOD)
    train, test = split_at(samples, at, embargo=embargo)
    table = samples.table.drop("row")
    oldest = pl.col("ts_ns") - (recipe.lookback - 1) * PERIOD
    assert train.table.drop("row").equals(table.filter(pl.col("target_known_at") <= at))
    assert test.table.drop("row").equals(table.filter(oldest >= at + embargo * PERIOD))


@settings(max_examples=100, deadline=None)
@given(tapes(), recipes(), times)
def test_all_that_the_test_part_sees_lies_the_embargo_behind_the_training_part(
    aggregates, recipe, at
):
    train, test = split_at(make_samples(aggregates, recipe, period_ns=PERIOD), at)
    if not len(train) or not len(test):
        return
    learnt_from = [train.ticks["ts_ns"], train.ticks["known_at"], train.table["target_ts_ns"]]
    assert max(times.max() for times in learnt_from) <= at
    assert test.ticks["ts_ns"].min() - at >= recipe.horizon * PERIOD


def test_the_embargo_is_the_horizon_and_never_less():
    samples = make_samples(tape(1), RECIPE)
    at = T0 + 30 * PERIOD
    assert split_at(samples, at).test.frame.equals(split_at(samples, at, embargo=3).test.frame)
    assert len(split_at(samples, at, embargo=9).test) < len(split_at(samples, at).test)
    with pytest.raises(ValueError, match="an embargo of 2 ticks is less than the horizon 3"):
        split_at(samples, at, embargo=2)


def test_a_split_is_made_at_a_datetime_or_at_utc_ns():
    samples = make_samples(tape(1), RECIPE)
    at = T0 + 30 * PERIOD
    split = split_at(samples, datetime.fromtimestamp(at / 1e9, UTC))
    assert split.train.frame.equals(split_at(samples, at).train.frame)
    assert split.test.frame.equals(split_at(samples, at).test.frame)
    with pytest.raises(LakeError, match="no time zone"):
        split_at(samples, datetime(2026, 2, 26))  # noqa: DTZ001 - what is refused


def test_a_validation_part_is_split_off_the_training_part():
    samples = make_samples(tape(2, holes=0), RECIPE)
    learning, test = split_at(samples, T0 + 45 * PERIOD)
    train, validation = split_at(learning, T0 + 25 * PERIOD)
    spans = [(p.ticks["ts_ns"].min(), p.table["target_ts_ns"].max()) for p in (train, validation)]
    assert spans[0][1] <= T0 + 25 * PERIOD < spans[1][0] < spans[1][1] <= T0 + 45 * PERIOD
    assert test.ticks["ts_ns"].min() >= T0 + 48 * PERIOD
    assert min(len(part) for part in (train, validation, test)) > 10


def test_a_share_of_the_ticks_is_a_time():
    samples = make_samples(tape(3, markets=1, holes=0), RECIPE)
    stamps = samples.table["ts_ns"].to_list()
    at = time_at_share(samples, 0.75)
    assert at == stamps[int(0.75 * len(stamps))]
    assert at % PERIOD == 0
    assert T0 + 40 * PERIOD < at < T0 + 50 * PERIOD + MS


@pytest.mark.parametrize("share", [0, 1, -0.5, 20])
def test_a_share_lies_between_nothing_and_all(share):
    with pytest.raises(ValueError, match="share must be between 0 and 1"):
        time_at_share(make_samples(tape(3), RECIPE), share)


def test_no_samples_have_no_time_to_split_at():
    nothing = make_samples(tape(3), RECIPE).where(
        np.zeros(len(make_samples(tape(3), RECIPE)), bool)
    )
    with pytest.raises(ValueError, match="no samples"):
        time_at_share(nothing, 0.5)
    assert [len(part) for part in split_at(nothing, T0)] == [0, 0]
