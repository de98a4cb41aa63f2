"""What a sealed window says, held against what the exchange itself has.

Two promises: a trade that is missing lies in a loss that the ledger tells of, and a book that is
valid at a tick, with no loss in the tick's period, is the exchange's own.
"""

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from atelier_pipeline.decode.seal import Sealed
from atelier_pipeline.manifest import Collector
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.window import Window
from atelier_pipeline.pipeline import scope_of
from atelier_pipeline.simulator.venue import TrueBook
from atelier_pipeline.synchronise import SyncSettings, synchronise_window
from atelier_pipeline_tests.decode.script import plain
from atelier_pipeline_tests.reliability.virtual import Truth

PERIOD_NS = 100_000_000

Levels = list[tuple[float, float]]


@dataclass(frozen=True)
class Tick:
    """A book at a tick: what the row says, and whether it is the exchange's own."""

    time: int
    valid: bool
    gap: bool
    is_true: bool

    @property
    def is_honest(self) -> bool:
        """Whether a reader of the row is told the truth."""
        return self.is_true or self.gap or not self.valid


def losses_of(sealed: Sealed, symbol: str, dataset: Dataset | None = None) -> list[dict[str, Any]]:
    """The rows of gaps of a symbol, notes left out."""
    return [
        row
        for row in plain(sealed.gaps[symbol])
        if row["lost"] != 0 and dataset in {None, row["dataset"]}
    ]


def trades_of(sealed: Sealed, symbol: str) -> dict[str, tuple[Any, ...]]:
    """(ts_event, side, price, amount) by id; fails where an id comes twice."""
    rows = plain(sealed.tables[symbol, Dataset.TRADES])
    trades = {r["id"]: (r["ts_event"], r["side"], r["price"], r["amount"]) for r in rows}
    assert len(trades) == len(rows)
    return trades


def true_trades(truth: Truth, symbol: str, window: Window) -> dict[str, tuple[Any, ...]]:
    """The exchange's own trades of a window."""
    return {
        number: values
        for (of, number), values in truth.trades.items()
        if of == symbol and values[0] in window
    }


def untold(
    missing: dict[str, tuple[Any, ...]], losses: list[dict[str, Any]]
) -> dict[str, tuple[Any, ...]]:
    """The missing trades that no loss covers."""
    spans = [(row["ts_start"], row["ts_end"]) for row in losses]
    return {
        number: values
        for number, values in missing.items()
        if not any(start <= values[0] <= end for start, end in spans)
    }


def ticks_of(
    sealed: Sealed, made: Collector, window: Window, symbol: str, truth: Truth
) -> list[Tick]:
    """Every tick's book of a symbol."""
    rows = synchronise_window(
        {dataset: table for (of, dataset), table in sealed.tables.items() if of == symbol},
        sealed.gaps[symbol],
        SyncSettings(period_ns=PERIOD_NS, depth=made.depth),
        window,
        exchange=made.exchange.name,
        symbol=symbol,
        cut_depth=scope_of(made).kept_depth_of(symbol),
    )
    books: dict[int, tuple[Levels, Levels]] = defaultdict(lambda: ([], []))
    for row in plain(rows.tables[Dataset.ORDERBOOKS], "grid_ts", "side", "price", "size"):
        books[row["grid_ts"]][row["side"] == "ask"].append((row["price"], row["size"]))
    times = [time for time, _ in truth.books[symbol]]
    ticks: list[Tick] = []
    for row in plain(rows.snapshots, "grid_ts", "book_valid", "gap"):
        time = row["grid_ts"]
        own = truth.books[symbol][bisect_left(times, time) - 1][1]
        is_true = books[time] == top(own, made.depth)
        ticks.append(Tick(time, row["book_valid"], row["gap"], is_true))
    return ticks


def top(book: TrueBook, depth: int) -> tuple[Levels, Levels]:
    """The best levels of both sides."""
    return book.bids[:depth], book.asks[:depth]
