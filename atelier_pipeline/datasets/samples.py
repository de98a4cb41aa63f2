"""Samples: features that were known in time, each with a target that came later."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from atelier_pipeline.datasets.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples of one or more markets, ordered by market and tick; all times int64 UTC ns.

    Attributes:
        recipe: what they were made by.
        period_ns: the length of a period.
        ticks: the ticks that the features come from and no others, each once: exchange, symbol,
            ts_ns, known_at and the features (float64).
        table: one row a sample: row (its newest tick in `ticks`), exchange, symbol, ts_ns (that
            tick), usable_at (its features are known and the latency has passed), entry_ts_ns (the
            first tick from then on), target_ts_ns (the horizon after it), target_known_at (all
            ticks from the entry to the target are known), gap (a known loss touches its ticks),
            target (float64).
        dropped: ticks that gave no sample when these were made, by reason: `incomplete` (the
            lookback, the entry or the target lies beyond a hole or an end) and `null`.
    """

    recipe: Recipe
    period_ns: int
    ticks: pl.DataFrame
    table: pl.DataFrame
    dropped: Mapping[str, int]

    def __len__(self) -> int:
        return self.table.height

    @property
    def frame(self) -> pl.DataFrame:
        """`table` with the features of each sample's newest tick in the place of `row`."""
        features = self.ticks[self.table["row"]].select(self.recipe.features)
        return pl.concat([self.table.drop("row"), features], how="horizontal")

    def to_numpy(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Features float64[n, features] and targets float64[n]; NaN for null.

        With a lookback of several ticks the features are [n, lookback, features], newest last.
        """
        rows = self.newest_rows()
        if self.recipe.lookback > 1:
            rows = rows[:, None] + np.arange(1 - self.recipe.lookback, 1)
        return self.feature_matrix()[rows], self.table["target"].to_numpy(writable=True)

    def feature_matrix(self) -> NDArray[np.float64]:
        """The features of `ticks`: float64[ticks, features], NaN for null."""
        columns = [self.ticks[name].to_numpy() for name in self.recipe.features]
        return np.column_stack(columns)

    def newest_rows(self) -> NDArray[np.int64]:
        """int64[n]: the newest tick of each sample; its lookback are the rows that end there."""
        return self.table["row"].to_numpy()

    def without_gaps(self) -> "Samples":
        """The samples that no known loss touches. Live, a loss may become known only later."""
        return self.where(~self.table["gap"].to_numpy())

    def where(self, keep: NDArray[np.bool_]) -> "Samples":
        """The samples that bool[n] marks, and the ticks they need; ValueError for another n."""
        if len(keep) != len(self):
            raise ValueError(f"a mask of {len(keep)} does not fit {len(self)} samples")
        table = self.table.filter(pl.Series(keep, dtype=pl.Boolean))
        rows = table["row"].to_numpy()
        edges = np.zeros(self.ticks.height + 1, np.int64)
        np.add.at(edges, rows + 1 - self.recipe.lookback, 1)
        np.add.at(edges, rows + 1, -1)
        is_needed = np.cumsum(edges[:-1]) > 0
        moved = np.cumsum(is_needed)[rows] - 1
        return replace(
            self,
            ticks=self.ticks.filter(pl.Series(is_needed, dtype=pl.Boolean)),
            table=table.with_columns(row=pl.Series(moved, dtype=pl.Int64)),
        )
