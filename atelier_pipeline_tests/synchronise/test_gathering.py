"""Events and the ticks that they are given, written out."""

import numpy as np

from atelier_pipeline.synchronise.feeds import NEVER
from atelier_pipeline.synchronise.gathering import GONE, HERE, LATER, Wanted, gather


def gathered(events, *, include_late):
    """Three ticks of 10 ns that begin at 100 and wait 5; events are (ts_event, ts_recv)."""
    event, recv = np.array(events, np.int64).reshape(-1, 2).T.copy()
    found = gather(Wanted(100, 3, 10, 5, include_late), event, event, recv)
    return {name: np.asarray(value).tolist() for name, value in found._asdict().items()}


def test_each_event_is_at_the_tick_that_ends_its_period_or_before_or_after_all_of_them():
    events = [(99, 100), (100, 101), (109, 115), (110, 112), (129, 140), (130, 131), (500, 501)]
    assert gathered(events, include_late=True) == {
        "place": [GONE, HERE, HERE, HERE, HERE, LATER, LATER],
        "stamps": [110, 110, 120, 130],
        "moved": [2, 1, 1],
        "late": [0, 0, 1],
        "known_at": [115, 112, 140],
        "in_order": True,
    }


def test_what_is_late_for_its_tick_is_left_out_unless_late_events_are_included():
    events = [(100, 116), (101, 102), (131, 200)]
    assert gathered(events, include_late=False) == {
        "place": [GONE, HERE, LATER],
        "stamps": [110],
        "moved": [1, 0, 0],
        "late": [0, 0, 0],
        "known_at": [102, NEVER, NEVER],
        "in_order": True,
    }


def test_order_is_by_tick_then_event_then_receipt_of_those_that_have_a_tick():
    def in_order(*events):
        return gathered(events, include_late=True)["in_order"]

    assert in_order()
    assert in_order((100, 103), (100, 103), (101, 102), (112, 113))
    assert in_order((140, 141), (100, 101), (90, 91), (101, 102))
    assert not in_order((112, 113), (101, 120))
    assert not in_order((102, 103), (101, 120))
    assert not in_order((101, 103), (101, 102))
