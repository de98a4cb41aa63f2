"""What a case took: wall and processor time of a block, and the peak memory of its process.

Knows the standard library alone, since peers measure themselves with it in an environment that
has nothing of ours.
"""

import os
import resource
import time
from types import TracebackType
from typing import Self

KIB_PER_MIB = 1024


class Stopwatch:
    """Times what happens inside `with`; children that were waited for count as processor time."""

    def __init__(self) -> None:
        self.secs = 0.0
        self.cpu_secs = 0.0

    def __enter__(self) -> Self:
        self._cpu_before = _cpu_secs()
        self._before = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.secs += time.perf_counter() - self._before
        self.cpu_secs += _cpu_secs() - self._cpu_before

    def sample(self, amount: float, **facts: float) -> dict[str, float]:
        """The block's figures for `amount` units of work, and whatever else was found."""
        return {
            "amount": amount,
            "secs": self.secs,
            "cpu_secs": self.cpu_secs,
            "peak_mib": peak_mib(),
            **facts,
        }


def peak_mib() -> float:
    """The most memory that this process has held at once."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_PER_MIB


def one_core() -> None:
    """Let this process, and every thread that it will start, run on one processor alone."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def _cpu_secs() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
