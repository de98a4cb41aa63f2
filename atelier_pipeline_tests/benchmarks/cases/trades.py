"""Trades to the grid: this project's feed and sums beside the same figures from polars."""

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from atelier_pipeline.aggregate.sums import sum_events
from atelier_pipeline.decode.tables import Named, trades_table
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.synchronise.feeds import Lateness
from atelier_pipeline.synchronise.gathered import GatheredFeed
from atelier_pipeline.synchronise.grid import Grid
from atelier_pipeline_tests.benchmarks.market_day import DAY_NS, START_NS, market_day
from atelier_pipeline_tests.benchmarks.stopwatch import Stopwatch

PERIOD_NS = 100_000_000
_REPEATS = 5
"""One pass over a million trades is too short to time."""

_GRID = Grid(START_NS + PERIOD_NS, DAY_NS // PERIOD_NS, PERIOD_NS)
_LATENESS = Lateness(2_000_000_000, included=True)
_NO_CHANGES = 10_000
"""A book is needed for trades to happen at its prices, not to be measured."""


def ours(watch: Stopwatch, trades: int, seed: int) -> dict[str, float]:
    """Raw trades → sync trades in order, and per tick count, volume, notional and known_at."""
    table = raw_trades(trades, seed)
    return _timed(watch, table, our_ticks)


def polars(watch: Stopwatch, trades: int, seed: int) -> dict[str, float]:
    """The same from polars: ordered rows with their tick, and the figures by tick."""
    table = pl.from_arrow(raw_trades(trades, seed))
    return _timed(watch, table, polars_ticks)


def _timed(watch: Stopwatch, table, work) -> dict[str, float]:
    work(table)
    with watch:
        for _ in range(_REPEATS):
            work(table)
    return watch.sample(_REPEATS * len(table))


def raw_trades(trades: int, seed: int) -> pa.Table:
    """The trades of a generated day, schema RAW."""
    return trades_table(Named("bybit", "BTCUSDT"), market_day(_NO_CHANGES, trades, seed).trades)


def our_ticks(table: pa.Table) -> tuple[pa.Table, dict[str, np.ndarray]]:
    """The sync rows, and for every tick of the day its figures."""
    feed = GatheredFeed(Dataset.TRADES, "event")
    feed.feed(table)
    ticks = feed.take(_GRID, _LATENESS)
    sync = ticks.table
    sums = sum_events(
        _GRID.count,
        _GRID.rows_of(sync["ts_event"].cast(pa.int64()).to_numpy()),
        pc.equal(sync["side"], "buy").to_numpy(),
        sync["price"].to_numpy(),
        sync["amount"].to_numpy(),
    )
    figures = {"count": ticks.moved, "volume": sums.amount, "notional": sums.notional}
    return sync, {**figures, "known_at": ticks.known_at}


def polars_ticks(table: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The sync rows, and for every tick that has trades its figures."""
    time = pl.col("ts_event").cast(pl.Int64)
    sync = table.with_columns(grid_ts=(time // PERIOD_NS + 1) * PERIOD_NS).sort(
        "grid_ts", "ts_event", "ts_recv", maintain_order=True
    )
    notional = pl.col("price") * pl.col("amount")
    is_buy = pl.col("side") == "buy"
    ticks = sync.group_by("grid_ts", maintain_order=True).agg(
        count=pl.len(),
        volume=pl.col("amount").sum(),
        notional=notional.sum(),
        bought=notional.filter(is_buy).sum(),
        known_at=pl.col("ts_recv").max(),
    )
    return sync, ticks
