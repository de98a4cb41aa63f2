"""A stretch of one market on the grid, as columns."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from atelier_pipeline.market.datasets import Dataset


@dataclass(frozen=True, slots=True)
class Synchronised:
    """Consecutive ticks of one market.

    Attributes:
        tables: the sync rows of each captured dataset, schema lake.schemas.SYNC.
        snapshots: one row per tick, schema lake.schemas.SNAPSHOTS.
        open_interest_before: the open interest at the tick before the first one, None if unknown.
    """

    tables: Mapping[Dataset, pa.Table]
    snapshots: pa.Table
    open_interest_before: float | None = None
