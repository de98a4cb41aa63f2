"""What is chosen, and what can't be."""

import datetime as dt

import pytest

from atelier_pipeline.errors import SettingsError
from atelier_pipeline.housekeeping.selection import NS_PER_DAY, Selection
from atelier_pipeline.market.window import Window

FIRST, LAST = dt.date(2026, 2, 26), dt.date(2026, 2, 27)
START_NS = 1_772_064_000_000_000_000


def test_days_are_chosen_with_the_last_one():
    assert Selection(first_day=FIRST, last_day=LAST).within == Window(
        START_NS, START_NS + 2 * NS_PER_DAY
    )
    assert Selection(last_day=FIRST).within == Window(0, START_NS + NS_PER_DAY)
    assert Selection(first_day=FIRST).within == Window(START_NS, 2**63 - 1)
    assert Selection().within is None


def test_a_time_is_in_the_chosen_days_or_not():
    chosen = Selection(first_day=FIRST, last_day=FIRST)
    times = (START_NS - 1, START_NS, START_NS + NS_PER_DAY - 1, START_NS + NS_PER_DAY)
    assert [chosen.has_time(time) for time in times] == [False, True, True, False]
    assert Selection().has_time(0)


def test_a_symbol_is_taken_in_either_spelling():
    assert Selection(symbol="BTC/USD").name == Selection(symbol="BTC-USD").name == "BTC-USD"


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ({"exchange": "mtgox"}, "mtgox"),
        ({"collector": "../x"}, "can't name a folder"),
        ({"symbol": "../x"}, "can't name a file"),
        ({"first_day": LAST, "last_day": FIRST}, "the first one comes first"),
    ],
)
def test_what_can_not_be_is_refused(chosen, told):
    with pytest.raises(SettingsError, match=told):
        Selection(**chosen)
