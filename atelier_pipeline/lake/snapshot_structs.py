"""Ticks as structs: market snapshots with book, events and states, and market aggregates."""

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake.schemas import AGGREGATES, SYNC
from atelier_pipeline.lake.structs import Event, events
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.events import FundingRate, Level, Liquidation, OpenInterest, Trade
from atelier_pipeline.market.orderbook import Orderbook
from atelier_pipeline.market.snapshot import MarketAggregate, MarketSnapshot, Quality

_State = TypeVar("_State", FundingRate, OpenInterest)


def market_snapshots(index: pa.Table, tables: Mapping[Dataset, pa.Table]) -> list[MarketSnapshot]:
    """One snapshot for each row of `index`, in its order.

    `index` has the schema SNAPSHOTS, each of `tables` that of its sync file; a dataset without a
    table was not captured. All are of one market and in order of ticks. Raises LakeError where the
    rows are not those that the index counts.
    """
    return _Ticks(index, tables).snapshots()


def market_aggregates(aggregates: pa.Table) -> list[MarketAggregate]:
    """One struct for each row of a table of schema AGGREGATES, in its order."""
    names = [*AGGREGATES.names[: -len(Quality.__struct_fields__)], "quality"]
    columns = _columns(aggregates)
    values = [columns[name] for name in names[:-1]]
    rows = zip(*values, _qualities(columns), strict=True)
    return [MarketAggregate(**dict(zip(names, row, strict=True))) for row in rows]


class _Ticks:
    """The rows of every dataset, cut by the ticks of the index."""

    def __init__(self, index: pa.Table, tables: Mapping[Dataset, pa.Table]) -> None:
        self._index = _columns(index)
        self._stamps: NDArray[np.int64] = _times(index).to_numpy()
        self._tables = {d: tables.get(d, SYNC[d].empty_table()) for d in Dataset}

    def snapshots(self) -> list[MarketSnapshot]:
        books = self._books()
        trades = self._events(Dataset.TRADES, Trade, "n_trades")
        liquidations = self._events(Dataset.LIQUIDATIONS, Liquidation, "n_liquidations")
        fundings = self._states(Dataset.FUNDINGS, FundingRate)
        open_interests = self._states(Dataset.OPEN_INTERESTS, OpenInterest)
        qualities = _qualities(self._index)
        return [
            MarketSnapshot(
                ts_ns=stamp,
                symbol=self._index["symbol"][k],
                exchange=self._index["exchange"][k],
                orderbook=books[k],
                trades=trades[k],
                liquidations=liquidations[k],
                funding_rate=fundings[k],
                open_interest=open_interests[k],
                quality=qualities[k],
            )
            for k, stamp in enumerate(self._index["grid_ts"])
        ]

    def _books(self) -> list[Orderbook | None]:
        """A known book without levels has no rows: the index alone tells it from no book."""
        bids, asks = self._counts("bid_levels"), self._counts("ask_levels")
        table = self._tables[Dataset.ORDERBOOKS]
        starts = self._starts(Dataset.ORDERBOOKS, bids + asks)
        prices, sizes = table["price"].to_numpy().tolist(), table["size"].to_numpy().tolist()
        levels: list[Level] = list(zip(prices, sizes, strict=True))
        middles, ends = (starts[:-1] + bids).tolist(), starts[1:].tolist()
        return [
            Orderbook(
                symbol=self._index["symbol"][k],
                exchange=self._index["exchange"][k],
                orderbook_ts=self._index["grid_ts"][k],
                bids=levels[start : middles[k]],
                asks=levels[middles[k] : ends[k]],
            )
            if self._index["bid_levels"][k] is not None
            else None
            for k, start in enumerate(starts[:-1].tolist())
        ]

    def _events(self, dataset: Dataset, struct: type[Event], count: str) -> list[list[Event]]:
        starts = self._starts(dataset, self._counts(count)).tolist()
        rows = events(self._tables[dataset], struct)
        return [rows[starts[k] : starts[k + 1]] for k in range(len(self._stamps))]

    def _states(self, dataset: Dataset, struct: type[_State]) -> list[_State | None]:
        known = np.isin(self._stamps, _times(self._tables[dataset]).to_numpy())
        self._starts(dataset, known.astype(np.int64))
        states = iter(events(self._tables[dataset], struct))
        return [next(states) if is_known else None for is_known in known]

    def _counts(self, name: str) -> NDArray[np.int64]:
        """int64[ticks], 0 for null."""
        return np.array([count or 0 for count in self._index[name]], np.int64)

    def _starts(self, dataset: Dataset, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """int64[ticks + 1]: the first row of each tick; LakeError where the rows are not these."""
        found: NDArray[np.int64] = _times(self._tables[dataset]).to_numpy()
        wanted = np.repeat(self._stamps, counts)
        if not np.array_equal(found, wanted):
            tick = _first_difference(found, wanted)
            raise LakeError(
                f"the sync rows of {dataset.value} at the tick {tick} ns are not those that its "
                "snapshots row counts: a file is missing, or the files are of different windows or "
                "settings; synchronise the window again"
            )
        return np.concatenate([[0], np.cumsum(counts)])


def _first_difference(found: NDArray[np.int64], wanted: NDArray[np.int64]) -> int:
    shared = min(len(found), len(wanted))
    differs = np.flatnonzero(found[:shared] != wanted[:shared])
    at = int(differs[0]) if len(differs) else shared
    return int(min(times[at] for times in (found, wanted) if at < len(times)))


def _qualities(columns: Mapping[str, list[Any]]) -> list[Quality]:
    names = Quality.__struct_fields__
    rows = zip(*(columns[name] for name in names), strict=True)
    return [Quality(**dict(zip(names, row, strict=True))) for row in rows]


def _columns(table: pa.Table) -> dict[str, list[Any]]:
    """The values of a table, times in UTC ns: Python's datetime has no ns."""
    return {
        name: (
            column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
        ).to_pylist()
        for name, column in zip(table.column_names, table.columns, strict=True)
    }


def _times(table: pa.Table) -> "pa.ChunkedArray[Any]":
    return table["grid_ts"].cast(pa.int64())
