"""Sampled levels as rows: sides and levels, which share memory where they repeat."""

import numpy as np
import pytest

from atelier_pipeline.lake.schemas import SYNC
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.synchronise.level_rows import LastMessages, level_rows
from atelier_pipeline.synchronise.sampling import NOT_KNOWN, Levels

MANY = 50_000


def table_of(counts):
    """Levels of ticks that have these counts of bids and asks."""
    counts = np.array(counts, np.int64).T
    kept = np.maximum(counts, 0)
    sides = np.repeat(np.tile([True, False], counts.shape[1]), kept.T.ravel())
    rows, ticks = len(sides), counts.shape[1]
    levels = Levels(price=np.arange(rows + 2.0), size=np.ones(rows + 2), counts=counts)
    last = LastMessages(*(np.arange(ticks) + start for start in (100, 50, 60)))
    return level_rows(levels, last, "kraken", "BTC/USD"), sides, np.repeat(last.stamps, kept.sum(0))


def counts_of(counts):
    """Bids and asks of each tick in turn, none where the book is not known."""
    return [max(count, 0) for tick in counts for count in tick]


@pytest.mark.parametrize(
    "counts",
    [
        [(1, 2)] * MANY,
        [(2, 0)] * MANY,
        [(1, 2), *[(NOT_KNOWN, NOT_KNOWN)] * 3, *[(1, 2)] * MANY],
        [*[(2, 1)] * MANY, (1, 2)],
        [(0, 0), (0, 0)],
        [(NOT_KNOWN, NOT_KNOWN)],
    ],
    ids=["the same", "one side", "unknown between", "one differs", "empty", "unknown"],
)
def test_every_row_has_its_own_side_and_tick(counts):
    table, is_bid, stamps = table_of(counts)
    assert table.schema.equals(SYNC[Dataset.ORDERBOOKS])
    assert (table["side"].to_numpy() == np.where(is_bid, "bid", "ask")).all()
    places = [np.arange(count) for count in counts_of(counts)]
    assert (table["level"].to_numpy() == np.concatenate(places)).all()
    assert (table["orderbook_ts"].to_numpy() == stamps).all()
    assert table["symbol"].unique().to_pylist() == ["BTC/USD"][: len(is_bid)]
    assert table["exchange"].unique().to_pylist() == ["kraken"][: len(is_bid)]
