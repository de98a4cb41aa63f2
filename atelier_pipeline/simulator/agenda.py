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


_SLICE_NS = 100_000_000
_LONGEST_LAG_NS = 1_000_000_000


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

    def run_until(self, now: int) -> None:
        """Run every action that is due by `now`; a `now` in the past changes nothing."""
        self._run(now, self.now)

    def catch_up(self, now: int) -> None:
        """Run what is due by `now`, but no more than a slice of it at once.

        What is overdue by more than the longest lag is left out: a machine that was asleep, or
        that is too slow for the rate asked of it, does not replay what it missed. Actions left out
        run late instead, once.
        """
        until = max(min(now, self.now + _SLICE_NS), now - _LONGEST_LAG_NS)
        self._run(until, until - _SLICE_NS)

    def _run(self, until: int, earliest: int) -> None:
        due = self._due
        while due and due[0][0] <= until:
            time_ns, _, action = heappop(due)
            self.now = max(self.now, time_ns, earliest)
            action(self.now)
        self.now = max(self.now, until)


def next_boundary(time_ns: int, period_ns: int) -> int:
    """The first multiple of `period_ns` after `time_ns`."""
    return time_ns - time_ns % period_ns + period_ns
