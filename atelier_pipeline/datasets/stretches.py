"""Runs of ticks of one market that follow one another without a hole."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_Number = TypeVar("_Number", np.int64, np.bool_)


@dataclass(frozen=True, slots=True)
class Stretches:
    """The stretch of each tick: int64[ticks] each, the rows of its first and of its last tick."""

    period_ns: int
    first: NDArray[np.int64]
    last: NDArray[np.int64]

    @classmethod
    def of(
        cls, market: NDArray[np.integer], stamps: NDArray[np.int64], period_ns: int | None
    ) -> "Stretches":
        """The stretches of ticks that are ordered by market (a number) and time (UTC ns).

        The period is the shortest step of a market unless it is given. ValueError for a tick that
        is there twice, for ticks that are not on one grid, and where no period can be told.
        """
        is_other = np.diff(market, prepend=-1) != 0
        steps = np.diff(stamps, prepend=0)
        if (steps[~is_other] == 0).any():
            raise ValueError("a tick of one market is there twice")
        period_ns = period_ns or _period(market[~is_other], steps[~is_other])
        if (stamps % period_ns).any():
            raise ValueError(f"not every tick is a multiple of the period of {period_ns} ns")
        starts = np.flatnonzero(is_other | (steps != period_ns))
        lengths = np.diff(starts, append=len(stamps))
        return cls(period_ns, np.repeat(starts, lengths), np.repeat(starts + lengths - 1, lengths))


def trailing_max(values: NDArray[_Number], width: int) -> NDArray[_Number]:
    """The largest of each value and the `width` - 1 before it, as far as there are any."""
    largest, covered = values.copy(), 1
    while covered < min(width, len(values)):
        step = min(covered, width - covered)
        largest[step:] = np.maximum(largest[step:], largest[:-step])
        covered += step
    return largest


def _period(market: NDArray[np.integer], steps: NDArray[np.int64]) -> int:
    """The shortest step, the same for all markets, given those within each market."""
    if not len(steps):
        raise ValueError("no market has two ticks: give the period")
    shortest = np.minimum.reduceat(steps, np.flatnonzero(np.diff(market, prepend=-1)))
    if len(set(shortest.tolist())) > 1:
        raise ValueError(
            f"the markets' ticks are {sorted(set(shortest.tolist()))} ns apart: "
            "make samples of each grid by itself, or give the period"
        )
    return int(shortest[0])
