"""What workers hand to sinks: runs of events or snapshots as columns, and their topics.

Columns become objects only where somebody asks for `items`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import pyarrow as pa

from atelier_pipeline.aggregate import aggregate
from atelier_pipeline.lake.names import Mode
from atelier_pipeline.lake.snapshot_structs import market_snapshots
from atelier_pipeline.lake.structs import books, events
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.events import (
    FundingRate,
    Liquidation,
    NormalizedDelta,
    OpenInterest,
    Trade,
)
from atelier_pipeline.market.orderbook import Orderbook
from atelier_pipeline.market.snapshot import MarketSnapshot
from atelier_pipeline.synchronise import Synchronised

DATATYPES = {
    Dataset.ORDERBOOKS: "orderbook",
    Dataset.TRADES: "trade",
    Dataset.LIQUIDATIONS: "liquidation",
    Dataset.FUNDINGS: "funding_rate",
    Dataset.OPEN_INTERESTS: "open_interest",
}
_STRUCTS: dict[Dataset, Any] = {
    Dataset.TRADES: Trade,
    Dataset.LIQUIDATIONS: Liquidation,
    Dataset.FUNDINGS: FundingRate,
    Dataset.OPEN_INTERESTS: OpenInterest,
}
_UNITS = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us"), (1, "ns"))

Event: TypeAlias = NormalizedDelta | Orderbook | Trade | Liquidation | FundingRate | OpenInterest
Item: TypeAlias = Event | MarketSnapshot


def event_topic(exchange: str, dataset: Dataset, depth: int | None, symbol: str) -> str:
    """The topic of a feed; `depth` is that of the subscribed book, None for the whole book."""
    is_book = dataset is Dataset.ORDERBOOKS and depth is not None
    return f"{exchange}.{DATATYPES[dataset]}.{depth if is_book else 'all'}.{symbol}"


def snapshot_topic(exchange: str, period_ns: int, symbol: str) -> str:
    """The topic of a market on the grid, as `bybit.snapshot.100ms.BTCUSDT`."""
    size, unit = next((size, unit) for size, unit in _UNITS if period_ns % size == 0)
    return f"{exchange}.snapshot.{period_ns // size}{unit}.{symbol}"


@dataclass(frozen=True)
class EventBatch:
    """Consecutive events of one feed, in order of arrival.

    Attributes:
        table: the rows, schema lake.schemas.RAW; of a book one for each level.
        count: how many events, of a book messages.
    """

    topic: str
    exchange: str
    symbol: str
    dataset: Dataset
    table: pa.Table
    count: int

    @cached_property
    def items(self) -> Sequence[Item]:
        """The events as structs, `count` of them."""
        if self.dataset is Dataset.ORDERBOOKS:
            return books(self.table, Mode.RAW)
        return events(self.table, _STRUCTS[self.dataset])

    @property
    def nbytes(self) -> int:
        """Bytes of the columns."""
        return self.table.nbytes


@dataclass(frozen=True)
class SnapshotBatch:
    """Consecutive ticks of one market; `rows` holds the index and the rows of each dataset."""

    topic: str
    exchange: str
    symbol: str
    rows: Synchronised

    @property
    def count(self) -> int:
        """How many ticks."""
        return self.rows.snapshots.num_rows

    @cached_property
    def items(self) -> Sequence[Item]:
        """The ticks as MarketSnapshot, `count` of them."""
        return market_snapshots(self.rows.snapshots, self.rows.tables)

    @cached_property
    def aggregates(self) -> pa.Table:
        """The 15 features of every tick, schema AGGREGATES."""
        return aggregate(self.rows)

    @property
    def nbytes(self) -> int:
        """Bytes of the columns."""
        return self.rows.snapshots.nbytes + sum(t.nbytes for t in self.rows.tables.values())


@dataclass(frozen=True)
class GapBatch:
    """What is known to be missing of one market when its worker ends: a table of schema GAPS."""

    exchange: str
    symbol: str
    start_ns: int
    table: pa.Table


Batch: TypeAlias = EventBatch | SnapshotBatch
