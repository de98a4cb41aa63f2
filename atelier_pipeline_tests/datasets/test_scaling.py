"""Scaling: fitted on one part, used on any, and undone."""

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atelier_pipeline.datasets import (
    Recipe,
    Scaling,
    make_samples,
    min_max_scaling,
    split_at,
    standard_scaling,
)
from atelier_pipeline_tests.datasets.tapes import FEATURES, PERIOD, T0, tape

NUMBERS = pl.DataFrame({"a": [1.0, 2.0, None, 6.0], "b": [5, 5, 5, 5], "c": ["x", "y", "z", "x"]})
FITS = [standard_scaling, min_max_scaling]
columns = st.lists(st.none() | st.floats(-1e9, 1e9), min_size=1, max_size=20).filter(
    lambda values: any(value is not None for value in values)
)


def test_standard_scaling_gives_mean_0_and_deviation_1():
    scaling = standard_scaling(NUMBERS, ["a", "b"])
    assert scaling == Scaling({"a": 3.0, "b": 5.0}, {"a": np.std([1, 2, 6]), "b": 1.0})
    scaled = scaling.apply(NUMBERS)
    assert scaled["a"].mean() == pytest.approx(0, abs=1e-12)
    assert scaled["a"].std(ddof=0) == pytest.approx(1, rel=1e-12)
    assert scaled["b"].to_list() == [0.0] * 4


def test_min_max_scaling_gives_0_to_1():
    scaling = min_max_scaling(NUMBERS, ["a", "b"])
    assert scaling == Scaling({"a": 1.0, "b": 5.0}, {"a": 5.0, "b": 1.0})
    assert scaling.apply(NUMBERS)["a"].to_list() == [0.0, 0.2, None, 1.0]


@pytest.mark.parametrize("fit", FITS)
@given(columns)
def test_undoing_gives_the_values_back(fit, values):
    frame = pl.DataFrame({"a": values, "other": 1.0}, {"a": pl.Float64, "other": pl.Float64})
    scaling = fit(frame, ["a"])
    back = scaling.undo(scaling.apply(frame))
    assert back["other"].equals(frame["other"])
    assert back["a"].is_null().equals(frame["a"].is_null())
    known = frame["a"].drop_nulls().to_numpy()
    np.testing.assert_allclose(back["a"].drop_nulls(), known, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("fit", FITS)
def test_a_column_of_one_value_becomes_0_and_no_noise(fit):
    frame = pl.DataFrame({"a": [0.1] * 1001})
    assert fit(frame, ["a"]).scale == {"a": 1.0}
    np.testing.assert_allclose(fit(frame, ["a"]).apply(frame)["a"], 0, atol=1e-12)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("least", [5e-324, 2.2e-313, 4e-285])
def test_a_width_too_small_to_divide_by_leaves_the_values_finite(fit, least):
    frame = pl.DataFrame({"a": [0.0, least]})
    scaled = fit(frame, ["a"]).apply(frame)["a"]
    assert scaled.is_finite().all()


@pytest.mark.parametrize("fit", FITS)
def test_samples_are_scaled_by_their_training_part(fit):
    samples = make_samples(tape(4), Recipe(features=FEATURES, horizon=2, lookback=3))
    train, test = split_at(samples, T0 + 30 * PERIOD)
    scaling = fit(train)
    by_hand = fit(train.ticks, FEATURES)
    assert scaling == by_hand
    scaled = scaling.apply(test)
    assert scaled.table.equals(test.table)
    offset = np.array([scaling.offset[name] for name in FEATURES])
    scale = np.array([scaling.scale[name] for name in FEATURES])
    np.testing.assert_allclose(
        scaled.to_numpy()[0], (test.to_numpy()[0] - offset) / scale, rtol=1e-12
    )
    whole = scaling.apply(train).to_numpy()[0].reshape(-1, len(FEATURES))
    assert np.abs(whole).max() < 20


def test_each_tick_of_the_training_part_counts_once():
    recipe = Recipe(features=("trade_volume",), lookback=4, nulls="keep")
    train = make_samples(tape(5, markets=1, holes=0), recipe)
    volumes = train.ticks["trade_volume"].drop_nulls()
    assert train.ticks["ts_ns"].is_unique().all()
    assert standard_scaling(train).offset["trade_volume"] == pytest.approx(volumes.mean())


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("values", [[], [None], [float("nan")]])
def test_a_column_without_a_value_is_refused(fit, values):
    frame = pl.DataFrame({"a": values}, {"a": pl.Float64})
    with pytest.raises(ValueError, match=r"no value of \['a'\]"):
        fit(frame, ["a"])


def test_a_table_does_not_say_which_columns_to_scale():
    with pytest.raises(ValueError, match="say which columns"):
        standard_scaling(NUMBERS)


def test_a_scaling_is_kept_as_json_to_the_last_bit():
    scaling = standard_scaling(make_samples(tape(6), Recipe(features=FEATURES)))
    assert msgspec.json.decode(msgspec.json.encode(scaling), type=Scaling) == scaling
