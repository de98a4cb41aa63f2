"""Scaling of columns by what one part of the data says: fit on the training part, use on all."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from atelier_pipeline.datasets.samples import Samples

_Part = TypeVar("_Part", Samples, pl.DataFrame)


class Scaling(msgspec.Struct, frozen=True):
    """value → (value - offset) / scale, by column; can be kept beside a model with msgspec."""

    offset: dict[str, float]
    scale: dict[str, float]

    def apply(self, part: _Part) -> _Part:
        """The samples, or the table, with these columns scaled; null stays null."""
        columns = [(pl.col(n) - self.offset[n]) / self.scale[n] for n in self.offset]
        return _with_columns(part, columns)

    def undo(self, part: _Part) -> _Part:
        """The samples, or the table, with these columns in their own units again."""
        columns = [pl.col(n) * self.scale[n] + self.offset[n] for n in self.offset]
        return _with_columns(part, columns)


def standard_scaling(
    train: Samples | pl.DataFrame, columns: Sequence[str] | None = None
) -> Scaling:
    """To mean 0 and standard deviation 1 (of the population) over `train`.

    `columns` are the features of samples unless said; nulls don't count; a constant column becomes
    0. ValueError where a column has no value to go by.
    """
    values = _values(train, columns)
    return Scaling(
        {name: float(known.mean()) for name, known in values.items()},
        {name: _width(known, float(known.std())) for name, known in values.items()},
    )


def min_max_scaling(train: Samples | pl.DataFrame, columns: Sequence[str] | None = None) -> Scaling:
    """To 0 for the smallest and 1 for the largest value of `train`; else as `standard_scaling`."""
    values = _values(train, columns)
    return Scaling(
        {name: float(known.min()) for name, known in values.items()},
        {name: _width(known, float(np.ptp(known))) for name, known in values.items()},
    )


def _width(known: NDArray[np.float64], width: float) -> float:
    """1 for a constant, whose deviation may be noise, and for a width too small to divide by."""
    is_usable = np.ptp(known) > 0 and width > 0 and math.isfinite(1 / width)
    return width if is_usable else 1.0


def _values(
    train: Samples | pl.DataFrame, columns: Sequence[str] | None
) -> dict[str, NDArray[np.float64]]:
    """What is known of each column, one value for each tick."""
    if isinstance(train, Samples):
        train, columns = train.ticks, columns or train.recipe.features
    if columns is None:
        raise ValueError("say which columns of the table to scale")
    values = {n: train[n].cast(pl.Float64).drop_nulls().drop_nans().to_numpy() for n in columns}
    empty = [name for name, known in values.items() if not len(known)]
    if empty:
        raise ValueError(f"the training part has no value of {empty}")
    return values


def _with_columns(part: _Part, columns: list[pl.Expr]) -> _Part:
    if isinstance(part, Samples):
        return replace(part, ticks=part.ticks.with_columns(columns))
    return part.with_columns(columns)
