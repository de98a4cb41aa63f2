"""Which time an event has."""

import numpy as np

from atelier_pipeline.decode.columns import Arrivals
from atelier_pipeline.decode.times import NEWEST_NS, OLDEST_LIVE_NS, frame_times, timed

DAY, MINUTE = OLDEST_LIVE_NS, NEWEST_NS
NOW = 1_700_000_000_000_000_000


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def times_of(own: list[int], past: list[bool], recv: list[int]) -> Arrivals:
    at = np.arange(len(own))
    seen = ints(*(time or NOW for time in recv))
    return timed(at, at, ints(*own), np.array(past), recv=ints(*recv), frame_time=seen)


def test_a_live_time_may_be_a_day_old_or_a_minute_ahead() -> None:
    own = [NOW - DAY, NOW - DAY - 1, NOW + MINUTE, NOW + MINUTE + 1, 0, -5]
    found = times_of(own, [False] * 6, [NOW] * 6)
    assert found.bad_time.tolist() == [False, True, False, True, True, True]
    assert found.ts_event.tolist() == [NOW - DAY, NOW, NOW + MINUTE, NOW, NOW, NOW]
    assert found.live.tolist() == [True, False, True, False, False, False]


def test_the_past_may_be_as_old_as_it_likes_but_not_ahead() -> None:
    found = times_of([NOW - 9 * DAY, NOW + MINUTE + 1], [True, True], [NOW, NOW])
    assert found.bad_time.tolist() == [False, True]
    assert found.live.tolist() == [False, False]


def test_without_a_receive_time_only_an_absent_time_is_bad() -> None:
    found = times_of([NOW - 9 * DAY, NOW + DAY, 0], [False] * 3, [0, 0, 0])
    assert found.bad_time.tolist() == [False, False, True]
    assert found.ts_event.tolist() == [NOW - 9 * DAY, NOW + DAY, NOW]
    assert found.ts_recv.tolist() == found.ts_event.tolist()
    assert found.live.tolist() == [False] * 3


def test_frames_without_a_receive_time_take_the_newest_event_time_so_far() -> None:
    events = [(ints(0, 2), ints(50, 40)), (ints(3), ints(90))]
    times, newest = frame_times(ints(0, 0, 0, 0, 0), events, newest=10)
    assert (times.tolist(), newest) == ([50, 50, 50, 90, 90], 90)


def test_known_receive_times_stay() -> None:
    times, newest = frame_times(ints(7, 0, 9), [(ints(1), ints(8))], newest=5)
    assert (times.tolist(), newest) == ([7, 8, 9], 8)
    times, newest = frame_times(ints(7, 8), [(ints(1), ints(99))], newest=5)
    assert (times.tolist(), newest) == ([7, 8], 5)
