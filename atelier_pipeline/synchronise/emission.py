"""When a row may come out: the rule of a worker without windows.

A row comes out once a driving event lies after its period and everything that was received within
its emission delay has been fed. Both are facts of the input, so that neither its split nor the
moments at which rows are asked for change a row.
"""

import numpy as np
from numpy.typing import NDArray

from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.synchronise.feeds import NEVER
from atelier_pipeline.synchronise.grid import Grid, tick_after
from atelier_pipeline.synchronise.saving import SavedEmission
from atelier_pipeline.synchronise.settings import SyncSettings


class LiveEmission:
    """The next tick to come out, and the times that decide when."""

    def __init__(self, settings: SyncSettings) -> None:
        self._period_ns = settings.period_ns
        self._delay_ns = settings.row_delay_ns
        self._driver = settings.mode.driver
        self._first: tuple[int, int] | None = None
        self._newest = NEVER
        self._newest_driving = NEVER
        self._next_ns: int | None = None

    def saw(self, dataset: Dataset, times: NDArray[np.int64], recv: NDArray[np.int64]) -> None:
        """Notes events; the first row is the period of the driving event that was received first.

        Where time itself drives, any event begins.
        """
        if not len(times):
            return
        self._newest = max(self._newest, int(times.max()))
        if self._driver in {dataset, None}:
            self._newest_driving = max(self._newest_driving, int(times.max()))
            at = int(np.argmin(recv))
            first = (int(recv[at]), int(times[at]))
            self._first = first if self._first is None or first[0] < self._first[0] else self._first

    def ready(self, received_ns: int) -> Grid:
        """The ticks that may come out when all that was received before `received_ns` is fed."""
        last_ns = (received_ns - self._delay_ns - 1) // self._period_ns * self._period_ns
        if self._driver is not None:
            last_ns = min(last_ns, self._newest_driving // self._period_ns * self._period_ns)
        return self._up_to(last_ns)

    def rest(self) -> Grid:
        """The ticks up to the period, complete or not, of the newest event of any feed."""
        return self._up_to(tick_after(self._newest, self._period_ns))

    def saved(self) -> SavedEmission:
        """Its state."""
        return SavedEmission(
            first=self._first,
            newest=self._newest,
            newest_driving=self._newest_driving,
            next_ns=self._next_ns,
        )

    def restore(self, saved: SavedEmission) -> None:
        """Go on from a state."""
        self._first, self._next_ns = saved.first, saved.next_ns
        self._newest, self._newest_driving = saved.newest, saved.newest_driving

    def _up_to(self, last_ns: int) -> Grid:
        if self._next_ns is None:
            if self._first is None:
                return Grid(0, 0, self._period_ns)
            self._next_ns = tick_after(self._first[1], self._period_ns)
        grid = Grid(
            self._next_ns, max((last_ns - self._next_ns) // self._period_ns + 1, 0), self._period_ns
        )
        self._next_ns += grid.count * self._period_ns
        return grid
