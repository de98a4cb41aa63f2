"""The 15 features of every tick, from the sync tables. A feature that is not defined is null."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from atelier_pipeline.aggregate.sums import EventSums, sum_books, sum_events
from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake.schemas import AGGREGATES, FEATURES, SYNC
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.events import NS_PER_MS
from atelier_pipeline.market.synchronised import Synchronised

_HOURS_PER_YEAR = 8760.0
_USUAL_INTERVAL_HOURS = 8.0

COLUMNS: Mapping[Dataset, Sequence[str]] = {
    Dataset.ORDERBOOKS: ("price", "size", "grid_ts"),
    Dataset.TRADES: ("side", "price", "amount", "grid_ts"),
    Dataset.LIQUIDATIONS: ("side", "price", "amount", "grid_ts"),
    Dataset.FUNDINGS: ("funding_rate", "next_funding_ts", "interval_hours", "grid_ts"),
    Dataset.OPEN_INTERESTS: ("open_interest", "open_interest_value", "grid_ts"),
}
"""What of the sync tables is looked at; the tables may have no others."""

_NOT_OF_ONE_RUN = "the files are of different windows or settings; synchronise the window again"

_Columns: TypeAlias = dict[str, "pa.Array[Any] | pa.ChunkedArray[Any]"]


def aggregate(synchronised: Synchronised, raw_open_interests: pa.Table | None = None) -> pa.Table:
    """The table of schema AGGREGATES: one row per row of the snapshots.

    The first tick's `oi_change` needs the open interest at the tick before it: that of
    `synchronised`, or where its tables come from files, the opening state in the raw open interest
    of the same window. Raises LakeError where a sync row belongs to no tick.
    """
    snapshots = synchronised.snapshots
    stamps = _int64(snapshots["grid_ts"])
    gathered = [dataset for dataset in Dataset if dataset is not Dataset.ORDERBOOKS]
    tables = {d: _Rows(synchronised.tables.get(d), d, stamps) for d in gathered}
    before = opening_open_interest(raw_open_interests)
    before = synchronised.open_interest_before if before is None else before
    columns: _Columns = {
        **{name: snapshots[name] for name in snapshots.column_names},
        "ts_ns": pa.array(stamps.view(np.uint64)),
        **_book_features(synchronised.tables.get(Dataset.ORDERBOOKS), snapshots),
        **_trade_features(tables[Dataset.TRADES], snapshots),
        **_liquidation_features(tables[Dataset.LIQUIDATIONS], snapshots),
        **_funding_features(tables[Dataset.FUNDINGS], stamps),
        **_open_interest_features(tables[Dataset.OPEN_INTERESTS], before),
    }
    return pa.table([columns[name] for name in AGGREGATES.names], schema=AGGREGATES)


def opening_open_interest(raw: pa.Table | None) -> float | None:
    """The open interest at the tick t0 of a window, from its raw file; None if unknown."""
    if raw is None:
        return None
    values = raw.filter(raw["opening"])["open_interest"]
    return values[-1].as_py() if len(values) else None


def with_zeros(aggregates: pa.Table) -> pa.Table:
    """The same table with 0 for every feature that is null, as atelier-data writes it."""
    for name, _ in FEATURES:
        place = aggregates.schema.get_field_index(name)
        filled = pc.fill_null(aggregates[name], pa.scalar(0, aggregates[name].type))
        aggregates = aggregates.set_column(place, aggregates.schema.field(name), filled)
    return aggregates


class _Rows:
    """The sync rows of one dataset, and the tick of each."""

    def __init__(self, table: pa.Table | None, dataset: Dataset, stamps: NDArray[np.int64]) -> None:
        self.table = SYNC[dataset].empty_table() if table is None else table
        self.ticks = len(stamps)
        self.tick = _ticks_of(_int64(self.table["grid_ts"]), stamps, dataset)

    def numbers(self, name: str) -> NDArray[Any]:
        """A column as numbers, NaN for null."""
        return _numbers(self.table[name])

    def is_side(self, side: str) -> NDArray[np.bool_]:
        """bool[rows]: the row is of this side."""
        return pc.equal(self.table["side"], pa.scalar(side)).to_numpy()

    def at_ticks(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64[ticks]: the value of the tick's only row, NaN where it has none."""
        spread = np.full(self.ticks, np.nan)
        spread[self.tick] = values
        return spread

    def sums(self) -> EventSums:
        """Trades or liquidations by tick."""
        price, amount = self.numbers("price"), self.numbers("amount")
        return sum_events(self.ticks, self.tick, self.is_side("buy"), price, amount)


def _book_features(books: pa.Table | None, snapshots: pa.Table) -> _Columns:
    """Snapshots count the levels, so that neither sides nor levels are looked at row by row."""
    rows = SYNC[Dataset.ORDERBOOKS].empty_table() if books is None else books
    bids, asks = _counts(snapshots["bid_levels"]), _counts(snapshots["ask_levels"])
    _check_books(_int64(rows["grid_ts"]), _int64(snapshots["grid_ts"]), bids + asks)
    sums = sum_books(bids, asks, _numbers(rows["price"]), _numbers(rows["size"]))
    is_valid = snapshots["book_valid"].to_numpy()
    total = sums.bid_size + sums.ask_size
    return {
        "ob_mid_price": _where(is_valid, (sums.best_bid + sums.best_ask) / 2),
        "ob_spread": _where(is_valid, sums.best_ask - sums.best_bid),
        "ob_imbalance": _where(is_valid, _ratio(sums.bid_size - sums.ask_size, total)),
    }


def _trade_features(rows: _Rows, snapshots: pa.Table) -> _Columns:
    sums = rows.sums()
    heard = snapshots["n_trades"].is_valid().to_numpy()
    return {
        "trade_volume": _where(heard, sums.amount),
        "trade_vwap": _where(heard, _ratio(sums.notional, sums.amount)),
        "trade_count": snapshots["n_trades"],
    }


def _liquidation_features(rows: _Rows, snapshots: pa.Table) -> _Columns:
    sums = rows.sums()
    heard = snapshots["n_liquidations"].is_valid().to_numpy()
    return {
        "liq_notional": _where(heard, sums.notional),
        "liq_count": snapshots["n_liquidations"],
        "liq_imbalance": _where(heard, _ratio(sums.bought - sums.sold, sums.notional)),
    }


def _funding_features(rows: _Rows, stamps: NDArray[np.int64]) -> _Columns:
    rate, hours = rows.numbers("funding_rate"), rows.numbers("interval_hours")
    hours = np.where(np.isnan(hours), _USUAL_INTERVAL_HOURS, hours)
    delta, is_known = np.zeros(rows.ticks, np.int64), np.zeros(rows.ticks, np.bool_)
    next_ms = rows.numbers("next_funding_ts")
    is_known[rows.tick] = ~np.isnan(next_ms)
    delta[rows.tick] = np.nan_to_num(next_ms).astype(np.int64) - stamps[rows.tick] // NS_PER_MS
    return {
        "fr_rate": _known(rows.at_ticks(rate)),
        "fr_annualized": _known(rows.at_ticks(rate * _HOURS_PER_YEAR / hours)),
        "fr_next_settlement_delta": pa.array(delta, mask=~is_known),
    }


def _open_interest_features(rows: _Rows, before: float | None) -> _Columns:
    contracts = rows.at_ticks(rows.numbers("open_interest"))
    first = np.nan if before is None else before
    return {
        "oi_contracts": _known(contracts),
        "oi_value": _known(rows.at_ticks(rows.numbers("open_interest_value"))),
        "oi_change": _known(np.diff(contracts, prepend=first)),
    }


def _check_books(
    row_stamps: NDArray[np.int64], stamps: NDArray[np.int64], levels: NDArray[np.int64]
) -> None:
    """Raise LakeError unless each tick has as many rows as its snapshot counts levels."""
    has_rows = levels > 0
    ends = np.cumsum(levels)[has_rows]
    as_counted = ends[-1:].sum() == len(row_stamps) and all(
        np.array_equal(row_stamps[rows], stamps[has_rows])
        for rows in (ends - levels[has_rows], ends - 1)
    )
    if not as_counted:
        raise LakeError(f"sync rows of orderbooks are not what snapshots count: {_NOT_OF_ONE_RUN}")


def _ticks_of(
    row_stamps: NDArray[np.int64], stamps: NDArray[np.int64], dataset: Dataset
) -> NDArray[np.int64]:
    """int64[rows]: the tick of each row. The rows of a tick stand together: one search for all."""
    starts = np.flatnonzero(np.diff(row_stamps, prepend=-1))
    found = np.searchsorted(stamps, row_stamps[starts])
    strange = row_stamps[starts][np.append(stamps, -1)[found] != row_stamps[starts]]
    if len(strange):
        raise LakeError(
            f"sync rows of {dataset.value} at {strange[0]} ns have no snapshots row: "
            f"{_NOT_OF_ONE_RUN}"
        )
    return np.repeat(found, np.diff(starts, append=len(row_stamps)))


def _numbers(column: "pa.ChunkedArray[Any]") -> NDArray[Any]:
    """NaN for null; read-only, as Arrow's own memory is: kernels are compiled for that alone."""
    numbers = column.to_numpy()
    numbers.flags.writeable = False
    return numbers


def _counts(column: "pa.ChunkedArray[Any]") -> NDArray[np.int64]:
    """0 for null: no book has no levels."""
    return _int64(pc.fill_null(column, pa.scalar(0, column.type)))


def _ratio(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    """NaN where the denominator is 0."""
    ratio = np.full(len(denominator), np.nan)
    return np.divide(numerator, denominator, out=ratio, where=denominator != 0.0)


def _where(is_known: NDArray[np.bool_], values: NDArray[np.float64]) -> "pa.Array[Any]":
    return pa.array(values, mask=~is_known | np.isnan(values))


def _known(values: NDArray[np.float64]) -> "pa.Array[Any]":
    return pa.array(values, mask=np.isnan(values))


def _int64(column: "pa.ChunkedArray[Any]") -> NDArray[np.int64]:
    return column.cast(pa.int64()).to_numpy()
