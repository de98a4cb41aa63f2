"""Stretches of ticks, and the largest value of those behind."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atelier_pipeline.datasets.stretches import Stretches, trailing_max


def test_a_stretch_ends_at_a_hole_and_at_the_market_s_end():
    market = np.array([0, 0, 0, 0, 1, 1, 1])
    stretches = Stretches.of(market, np.array([10, 20, 40, 50, 60, 70, 80]), None)
    assert stretches.period_ns == 10
    assert stretches.first.tolist() == [0, 0, 2, 2, 4, 4, 4]
    assert stretches.last.tolist() == [1, 1, 3, 3, 6, 6, 6]


def test_a_market_of_one_tick_takes_the_period_of_the_others():
    stretches = Stretches.of(np.array([0, 1, 1, 2]), np.array([30, 20, 30, 70]), None)
    assert stretches.period_ns == 10
    assert stretches.first.tolist() == [0, 1, 1, 3]


@pytest.mark.parametrize(
    ("market", "stamps", "words"),
    [
        ([0, 0], [10, 10], "there twice"),
        ([0, 1], [10, 10], "no market has two ticks"),
        ([], [], "no market has two ticks"),
        ([0, 0, 0], [10, 20, 35], "not every tick is a multiple of the period of 10 ns"),
        ([0, 0, 1, 1], [10, 20, 40, 80], r"ticks are \[10, 40\] ns apart"),
    ],
)
def test_ticks_without_one_grid_are_refused(market, stamps, words):
    with pytest.raises(ValueError, match=words):
        Stretches.of(np.array(market, np.int64), np.array(stamps, np.int64), None)


@given(st.lists(st.integers(-9, 9)), st.integers(1, 40))
def test_the_trailing_maximum_is_that_of_each_value_and_those_before_it(values, width):
    expected = [max(values[max(0, k + 1 - width) : k + 1]) for k in range(len(values))]
    given_values = np.array(values, np.int64)
    assert trailing_max(given_values, width).tolist() == expected
    assert given_values.tolist() == values
