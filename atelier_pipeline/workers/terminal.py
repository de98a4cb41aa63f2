"""Markets in the terminal: a table that renews itself, or lines where the output is no terminal."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc
from rich.box import SIMPLE
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.workers.batches import DATATYPES, Batch, EventBatch, SnapshotBatch
from atelier_pipeline.workers.sinks import Market

NS_PER_SEC = 1_000_000_000
REFRESH_SECS = 0.25
LINE_SECS = 5.0
"""How often a market gets a line where no table can renew itself."""

RATE_SECS = 5.0
"""Over how long the rate of events is taken."""


@dataclass(slots=True)
class _Shown:
    """What is shown of one market."""

    bid: float | None = None
    ask: float | None = None
    last: float | None = None
    went_up: bool | None = None
    is_valid: bool | None = None
    newest_ns: int = 0
    ticks: int = 0
    counts: dict[Dataset, int] = field(default_factory=dict[Dataset, int])
    funding: float | None = None
    interest: float | None = None
    seconds: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])

    def count(self, now: float, events: int) -> None:
        self.seconds = [each for each in self.seconds if now - each[0] < RATE_SECS]
        self.seconds.append((now, events))

    def rate(self, now: float) -> float:
        recent = [events for at, events in self.seconds if now - at < RATE_SECS]
        return sum(recent) / RATE_SECS

    def trade(self, price: float) -> None:
        if self.last is not None and price != self.last:
            self.went_up = price > self.last
        self.last = price


class TerminalSink:
    """Shows the newest state of every market.

    Args:
        console: where; default: standard output.
        clock: seconds that only grow.

    Attributes:
        users: how many workers share it; it ends with the last one.
    """

    name = "terminal"

    def __init__(
        self,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = Console() if console is None else console
        self._clock = clock
        self._markets: dict[Market, _Shown] = {}
        self._told: dict[Market, float] = {}
        self._drawn_at = 0.0
        self._live: Live | None = None
        self.users = 1
        self._lock = threading.Lock()

    def receive(self, batch: Batch) -> None:
        """Show what is new."""
        with self._lock:
            self._receive(batch)

    def _receive(self, batch: Batch) -> None:
        market, now = (batch.exchange, batch.symbol), self._clock()
        shown = self._markets.setdefault(market, _Shown())
        shown.count(now, batch.count)
        if isinstance(batch, EventBatch):
            _show_events(shown, batch.dataset, batch.table)
            shown.counts[batch.dataset] = shown.counts.get(batch.dataset, 0) + batch.count
        else:
            _show_ticks(shown, batch)
        if self._console.is_terminal:
            self._draw(now)
        elif now - self._told.get(market, -LINE_SECS) >= LINE_SECS:
            self._told[market] = now
            self._console.print(_line(market, shown, now), highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Leave the last state on the screen."""
        with self._lock:
            self.users -= 1
            if self.users == 0 and self._live is not None:
                self._live.update(self._table(self._clock()), refresh=True)
                self._live.stop()

    def _draw(self, now: float) -> None:
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False)
            self._live.start()
        if now - self._drawn_at >= REFRESH_SECS:
            self._drawn_at = now
            self._live.update(self._table(now), refresh=True)

    def _table(self, now: float) -> Table:
        table = Table(box=SIMPLE)
        for name in ("market", "book", "bid", "ask", "last", "events/s", "received", "time"):
            table.add_column(name, justify="left" if name in {"market", "book"} else "right")
        for market, shown in sorted(self._markets.items()):
            table.add_row(
                " ".join(market),
                _book_state(shown),
                _price(shown.bid),
                _price(shown.ask),
                Text(_price(shown.last), style=_colour(shown)),
                f"{shown.rate(now):,.0f}",
                _received(shown),
                _time(shown.newest_ns),
            )
        return table


def _show_events(shown: _Shown, dataset: Dataset, table: pa.Table) -> None:
    if dataset is Dataset.TRADES:
        shown.trade(table["price"][-1].as_py())
    shown.newest_ns = max(shown.newest_ns, pc.max(table["ts_recv"]).cast(pa.int64()).as_py())


def _show_ticks(shown: _Shown, batch: SnapshotBatch) -> None:
    index, tables = batch.rows.snapshots, batch.rows.tables
    shown.ticks += batch.count
    shown.is_valid = index["book_valid"][-1].as_py()
    shown.newest_ns = index["grid_ts"][-1].cast(pa.int64()).as_py()
    shown.bid, shown.ask = _best(index, tables.get(Dataset.ORDERBOOKS))
    trades = tables.get(Dataset.TRADES)
    if trades is not None and trades.num_rows:
        shown.trade(trades["price"][-1].as_py())


def _best(index: pa.Table, book: pa.Table | None) -> tuple[float | None, float | None]:
    """The best bid and ask of the last tick: the first rows of its two sides."""
    bids, asks = (index[name][-1].as_py() or 0 for name in ("bid_levels", "ask_levels"))
    if book is None:
        return None, None
    ask_row = book.num_rows - asks
    bid = book["price"][ask_row - bids].as_py() if bids else None
    return bid, book["price"][ask_row].as_py() if asks else None


def _line(market: Market, shown: _Shown, now: float) -> str:
    return (
        f"{_time(shown.newest_ns)} {' '.join(market)} bid {_price(shown.bid)} "
        f"ask {_price(shown.ask)} last {_price(shown.last)} {shown.rate(now):,.0f}/s "
        f"{_received(shown)}"
    )


def _received(shown: _Shown) -> str:
    if shown.ticks:
        return f"{shown.ticks:,} ticks"
    return ", ".join(f"{count:,} {DATATYPES[d]}" for d, count in sorted(shown.counts.items()))


def _book_state(shown: _Shown) -> Text:
    if shown.is_valid is None:
        return Text("")
    return Text("valid", style="green") if shown.is_valid else Text("invalid", style="red")


def _colour(shown: _Shown) -> str:
    return {True: "green", False: "red", None: ""}[shown.went_up]


def _price(price: float | None) -> str:
    return "-" if price is None else f"{price:,.10g}"


def _time(time_ns: int) -> str:
    if not time_ns:
        return ""
    moment = datetime.fromtimestamp(time_ns // NS_PER_SEC, UTC)
    return f"{moment:%H:%M:%S}.{time_ns % NS_PER_SEC // 1_000_000:03d}"
