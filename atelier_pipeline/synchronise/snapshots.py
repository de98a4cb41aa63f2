"""The grid index: one row per tick, what was known then and how far it can be trusted."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from atelier_pipeline.lake.schemas import SNAPSHOTS
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.synchronise.books import BookTicks
from atelier_pipeline.synchronise.feeds import FeedTicks, timestamps
from atelier_pipeline.synchronise.grid import Grid
from atelier_pipeline.synchronise.level_rows import constant_column
from atelier_pipeline.synchronise.losses import Losses
from atelier_pipeline.synchronise.settings import ClockMode


def snapshot_rows(
    grid: Grid,
    feeds: Mapping[Dataset, FeedTicks],
    losses: Losses,
    mode: ClockMode,
    market: tuple[str, str],
) -> pa.Table:
    """The table of schema SNAPSHOTS for the ticks of the captured feeds of (exchange, symbol)."""
    stamps, none = grid.stamps(), np.zeros(grid.count, np.int64)
    known_at = np.max([stamps, *(feed.known_at for feed in feeds.values())], axis=0)
    moved = np.sum([none, *(feed.moved for feed in feeds.values())], axis=0)
    late = np.sum([none, *(feed.late for feed in feeds.values())], axis=0)
    columns = {
        "grid_ts": timestamps(stamps),
        "symbol": constant_column(market[1], grid.count),
        "exchange": constant_column(market[0], grid.count),
        "n_trades": _events(Dataset.TRADES, grid, feeds, losses),
        "n_liquidations": _events(Dataset.LIQUIDATIONS, grid, feeds, losses),
        "n_late": _unsigned(late),
        **_book(grid, feeds),
        "driven": pa.array(_driven(grid, feeds, mode)),
        "filled": pa.array(moved == 0),
        "gap": pa.array(losses.label(grid)),
        "known_at": timestamps(known_at),
    }
    return pa.table([columns[name] for name in SNAPSHOTS.names], schema=SNAPSHOTS)


def _events(
    dataset: Dataset, grid: Grid, feeds: Mapping[Dataset, FeedTicks], losses: Losses
) -> "pa.Array[Any]":
    """How many events were seen; null where nobody listened, at any time of the period."""
    if dataset not in feeds:
        return pa.nulls(grid.count, pa.uint64())
    moved = feeds[dataset].moved
    return _unsigned(moved, losses.unheard(dataset, grid) & (moved == 0))


def _book(grid: Grid, feeds: Mapping[Dataset, FeedTicks]) -> dict[str, "pa.Array[Any]"]:
    book = feeds.get(Dataset.ORDERBOOKS)
    if not isinstance(book, BookTicks):
        nothing = pa.nulls(grid.count, pa.uint64())
        return {
            "bid_levels": nothing,
            "ask_levels": nothing,
            "book_valid": pa.array(np.zeros(grid.count, np.bool_)),
            "book_age_ns": pa.nulls(grid.count, pa.int64()),
        }
    bids, asks = book.counts
    return {
        "bid_levels": _unsigned(bids, ~book.is_valid),
        "ask_levels": _unsigned(asks, ~book.is_valid),
        "book_valid": pa.array(book.is_valid),
        "book_age_ns": pa.array(book.age_ns, mask=~book.is_valid),
    }


def _driven(grid: Grid, feeds: Mapping[Dataset, FeedTicks], mode: ClockMode) -> NDArray[np.bool_]:
    """Whether the driving feed moved in the period; time moves in each."""
    if mode.driver is None:
        return np.ones(grid.count, np.bool_)
    if mode.driver not in feeds:
        return np.zeros(grid.count, np.bool_)
    return feeds[mode.driver].moved > 0


def _unsigned(
    values: NDArray[np.int64], is_null: NDArray[np.bool_] | None = None
) -> "pa.Array[Any]":
    return pa.array(np.maximum(values, 0).astype(np.uint64), mask=is_null)
