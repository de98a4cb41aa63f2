"""What a plot of a lake file shows: columns counted or averaged over time, level or latency.

Reads files, draws nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from atelier_pipeline.lake.names import FileKind, Mode
from atelier_pipeline.lake.reader import window_dataset
from atelier_pipeline.market.window import Window
from atelier_pipeline.orchestration.plots import POINTS

NS_PER_SEC = 1_000_000_000
NS_PER_MS = 1_000_000
DEPTHS, COLUMNS = 6, 40
BARS, DECADES = 40, 4
NOTES = ("silence", "late")
"""Causes in the ledger of losses under which nothing was lost from raw files."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One line: rows per second by `time`, or with `value` its mean, of the rows that match."""

    label: str
    time: str
    value: str | None = None
    matching: pc.Expression | None = None


_BEST_BID = (pc.field("side") == "bid") & (pc.field("level") == 0)
CURVES: Mapping[tuple[FileKind, Mode], tuple[Curve, ...]] = {
    (FileKind.ORDERBOOKS, Mode.RAW): (Curve("level changes per second", "ts_event"),),
    (FileKind.TRADES, Mode.RAW): (Curve("trades per second", "ts_event"),),
    (FileKind.LIQUIDATIONS, Mode.RAW): (Curve("liquidations per second", "ts_event"),),
    (FileKind.FUNDINGS, Mode.RAW): (Curve("updates per second", "ts_event"),),
    (FileKind.OPEN_INTERESTS, Mode.RAW): (Curve("updates per second", "ts_event"),),
    (FileKind.ORDERBOOKS, Mode.SYNC): (Curve("best bid", "grid_ts", "price", _BEST_BID),),
    (FileKind.TRADES, Mode.SYNC): (Curve("price", "grid_ts", "price"),),
    (FileKind.LIQUIDATIONS, Mode.SYNC): (Curve("liquidations per second", "grid_ts"),),
    (FileKind.FUNDINGS, Mode.SYNC): (Curve("funding rate", "grid_ts", "funding_rate"),),
    (FileKind.OPEN_INTERESTS, Mode.SYNC): (Curve("open interest", "grid_ts", "open_interest"),),
    (FileKind.SNAPSHOTS, Mode.SYNC): (
        Curve("share of ticks with a valid book", "grid_ts", "book_valid"),
    ),
    (FileKind.AGGREGATES, Mode.SYNC): (
        Curve("mid price", "ts_ns", "ob_mid_price"),
        Curve("spread", "ts_ns", "ob_spread"),
    ),
}


def points(path: Path, curve: Curve, window: Window) -> NDArray[np.float64]:
    """The curve of one file over `window`: float64[POINTS], NaN where a mean has no rows."""
    counts, sums = np.zeros(POINTS), np.zeros(POINTS)
    for times, values in _columns(path, curve):
        inside = (times >= window.start_ns) & (times <= window.end_ns) & np.isfinite(values)
        bins = _bins(times[inside], window)
        counts += np.bincount(bins, minlength=POINTS)
        sums += np.bincount(bins, values[inside], minlength=POINTS)
    if curve.value is None:
        return counts * (POINTS * NS_PER_SEC / (window.end_ns - window.start_ns))
    return np.divide(sums, counts, out=np.full(POINTS, np.nan), where=counts > 0)


def depth(path: Path, window: Window) -> NDArray[np.float64]:
    """Mean size of the levels of a sync order book: float64[2 * DEPTHS, COLUMNS], asks above bids.

    The best levels meet in the middle, far ones share rows; NaN where there is none.
    """
    sums, counts = np.zeros((2, DEPTHS * 2 * COLUMNS))
    levels = max(_levels(path), 1)
    for batch in window_dataset(path).to_batches(columns=["grid_ts", "side", "level", "size"]):
        times, level = _int64(batch["grid_ts"]), _int64(batch["level"])
        column = (times - 1 - window.start_ns) * COLUMNS // (window.end_ns - window.start_ns)
        away = level * DEPTHS // levels
        is_bid = pc.equal(batch["side"], pa.scalar("bid")).to_numpy(zero_copy_only=False)
        cell = np.where(is_bid, DEPTHS + away, DEPTHS - 1 - away) * COLUMNS + column
        sums += np.bincount(cell, batch["size"].to_numpy(), sums.size)
        counts += np.bincount(cell, minlength=counts.size)
    mean = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    return mean.reshape(2 * DEPTHS, COLUMNS)


def latencies(path: Path) -> NDArray[np.int64]:
    """How many rows of a raw file took how long from the exchange's clock to ours: int64[BARS].

    The bars are even on a logarithmic scale from 1 ms to 10 s; what is below or above is in the
    outermost ones. Opening rows are older than the window and are left out.
    """
    counts = np.zeros(BARS, np.int64)
    names = window_dataset(path).schema.names
    live = ~pc.field("opening") if "opening" in names else None
    for batch in window_dataset(path).to_batches(columns=["ts_event", "ts_recv"], filter=live):
        took_ms = (_int64(batch["ts_recv"]) - _int64(batch["ts_event"])) / NS_PER_MS
        bars = np.log10(np.clip(took_ms, 1.0, 9_999.0)) * BARS // DECADES
        counts += np.bincount(bars.astype(np.int64), minlength=BARS)
    return counts


def share_of(paths: Iterable[Path], column: str) -> float | None:
    """The share of rows in which a truth value holds; None of no rows."""
    columns = [window_dataset(path).to_table(columns=[column])[column] for path in paths]
    rows = sum(len(column) for column in columns)
    return sum(int(pc.sum(column).as_py() or 0) for column in columns) / rows if rows else None


def loss_bands(gaps: pa.Table, window: Window) -> list[tuple[float, float]]:
    """The (start, end) of each loss in rows of GAPS, as fractions of `window`."""
    lost = gaps.filter(~pc.field("cause").isin(NOTES))
    starts, ends = (_int64(lost[name]) for name in ("ts_start", "ts_end"))
    length = window.end_ns - window.start_ns
    fractions = np.clip((np.stack([starts, ends], 1) - window.start_ns) / length, 0.0, 1.0)
    return [(start, end) for start, end in fractions.tolist()]


def time_span(paths: Iterable[Path], time: str) -> tuple[int, int] | None:
    """The earliest and latest `time` (UTC ns) in files, None where they have no rows."""
    ends = [
        (int(pc.min(column).cast(pa.int64()).as_py()), int(pc.max(column).cast(pa.int64()).as_py()))
        for path in paths
        for batch in window_dataset(path).to_batches(columns=[time])
        if len(column := batch[time])
    ]
    return (min(first for first, _ in ends), max(last for _, last in ends)) if ends else None


def _columns(path: Path, curve: Curve) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    columns = [curve.time] if curve.value is None else [curve.time, curve.value]
    for batch in window_dataset(path).to_batches(columns=columns, filter=curve.matching):
        times = _int64(batch[curve.time])
        if curve.value is None:
            yield times, np.ones(times.size)
        else:
            values = batch[curve.value].cast(pa.float64())
            yield times, values.to_numpy(zero_copy_only=False)


def _levels(path: Path) -> int:
    """How many levels the deepest side of a sync order book has."""
    deepest = [
        pc.max(batch["level"]).as_py()
        for batch in window_dataset(path).to_batches(columns=["level"])
    ]
    return max((int(level) + 1 for level in deepest if level is not None), default=0)


def _bins(times: NDArray[np.int64], window: Window) -> NDArray[np.int64]:
    bins = (times - window.start_ns) * POINTS // (window.end_ns - window.start_ns)
    return np.minimum(bins, POINTS - 1)


def _int64(column: "pa.Array[Any] | pa.ChunkedArray[Any]") -> NDArray[np.int64]:
    return column.cast(pa.int64()).to_numpy()
