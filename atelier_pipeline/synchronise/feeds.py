"""What every feed is asked for at the ticks of a grid, and the reading of raw columns."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from atelier_pipeline.lake.schemas import UTC_NS
from atelier_pipeline.synchronise.grid import Grid
from atelier_pipeline.synchronise.settings import Clock

# The years 1823 and 2116: far enough, and differences from any real time still fit into int64.
NEVER = -(2**62)
ALWAYS = 2**62


@dataclass(frozen=True, slots=True)
class Lateness:
    """When an event is late for a tick, and whether late ones are included all the same.

    A window includes them, because it is read later; a live row was out before they came.
    """

    delay_ns: int
    included: bool

    def deadlines(self, stamps: NDArray[np.int64]) -> NDArray[np.int64]:
        """The last receive time at which an event is in time for each tick."""
        return stamps + self.delay_ns


@dataclass(frozen=True, slots=True)
class FeedTicks:
    """What one feed says at each of the grid's `count` ticks.

    Attributes:
        table: the rows of its sync file.
        moved: int64[count], events of the period.
        late: int64[count], events of the tick, or that its state rests on, that came late.
        known_at: int64[count], the largest ts_recv of what the tick rests on; NEVER for nothing.
    """

    table: pa.Table
    moved: NDArray[np.int64]
    late: NDArray[np.int64]
    known_at: NDArray[np.int64]


def int64_column(table: pa.Table, name: str) -> NDArray[np.int64]:
    """An integer or timestamp column without nulls as int64[rows]."""
    return table[name].cast(pa.int64()).to_numpy()


def clock_column(clock: Clock) -> Literal["ts_event", "ts_recv"]:
    """The column that decides the period of an event."""
    return "ts_event" if clock == "event" else "ts_recv"


def count_by_tick(grid: Grid, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """int64[count]: how many events each tick has, given the row of each event."""
    return np.bincount(rows, minlength=grid.count)


def with_grid_ts(table: pa.Table, stamps: NDArray[np.int64], schema: pa.Schema) -> pa.Table:
    """The table's columns that a sync file has, ended by the tick of every row."""
    columns = table.select(schema.names[:-1]).columns
    return pa.table([*columns, timestamps(stamps)], schema=schema)


def timestamps(times: NDArray[np.int64]) -> "pa.Array[Any]":
    """UTC ns timestamps over the same memory."""
    return pa.array(times).view(UTC_NS)
