"""The grid: uniform ticks, aligned to the Unix epoch, each the end of a half-open period.

The tick kP stands for the period [(k-1)P, kP): an event at kP itself belongs to the next tick.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from atelier_pipeline.errors import SettingsError
from atelier_pipeline.market.window import Window

_Time = TypeVar("_Time", int, NDArray[np.int64])


@dataclass(frozen=True, slots=True)
class Grid:
    """`count` consecutive ticks of `period_ns`, the first one stamped `first_ns`."""

    first_ns: int
    count: int
    period_ns: int

    @classmethod
    def of_window(cls, window: Window, period_ns: int) -> "Grid":
        """The ticks t0 + P … t1 of a window; SettingsError unless P divides t0 and the window."""
        length_ns = window.end_ns - window.start_ns
        if window.start_ns % period_ns or length_ns % period_ns:
            raise SettingsError(
                f"a period of {period_ns} ns must divide the window's start ({window.start_ns} ns "
                f"since the epoch) and its length ({length_ns} ns)"
            )
        return cls(window.start_ns + period_ns, length_ns // period_ns, period_ns)

    @property
    def start_ns(self) -> int:
        """The beginning of the first period."""
        return self.first_ns - self.period_ns

    @property
    def last_ns(self) -> int:
        """The stamp of the last tick; that of the tick before the first one where there is none."""
        return self.start_ns + self.count * self.period_ns

    def stamps(self) -> NDArray[np.int64]:
        """int64[count], UTC ns."""
        return self.first_ns + self.period_ns * np.arange(self.count, dtype=np.int64)

    def rows_of(self, times: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row whose period holds each time; below 0 or from `count` on where none does."""
        return (times - self.start_ns) // self.period_ns


def tick_after(time_ns: _Time, period_ns: int) -> _Time:
    """The stamp of the period that holds a time, or each of int64[times]."""
    return (time_ns // period_ns + 1) * period_ns
