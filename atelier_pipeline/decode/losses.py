"""The ledger's rows: what is known to be missing of a feed, in terms of one window."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from atelier_pipeline.lake.schemas import GAPS
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.window import Window

CONNECTION = "connection"
SYMBOL = "symbol"
ENDS_OF_LINKS = ("disconnect", "crash", "shutdown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """One loss of one feed, or with `lost` = 0 a note on it.

    Attributes:
        cause: as in the `gaps` table.
        scope: `symbol`, or `connection` where everything on the connection is touched.
        frame: ordinal of the frame behind which the loss shows.
        start, end: last good moment before and first good one after, UTC ns; `end` None = none yet.
        known: when it was noticed, receive clock, UTC ns.
        before, after: numbers on both sides of a hole.
        lost: how many messages, events or frames; None = not known.
    """

    dataset: Dataset
    cause: str
    scope: str = SYMBOL
    frame: int
    start: int
    end: int | None
    known: int
    before: int | None = None
    after: int | None = None
    lost: int | None = None
    detail: str | None = None

    @property
    def is_note(self) -> bool:
        """Whether nothing was lost."""
        return self.lost == 0

    def within(self, window: Window) -> tuple[int, int] | None:
        """Start and end cut to the window; None where it does not touch the window."""
        end = window.end_ns if self.end is None else max(self.end, self.start)
        begins_inside = self.start in window
        reaches_in = self.start < window.start_ns < end
        if not begins_inside and not reaches_in:
            return None
        return max(self.start, window.start_ns), min(end, window.end_ns)


@dataclass(frozen=True, slots=True)
class Place:
    """Whose losses a table holds."""

    exchange: str
    symbol: str
    capture_id: str
    window: Window


def gaps_table(losses: Iterable[Loss], place: Place) -> pa.Table:
    """Rows of schema GAPS for the losses that touch the window, in order of time."""
    rows = {_row(loss, span, place) for loss in losses if (span := loss.within(place.window))}
    ordered = sorted(rows, key=_order)
    columns: Sequence[Sequence[object]] = list(zip(*ordered, strict=True)) or [()] * len(GAPS)
    return table_of(columns, GAPS)


def table_of(columns: Iterable[Sequence[object]], schema: pa.Schema) -> pa.Table:
    """A table of Python's own values, column by column; times are UTC ns."""
    arrays = [
        pa.array(values, pa.int64()).view(field.type)
        if pa.types.is_timestamp(field.type)
        else pa.array(values, field.type)
        for values, field in zip(columns, schema, strict=True)
    ]
    return pa.table(arrays, schema=schema)


_Row = tuple[
    str,
    str,
    str,
    str,
    str,
    str,
    int,
    int,
    int | None,
    int | None,
    int | None,
    str | None,
    str,
    int | None,
]


def _row(loss: Loss, span: tuple[int, int], place: Place) -> _Row:
    start, end = span
    return (
        _gap_id(loss, place),
        place.exchange,
        place.symbol,
        loss.dataset.value,
        loss.scope,
        loss.cause,
        start,
        end,
        loss.before,
        loss.after,
        loss.lost,
        loss.detail or None,
        place.capture_id,
        None if loss.is_note else loss.known,
    )


def _gap_id(loss: Loss, place: Place) -> str:
    """16 hex digits of what makes the loss this one; its end may still move."""
    parts = (
        place.capture_id,
        place.exchange,
        place.symbol,
        loss.dataset.value,
        loss.scope,
        loss.cause,
        loss.start,
        loss.known,
        loss.before,
        loss.after,
        loss.detail,
    )
    return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()[:16]


def _order(row: _Row) -> tuple[int, int, str, str, str]:
    return row[6], row[7], row[3], row[5], row[0]
