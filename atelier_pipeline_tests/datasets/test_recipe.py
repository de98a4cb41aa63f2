"""A recipe is refused where no sample could be made by it, and can be kept beside a model."""

import msgspec
import pytest

from atelier_pipeline.datasets import Recipe

FEATURES = ("ob_imbalance", "trade_volume")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"features": ()}, "one or more different columns"),
        ({"features": ("a", "b", "a")}, "one or more different columns"),
        ({"features": ("ob_imbalance", "gap")}, "gap is given afterwards"),
        ({"target": "gap"}, "gap is given afterwards"),
        ({"kind": "returns"}, "kind='returns' is none of value, change, return, log_return"),
        ({"nulls": "fill"}, "nulls='fill' is none of drop, keep, zero"),
        ({"horizon": 0}, "horizon must be at least 1, not 0"),
        ({"horizon": -5}, "horizon must be at least 1, not -5"),
        ({"lookback": 0}, "lookback must be at least 1, not 0"),
        ({"latency_ns": -1}, "latency_ns must be at least 0, not -1"),
    ],
)
def test_a_recipe_without_sense_is_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        Recipe(**{"features": FEATURES, **changes})


def test_one_text_is_no_list_of_features():
    with pytest.raises(TypeError, match="'ob_imbalance' is one text"):
        Recipe(features="ob_imbalance")


def test_a_list_of_features_is_as_good_as_a_tuple():
    assert Recipe(features=list(FEATURES)) == Recipe(features=FEATURES)
    assert hash(Recipe(features=list(FEATURES))) == hash(Recipe(features=FEATURES))


def test_a_recipe_is_kept_as_json():
    recipe = Recipe(features=FEATURES, kind="change", horizon=5, lookback=20, latency_ns=7)
    assert msgspec.json.decode(msgspec.json.encode(recipe), type=Recipe) == recipe
    with pytest.raises(msgspec.ValidationError, match="horizon must be at least 1"):
        msgspec.json.decode(b'{"features":["a"],"horizon":0}', type=Recipe)
