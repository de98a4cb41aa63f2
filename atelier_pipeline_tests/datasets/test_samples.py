"""Samples as polars tables and numpy arrays, and parts of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atelier_pipeline.datasets import Recipe, make_samples
from atelier_pipeline_tests.datasets.tapes import FEATURES, PERIOD, recipes, tape, tapes

KEPT = Recipe(features=("trade_volume", "ob_imbalance"), horizon=2, nulls="keep")


def test_the_frame_has_the_features_of_each_samples_newest_tick():
    aggregates = tape(7)
    samples = make_samples(aggregates, KEPT)
    frame = samples.frame
    assert frame.columns == [
        "exchange",
        "symbol",
        "ts_ns",
        "usable_at",
        "entry_ts_ns",
        "target_ts_ns",
        "target_known_at",
        "gap",
        "target",
        "trade_volume",
        "ob_imbalance",
    ]
    key = ["exchange", "symbol", "ts_ns"]
    source = aggregates.cast({"ts_ns": int}).select(*key, *KEPT.features)
    wanted = frame.select(key).join(source, on=key, how="left", maintain_order="left")
    assert frame.select(*key, *KEPT.features).equals(wanted)


def test_arrays_have_a_row_for_each_sample_and_a_column_for_each_feature():
    samples = make_samples(tape(7), KEPT)
    features, targets = samples.to_numpy()
    assert features.shape == (len(samples), 2)
    assert features.dtype == targets.dtype == np.float64
    np.testing.assert_array_equal(features, samples.frame.select(KEPT.features).to_numpy())
    np.testing.assert_array_equal(targets, samples.table["target"])


def test_arrays_are_the_callers_own():
    samples = make_samples(tape(7), KEPT)
    for part in samples.to_numpy():
        part[...] = 0
    assert (samples.to_numpy()[1] != 0).any()
    assert np.nanmax(samples.to_numpy()[0]) > 0


def test_a_lookback_has_its_newest_tick_last():
    recipe = Recipe(features=FEATURES, lookback=4, nulls="keep")
    windows, _ = make_samples(tape(8), recipe).to_numpy()
    samples = make_samples(tape(8), recipe)
    assert windows.shape == (len(samples), 4, 3)
    np.testing.assert_array_equal(windows[:, -1], samples.frame.select(FEATURES).to_numpy())


@settings(max_examples=60, deadline=None)
@given(tapes(), recipes(), st.integers(0, 2**32))
def test_a_part_keeps_its_samples_and_no_tick_that_they_do_not_need(aggregates, recipe, seed):
    samples = make_samples(aggregates, recipe, period_ns=PERIOD)
    keep = np.random.default_rng(seed).uniform(size=len(samples)) < 0.3
    part = samples.where(keep)
    for kept, whole in zip(part.to_numpy(), samples.to_numpy(), strict=True):
        np.testing.assert_array_equal(kept, whole[keep])
    market = part.table.select("exchange", "symbol", "ts_ns").rows()
    behind = range(recipe.lookback)
    needed = {(e, s, ts - k * PERIOD) for e, s, ts in market for k in behind}
    assert set(part.ticks.select("exchange", "symbol", "ts_ns").rows()) == needed
    assert part.ticks.height == len(needed)


@pytest.mark.parametrize("mask", [[True], [True] * 1000])
def test_a_mask_of_another_length_is_refused(mask):
    samples = make_samples(tape(8), KEPT)
    with pytest.raises(ValueError, match=f"a mask of {len(mask)} does not fit"):
        samples.where(np.array(mask))
