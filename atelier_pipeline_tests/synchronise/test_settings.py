"""Settings that make no sense are refused with the value."""

import pytest

from atelier_pipeline.errors import SettingsError
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.synchronise import ClockMode, SyncSettings


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"period_ns": 0}, "period_ns must be positive, not 0"),
        ({"depth": 0}, "depth must be at least 1 level, not 0"),
        ({"clock": "wall"}, 'clock must be "event" or "receive", not \'wall\''),
        ({"emission_delay_ns": -1}, "emission_delay_ns must be 0 or more, not -1"),
    ],
)
def test_a_wrong_value_is_refused(wrong, message):
    with pytest.raises(SettingsError) as refused:
        SyncSettings(**{"period_ns": 1, **wrong})
    assert str(refused.value) == message


def test_a_mode_is_what_a_manifest_says_and_knows_its_driving_feed():
    assert {mode.value: mode.driver for mode in ClockMode} == {
        "on_orderbook": Dataset.ORDERBOOKS,
        "on_trade": Dataset.TRADES,
        "on_liquidation": Dataset.LIQUIDATIONS,
        "on_time": None,
    }
