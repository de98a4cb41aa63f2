"""Event feeds (trades, liquidations): every event goes to the tick that ends its period."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from atelier_pipeline.lake.schemas import SYNC
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.synchronise.feeds import (
    FeedTicks,
    Lateness,
    clock_column,
    int64_column,
    with_grid_ts,
)
from atelier_pipeline.synchronise.gathering import HERE, LATER, Gathered, Wanted, gather
from atelier_pipeline.synchronise.grid import Grid
from atelier_pipeline.synchronise.saving import packed_table, unpacked_table
from atelier_pipeline.synchronise.settings import Clock


class GatheredFeed:
    """The events of one feed that no tick has had yet."""

    def __init__(self, dataset: Dataset, clock: Clock) -> None:
        self._schema = SYNC[dataset]
        self._time = clock_column(clock)
        self._none = self._schema.empty_table().select(self._schema.names[:-1])
        self._pending: list[pa.Table] = []

    def feed(self, table: pa.Table) -> None:
        """Takes in events, in any order of time; schema RAW."""
        if table.num_rows:
            self._pending.append(table.select(self._none.column_names))

    def saved(self) -> bytes:
        """Its state."""
        return packed_table(self._joined())

    def restore(self, saved: bytes) -> None:
        """Go on from a state."""
        self._pending = []
        self.feed(unpacked_table(saved, self._none.schema))

    def take(self, grid: Grid, lateness: Lateness) -> FeedTicks:
        """Gives the ticks their events and forgets these and all earlier ones.

        The rows of a tick are ordered by ts_event, ts_recv and arrival.
        """
        pending = self._joined()
        event, recv = _fixed(pending, "ts_event"), _fixed(pending, "ts_recv")
        found = gather(
            Wanted(grid.start_ns, grid.count, grid.period_ns, lateness.delay_ns, lateness.included),
            event if self._time == "ts_event" else recv,
            event,
            recv,
        )
        self._pending = []
        self.feed(pending.take(np.flatnonzero(found.place == LATER)))
        return FeedTicks(
            table=with_grid_ts(*_in_order(pending, found, event, recv), self._schema),
            moved=found.moved,
            late=found.late,
            known_at=found.known_at,
        )

    def _joined(self) -> pa.Table:
        """Without tables that have no rows: they would keep columns from being one piece."""
        return pa.concat_tables(self._pending) if self._pending else self._none


def _in_order(
    pending: pa.Table, found: Gathered, event: NDArray[np.int64], recv: NDArray[np.int64]
) -> tuple[pa.Table, NDArray[np.int64]]:
    """The events of the ticks and the tick of each; the same table where these are all of it."""
    if found.in_order and len(found.stamps) == pending.num_rows:
        return pending, found.stamps
    chosen = np.flatnonzero(found.place == HERE)
    order = np.lexsort((recv[chosen], event[chosen], found.stamps))
    return pending.take(chosen[order]), found.stamps[order]


def _fixed(table: pa.Table, name: str) -> NDArray[np.int64]:
    """A column, read-only as Arrow's own memory is: the pass is compiled for that alone."""
    column = int64_column(table, name)
    column.flags.writeable = False
    return column
