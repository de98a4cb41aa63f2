"""What known losses do to the ticks: which books they end, which feeds they silence, the label."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.synchronise.feeds import ALWAYS, NEVER
from atelier_pipeline.synchronise.grid import Grid

# A silence is no loss, and what came late is in the rows or counted in n_late.
_NO_LOSS = {"silence", "late"}
# A message with a replaced time is in the book all the same.
_BOOK_UNHARMED = {*_NO_LOSS, "bad_time"}
_DISCONNECTED = {"disconnect", "crash", "shutdown", "late_start", "rejected"}
# The message that shows these may itself be a snapshot, which does not heal what it showed.
_SHOWN_BY_THE_BOOK = {"checksum", "crossed"}

_Span: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class BookLosses:
    """When each loss of a book was noticed.

    Attributes:
        known_ns: int64[losses], receive clock.
        heals_at_once: bool[losses], whether a snapshot received at that very time ends the loss.
    """

    known_ns: NDArray[np.int64]
    heals_at_once: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Loss:
    dataset: str
    cause: str
    start_ns: int
    end_ns: int
    known_ns: int | None


class Losses:
    """The known losses of one symbol, from a table of schema GAPS."""

    def __init__(self, gaps: pa.Table, exchange: str, symbol: str) -> None:
        columns = ["exchange", "symbol", "dataset", "cause", "ts_start", "ts_end", "ts_known"]
        self._losses = [
            _loss(row)
            for row in _with_int_times(gaps.select(columns)).to_pylist()
            if (row["exchange"], row["symbol"]) == (exchange, symbol)
        ]

    def label(self, grid: Grid) -> NDArray[np.bool_]:
        """bool[count]: a loss overlaps the period, of whatever feed; a moment counts as 1 ns."""
        start, end = _columns(
            [(loss.start_ns, loss.end_ns) for loss in self._losses if loss.cause not in _NO_LOSS]
        )
        last = grid.rows_of(np.maximum(end, start + 1) - 1)
        return covered(grid.rows_of(start), last + 1, grid.count)

    def unheard(self, dataset: Dataset, grid: Grid) -> NDArray[np.bool_]:
        """bool[count]: the feed was not connected for any of the period."""
        start, end = _columns(
            _joined(
                (loss.start_ns, loss.end_ns)
                for loss in self._losses
                if loss.dataset == dataset and loss.cause in _DISCONNECTED
            )
        )
        first = -((grid.start_ns - start) // grid.period_ns)
        return covered(first, grid.rows_of(end), grid.count)

    def of_the_book(self) -> BookLosses:
        """The losses that end a book; those that were never noticed end none."""
        mine = [loss for loss in self._losses if loss.dataset == Dataset.ORDERBOOKS]
        ending = [
            (loss.known_ns, loss.cause not in _SHOWN_BY_THE_BOOK)
            for loss in mine
            if loss.known_ns is not None and loss.cause not in _BOOK_UNHARMED
        ]
        return BookLosses(
            known_ns=np.array([known_ns for known_ns, _ in ending], np.int64),
            heals_at_once=np.array([heals for _, heals in ending], np.bool_),
        )


def covered(first: NDArray[np.int64], after: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    """bool[count]: in one of the ranges first:after; ranges may reach beyond 0:count."""
    first = np.clip(first, 0, count)
    steps = np.zeros(count + 1, np.int64)
    np.add.at(steps, first, 1)
    np.add.at(steps, np.clip(after, first, count), -1)
    return np.cumsum(steps[:-1]) > 0


def _with_int_times(gaps: pa.Table) -> pa.Table:
    for name in ("ts_start", "ts_end", "ts_known"):
        place = gaps.schema.get_field_index(name)
        gaps = gaps.set_column(place, name, gaps[name].cast(pa.int64()))
    return gaps


def _loss(row: dict[str, Any]) -> _Loss:
    """A loss without a start has always been, one without an end lasts."""
    return _Loss(
        dataset=row["dataset"],
        cause=row["cause"],
        start_ns=NEVER if row["ts_start"] is None else row["ts_start"],
        end_ns=ALWAYS if row["ts_end"] is None else row["ts_end"],
        known_ns=row["ts_known"],
    )


def _joined(spans: Iterable[_Span]) -> list[_Span]:
    """The same times as spans that neither overlap nor touch."""
    joined: list[_Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _columns(spans: list[_Span]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    columns = np.array(spans, np.int64).reshape(-1, 2)
    return columns[:, 0], columns[:, 1]
