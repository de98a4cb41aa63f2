"""Event feeds (trades, liquidations): every event goes to the tick that ends its period."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from atelier_pipeline.lake.schemas import SYNC
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


class GatheredFeed:
    """The events of one feed that no tick has had yet."""

    def __init__(self, dataset: Dataset, clock: Clock) -> None:
        self._schema = SYNC[dataset]
        self._time = clock_column(clock)
        self._columns = self._schema.names[:-1]
        self._pending = [self._schema.empty_table().select(self._columns)]

    def feed(self, table: pa.Table) -> None:
        """Takes in events, in any order of time; schema RAW."""
        self._pending.append(table.select(self._columns))

    def saved(self) -> bytes:
        """Its state."""
        return packed_table(pa.concat_tables(self._pending))

    def restore(self, saved: bytes) -> None:
        """Go on from a state."""
        self._pending = [unpacked_table(saved, self._pending[0].schema)]

    def take(self, grid: Grid, lateness: Lateness) -> FeedTicks:
        """Gives the ticks their events and forgets these and all earlier ones.

        The rows of a tick are ordered by ts_event, ts_recv and arrival.
        """
        pending = pa.concat_tables(self._pending)
        times = int64_column(pending, self._time)
        rows = grid.rows_of(times)
        recv = int64_column(pending, "ts_recv")
        late = recv > lateness.deadlines(tick_after(times, grid.period_ns))
        here = (rows >= 0) & (rows < grid.count)
        chosen = _in_order(pending, rows, recv, here & (lateness.included | ~late))
        self._pending = [_rows(pending, np.flatnonzero(rows >= grid.count))]
        return self._ticks(_rows(pending, chosen), grid, rows[chosen], recv[chosen], late[chosen])

    def _ticks(
        self,
        events: pa.Table,
        grid: Grid,
        rows: NDArray[np.int64],
        recv: NDArray[np.int64],
        late: NDArray[np.bool_],
    ) -> FeedTicks:
        known_at = np.full(grid.count, NEVER)
        np.maximum.at(known_at, rows, recv)
        return FeedTicks(
            table=with_grid_ts(events, grid.first_ns + rows * grid.period_ns, self._schema),
            moved=count_by_tick(grid, rows),
            late=count_by_tick(grid, rows[late]),
            known_at=known_at,
        )


def _in_order(
    pending: pa.Table,
    rows: NDArray[np.int64],
    recv: NDArray[np.int64],
    wanted: NDArray[np.bool_],
) -> NDArray[np.int64]:
    chosen = np.flatnonzero(wanted)
    keys = rows[chosen], int64_column(pending, "ts_event")[chosen], recv[chosen]
    return chosen if _are_in_order(*keys) else chosen[np.lexsort(keys[::-1])]


def _are_in_order(*keys: NDArray[np.int64]) -> bool:
    """Whether rows, as raw files have them, stand in order of the keys, the first one first."""
    is_tied = np.ones(max(len(keys[0]) - 1, 0), np.bool_)
    for key in keys:
        if (is_tied & (key[1:] < key[:-1])).any():
            return False
        is_tied &= key[1:] == key[:-1]
    return True


def _rows(table: pa.Table, indices: NDArray[np.int64]) -> pa.Table:
    """The rows at the given places; the table itself where these are all of it, in order."""
    if len(indices) == table.num_rows and np.array_equal(indices, np.arange(len(indices))):
        return table
    return table.take(indices)
