"""The clock of a simulated exchange: what happens next, in order of time. It never reads a clock.

Everything that an exchange does by itself (a market move, a batch, a heartbeat) is an action that
is due at some nanosecond. Time passes only when somebody says so, so that the same seed gives the
same messages on a wall clock, on a virtual one, and in steps of any length.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import TypeAlias

Action: TypeAlias = Callable[[int], None]
"""Called with the time at which it runs, in UTC ns."""


class Agenda:
    """Actions by due time; actions due at one time run in the order in which they were added."""

    def __init__(self, start_ns: int) -> None:
        self.now = start_ns
        self._due: list[tuple[int, int, Action]] = []
        self._order = count()

    def at(self, time_ns: int, action: Action) -> None:
        """Have `action` run when time reaches `time_ns`."""
        heappush(self._due, (time_ns, next(self._order), action))

    def next_due(self) -> int | None:
        """When the next action is due, in UTC ns; None where there is none."""
        return self._due[0][0] if self._due else None

    def run_until(self, now: int, max_lag_ns: int | None = None) -> None:
        """Run every action that is due by `now`; a `now` in the past changes nothing.

        With `max_lag_ns`, what is due longer ago than that runs as if it were due that long ago:
        a machine that was asleep does not replay its sleep.
        """
        oldest = self.now if max_lag_ns is None else now - max_lag_ns
        due = self._due
        while due and due[0][0] <= now:
            time_ns, _, action = heappop(due)
            self.now = max(self.now, time_ns, oldest)
            action(self.now)
        self.now = max(self.now, now)


def next_boundary(time_ns: int, period_ns: int) -> int:
    """The first multiple of `period_ns` after `time_ns`."""
    return time_ns - time_ns % period_ns + period_ns
