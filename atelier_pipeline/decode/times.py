"""Which time an event has: the exchange's own, unless that is absent or can't be true.

A recording without receive times has one clock, the exchange's: there an event is taken as received
when it happened, and a frame without events as received at the newest event time so far.
"""

from collections.abc import Sequence

import numpy as np

from atelier_pipeline.decode.columns import Arrivals, Flags, Ints

OLDEST_LIVE_NS = 86_400_000_000_000
"""A live event older than this when it is received has an absurd time: one day."""

NEWEST_NS = 60_000_000_000
"""An event further than this ahead of its receipt has an absurd time: one minute."""


def frame_times(recvs: Ints, events: Sequence[tuple[Ints, Ints]], newest: int) -> tuple[Ints, int]:
    """Receive times of frames, filled in where they are 0, and the newest event time after them.

    Args:
        recvs: int64[n], receive times, UTC ns.
        events: of every feed, the frame (0 to n - 1) and the exchange's time of its events.
        newest: the newest event time before these frames; 0 = none.
    """
    if np.all(recvs > 0):
        return recvs, newest
    own = np.full(len(recvs), newest, np.int64)
    for frames, times in events:
        np.maximum.at(own, frames, times)
    running = np.maximum.accumulate(own)
    return np.where(recvs > 0, recvs, running), int(running[-1])


def timed(
    frame: Ints, link: Ints, ts_event: Ints, past: Flags, *, recv: Ints, frame_time: Ints
) -> Arrivals:
    """Arrivals with usable times.

    Args:
        frame: ordinals of the events' frames.
        link: the link of each event.
        ts_event: the exchange's times, UTC ns; 0 = absent.
        past: snapshots and history, which may be old.
        recv: receive time of each event's frame, 0 = not known.
        frame_time: the same, filled in.
    """
    absent = ts_event <= 0
    has_recv = recv > 0
    too_new = ts_event > recv + NEWEST_NS
    too_old = ~past & (ts_event < recv - OLDEST_LIVE_NS)
    bad = absent | (has_recv & (too_new | too_old))
    usable = np.where(bad, frame_time, ts_event)
    return Arrivals(
        frame=frame,
        link=link,
        ts_event=usable,
        ts_recv=np.where(has_recv, recv, usable),
        bad_time=bad,
        live=has_recv & ~bad & ~past,
    )
