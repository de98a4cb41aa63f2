"""The compiled pass that gives the events of a feed their ticks: one look at each, in order."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from atelier_pipeline.synchronise.feeds import NEVER

GONE, HERE, LATER = -1, 0, 1


class Wanted(NamedTuple):
    """The ticks that are asked for, how long they wait, and for whom.

    Attributes:
        start_ns: the beginning of the first period.
        ticks: how many.
        delay_ns: how long after its tick an event may be received and not be late.
        include_late: whether late events belong to a tick all the same.
    """

    start_ns: int
    ticks: int
    period_ns: int
    delay_ns: int
    include_late: bool


class Gathered(NamedTuple):
    """Which tick has which events; moved, late and known_at as in FeedTicks.

    Attributes:
        place: int8[events]: HERE at one of the ticks, LATER at a tick after them, or GONE.
        stamps: int64[events that are here], the tick of each, in order of arrival.
        in_order: whether these stand in order of tick, ts_event and ts_recv.
    """

    place: NDArray[np.int8]
    stamps: NDArray[np.int64]
    moved: NDArray[np.int64]
    late: NDArray[np.int64]
    known_at: NDArray[np.int64]
    in_order: bool


def gather(
    wanted: Wanted,
    time: NDArray[np.int64],
    ts_event: NDArray[np.int64],
    ts_recv: NDArray[np.int64],
) -> Gathered:
    """Puts events at their ticks; `time`, one of the other two, decides."""
    place, stamps = np.empty(len(time), np.int8), np.empty(len(time), np.int64)
    moved, late = np.full((2, wanted.ticks), 0)
    known_at = np.full(wanted.ticks, NEVER)
    found = Gathered(place, stamps, moved, late, known_at, in_order=True)
    here, in_order = _fill(found, wanted, time, ts_event, ts_recv)
    return found._replace(stamps=stamps[:here], in_order=in_order)


@njit(cache=True, nogil=True)
def _fill(
    found: Gathered,
    wanted: Wanted,
    time: NDArray[np.int64],
    ts_event: NDArray[np.int64],
    ts_recv: NDArray[np.int64],
) -> tuple[int, bool]:
    """How many events are here, and whether in order.

    Arrays come from numpy: those made in compiled code take three times as long to fill, since
    numpy alone asks the system for large pages.
    """
    here, in_order, before = 0, True, (NEVER, NEVER, NEVER)
    tick, stamp = 0, wanted.start_ns + wanted.period_ns
    for row in range(len(time)):
        if not stamp - wanted.period_ns <= time[row] < stamp:
            tick = (time[row] - wanted.start_ns) // wanted.period_ns
            stamp = wanted.start_ns + (tick + 1) * wanted.period_ns
        is_late = ts_recv[row] > stamp + wanted.delay_ns
        if tick >= wanted.ticks:
            found.place[row] = LATER
        elif tick < 0 or (is_late and not wanted.include_late):
            found.place[row] = GONE
        else:
            found.place[row] = HERE
            found.moved[tick] += 1
            found.late[tick] += is_late
            found.known_at[tick] = max(found.known_at[tick], ts_recv[row])
            found.stamps[here] = stamp
            here += 1
            event = stamp, ts_event[row], ts_recv[row]
            in_order &= before <= event
            before = event
    return here, in_order
