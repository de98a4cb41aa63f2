"""State feeds (funding rates, open interest): a tick has the last value strictly before it.

"Last" is by the clock's time, then the other time, then arrival.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from atelier_pipeline.lake.schemas import RAW, SYNC
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.synchronise.feeds import (
    NEVER,
    FeedTicks,
    Lateness,
    clock_column,
    count_by_tick,
    int64_column,
    with_grid_ts,
)
from atelier_pipeline.synchronise.grid import Grid, tick_after
from atelier_pipeline.synchronise.saving import packed_table, unpacked_table
from atelier_pipeline.synchronise.settings import Clock


@dataclass(frozen=True, slots=True)
class CarriedTicks(FeedTicks):
    """The ticks of a state feed.

    Attributes:
        before: the state at the tick before the first one: a table of one raw row, or of none.
    """

    before: pa.Table


@dataclass(frozen=True, slots=True)
class _States:
    """Rows of a state feed, the last one last."""

    table: pa.Table
    time: NDArray[np.int64]
    recv: NDArray[np.int64]
    is_event: NDArray[np.bool_]


class CarriedFeed:
    """The last known state of one feed, and the changes that no tick has had yet."""

    def __init__(self, dataset: Dataset, clock: Clock) -> None:
        self._raw = RAW[dataset]
        self._schema = SYNC[dataset]
        self._clock: Clock = clock
        self._pending = [self._raw.empty_table()]

    def feed(self, table: pa.Table) -> None:
        """Takes in changes, in any order of time; schema RAW. An `opening` row is no event."""
        self._pending.append(table)

    def saved(self) -> bytes:
        """Its state."""
        return packed_table(pa.concat_tables(self._pending))

    def restore(self, saved: bytes) -> None:
        """Go on from a state."""
        self._pending = [unpacked_table(saved, self._raw)]

    def take(self, grid: Grid, lateness: Lateness) -> CarriedTicks:
        """Gives the ticks their states and forgets what a later change has replaced."""
        states = self._ordered(pa.concat_tables(self._pending))
        last = _last_states(states, grid, lateness)
        at_tick = last[1:]
        known = at_tick >= 0
        self._pending = [states.table.slice(max(last[-1], 0))]
        moved, late = _moves(states, grid, lateness)
        carried_recv, carried_late = _carried(states, grid, lateness, at_tick)
        return CarriedTicks(
            table=with_grid_ts(
                states.table.take(at_tick[known]), grid.stamps()[known], self._schema
            ),
            moved=moved,
            late=late + carried_late,
            known_at=carried_recv,
            before=states.table.slice(max(last[0], 0), int(last[0] >= 0)),
        )

    def _ordered(self, table: pa.Table) -> _States:
        event, recv = int64_column(table, "ts_event"), int64_column(table, "ts_recv")
        order = np.lexsort((recv, event) if self._clock == "event" else (event, recv))
        return _States(
            table=table.take(order),
            time=int64_column(table, clock_column(self._clock))[order],
            recv=recv[order],
            is_event=~table["opening"].to_numpy()[order],
        )


def _last_states(states: _States, grid: Grid, lateness: Lateness) -> NDArray[np.int64]:
    """int64[count + 1]: the state at the tick before the grid and at each of its ticks, or -1.

    A live tick does not know a state that came after its deadline; later ticks do.
    """
    first = grid.rows_of(states.time) + 1
    if not lateness.included:
        in_time = -((grid.start_ns + lateness.delay_ns - states.recv) // grid.period_ns)
        first = np.maximum(first, in_time)
    last = np.full(grid.count + 1, -1)
    seen = np.flatnonzero(first <= grid.count)
    np.maximum.at(last, np.maximum(first[seen], 0), seen)
    return np.maximum.accumulate(last)


def _moves(
    states: _States, grid: Grid, lateness: Lateness
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Events of each period, and those of them that were late."""
    rows = grid.rows_of(states.time)
    late = states.recv > lateness.deadlines(tick_after(states.time, grid.period_ns))
    here = states.is_event & (rows >= 0) & (rows < grid.count) & (lateness.included | ~late)
    return count_by_tick(grid, rows[here]), count_by_tick(grid, rows[here & late])


def _carried(
    states: _States, grid: Grid, lateness: Lateness, at_tick: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The ts_recv of each tick's state, and 1 where it is late and from an earlier period."""
    known = np.flatnonzero(at_tick >= 0)
    state = at_tick[known]
    recv, late = np.full(grid.count, NEVER), np.zeros(grid.count, np.int64)
    recv[known] = states.recv[state]
    is_late = states.recv[state] > lateness.deadlines(grid.stamps()[known])
    late[known] = is_late & (grid.rows_of(states.time[state]) < known)
    return recv, late
