"""From aggregates to samples: which ticks belong together, and what was known when.

A sample's features are those of `lookback` consecutive ticks. They can be used from `usable_at`:
the largest `known_at` among them, and the latency. The entry is the first tick from then on, the
target lies `horizon` ticks after it. All of these ticks follow one another without a hole.
"""

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from atelier_pipeline.datasets.recipe import GIVEN_AFTERWARDS, Recipe
from atelier_pipeline.datasets.samples import Samples
from atelier_pipeline.datasets.stretches import Stretches, trailing_max

_MARKET = ("exchange", "symbol")
_TIMES = ("ts_ns", "known_at")
_TARGET = "_target"


def make_samples(
    aggregates: pa.Table | pl.DataFrame, recipe: Recipe, *, period_ns: int | None = None
) -> Samples:
    """The samples of the ticks of one or more markets, given in any order.

    `aggregates` has exchange, symbol, ts_ns, known_at, gap and the columns of the recipe. Columns
    of one's own are welcome as long as they look back only. A value that is not finite counts as
    missing. The period is the shortest step between two ticks unless it is given. ValueError for a
    column that is missing or holds no numbers, a tick that is there twice, and several grids.
    """
    ticks = _ticks(aggregates, recipe)
    market = ticks.select(pl.struct(_MARKET).rle_id()).to_series().to_numpy()
    stretches = Stretches.of(market, ticks["ts_ns"].to_numpy(), period_ns)
    plan = _Plan(ticks, recipe, stretches)
    table = pl.concat([ticks.select(*_MARKET, "ts_ns"), plan.columns()], how="horizontal")
    samples = Samples(
        recipe=recipe,
        period_ns=stretches.period_ns,
        ticks=ticks.select(*_MARKET, *_TIMES, *recipe.features),
        table=table.with_row_index("row").cast({"row": pl.Int64}),
        dropped={
            "incomplete": int((~plan.is_complete).sum()),
            "null": int((plan.is_complete & ~plan.is_known).sum()),
        },
    )
    return samples.where(plan.is_complete & plan.is_known)


class _Plan:
    """For each tick, as if it were the newest one of a sample, the ticks that the sample needs."""

    def __init__(self, ticks: pl.DataFrame, recipe: Recipe, stretches: Stretches) -> None:
        self._recipe = recipe
        self._stamps = ticks["ts_ns"].to_numpy()
        self._known_at = ticks["known_at"].to_numpy()
        self._gap = ticks[GIVEN_AFTERWARDS].to_numpy()
        self._values = ticks[_TARGET].to_numpy()
        newest, last = np.arange(ticks.height), max(ticks.height - 1, 0)
        self._usable_at = self._when_usable(newest, stretches)
        wait = -((self._stamps - self._usable_at) // stretches.period_ns)
        entry = newest + np.maximum(wait, 0)
        target = entry + recipe.horizon
        has_lookback = newest - recipe.lookback + 1 >= stretches.first
        self.is_complete: NDArray[np.bool_] = has_lookback & (target <= stretches.last)
        self._entry, self._target = np.minimum(entry, last), np.minimum(target, last)
        self._foretold = self._target_values()
        has_null = trailing_max(_any_null(ticks, recipe), recipe.lookback)
        self.is_known: NDArray[np.bool_] = ~has_null & np.isfinite(self._foretold)

    def columns(self) -> pl.DataFrame:
        """Times, gap and target, one row for each tick; sense have those of complete samples."""
        to_the_target = self._recipe.horizon + 1
        gap_behind = trailing_max(self._gap, self._recipe.lookback)
        gap_ahead = trailing_max(self._gap, to_the_target)[self._target]
        return pl.DataFrame(
            {
                "usable_at": self._usable_at,
                "entry_ts_ns": self._stamps[self._entry],
                "target_ts_ns": self._stamps[self._target],
                "target_known_at": trailing_max(self._known_at, to_the_target)[self._target],
                "gap": gap_behind | gap_ahead,
                "target": self._foretold,
            }
        )

    def _when_usable(self, newest: NDArray[np.int64], stretches: Stretches) -> NDArray[np.int64]:
        """int64[ticks]: also the tick before the lookback counts, since `oi_change` rests on it."""
        lookback = self._recipe.lookback
        has_one_more = newest - lookback >= stretches.first
        known_at = np.where(
            has_one_more,
            trailing_max(self._known_at, lookback + 1),
            trailing_max(self._known_at, lookback),
        )
        return known_at + self._recipe.latency_ns

    def _target_values(self) -> NDArray[np.float64]:
        """float64[ticks], NaN where there is none."""
        start, end = self._values[self._entry], self._values[self._target]
        if self._recipe.kind == "value":
            return end
        with np.errstate(all="ignore"):
            if self._recipe.kind == "change":
                return end - start
            is_price = (start > 0) & (end > 0)
            ratio = np.divide(end, start, out=np.full(len(end), np.nan), where=is_price)
            return np.log(ratio) if self._recipe.kind == "log_return" else ratio - 1


def _ticks(aggregates: pa.Table | pl.DataFrame, recipe: Recipe) -> pl.DataFrame:
    """Ordered by market and tick: times int64, features and target float64 or null."""
    frame = aggregates if isinstance(aggregates, pl.DataFrame) else pl.DataFrame(aggregates)
    _check_columns(frame, recipe)
    filled = pl.all() if recipe.nulls != "zero" else pl.all().fill_null(0.0)
    return pl.concat(
        [
            frame.select(*_MARKET, *(pl.col(name).cast(pl.Int64) for name in _TIMES)),
            frame.select(GIVEN_AFTERWARDS),
            frame.select(_number(name) for name in recipe.features).select(filled),
            frame.select(_number(recipe.target).alias(_TARGET)),
        ],
        how="horizontal",
    ).sort(*_MARKET, "ts_ns")


def _number(name: str) -> pl.Expr:
    value = pl.col(name).cast(pl.Float64)
    return pl.when(value.is_finite()).then(value).alias(name)


def _any_null(ticks: pl.DataFrame, recipe: Recipe) -> NDArray[np.bool_]:
    """bool[ticks]: a feature is missing, where that matters."""
    if recipe.nulls == "keep":
        return np.zeros(ticks.height, np.bool_)
    missing = pl.any_horizontal(pl.col(name).is_null() for name in recipe.features)
    return ticks.select(missing).to_series().to_numpy()


def _check_columns(frame: pl.DataFrame, recipe: Recipe) -> None:
    numbers = [*recipe.features, recipe.target]
    missing = {*_MARKET, *_TIMES, GIVEN_AFTERWARDS, *numbers} - set(frame.columns)
    if missing:
        raise ValueError(f"the aggregates have no columns {sorted(missing)}")
    broken = [n for n in (*_MARKET, *_TIMES, GIVEN_AFTERWARDS) if frame[n].has_nulls()]
    if broken:
        raise ValueError(f"the columns {broken} must not hold nulls")
    kinds = {name: frame.schema[name] for name in numbers}
    strange = [name for name, kind in kinds.items() if not kind.is_numeric() and kind != pl.Boolean]
    if strange:
        raise ValueError(f"the columns {strange} hold no numbers")
