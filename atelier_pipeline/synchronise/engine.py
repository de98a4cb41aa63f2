"""The engine that puts one market on the grid, fed piece by piece or all at once."""

from collections.abc import Collection, Iterable, Mapping
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from atelier_pipeline.aggregate import aggregate
from atelier_pipeline.errors import SettingsError
from atelier_pipeline.lake.schemas import SNAPSHOTS, SYNC
from atelier_pipeline.lake.snapshot_structs import market_aggregates
from atelier_pipeline.market.book import BookColumns
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.snapshot import MarketAggregate
from atelier_pipeline.market.synchronised import Synchronised
from atelier_pipeline.market.window import Window
from atelier_pipeline.synchronise.book_columns import book_messages
from atelier_pipeline.synchronise.books import BookFeed
from atelier_pipeline.synchronise.carried import CarriedFeed, CarriedTicks
from atelier_pipeline.synchronise.emission import LiveEmission
from atelier_pipeline.synchronise.feeds import FeedTicks, Lateness, clock_column, int64_column
from atelier_pipeline.synchronise.gathered import GatheredFeed
from atelier_pipeline.synchronise.grid import Grid, tick_after
from atelier_pipeline.synchronise.losses import Losses
from atelier_pipeline.synchronise.saving import VERSION, SavedEngine, from_bytes, to_bytes
from atelier_pipeline.synchronise.settings import SyncSettings
from atelier_pipeline.synchronise.snapshots import snapshot_rows

_GATHERED = {Dataset.TRADES, Dataset.LIQUIDATIONS}
_CARRIED = {Dataset.FUNDINGS, Dataset.OPEN_INTERESTS}


class MarketSynchronizer:
    """Puts one market on the grid, whatever the split of its input.

    With a window, all rows t0 + P … t1 come out of `finalize`, late events included. Without one,
    `drain` lets rows out by the clock mode as soon as they are complete, late events left out, and
    `finalize` adds the rest, the last period perhaps incomplete.

    Attributes:
        refused: events by dataset that belong to no row: out of the window, or after `finalize`.
        late: events by dataset that came after the deadline of their row.
    """

    def __init__(
        self,
        settings: SyncSettings,
        *,
        exchange: str,
        symbol: str,
        datasets: Iterable[Dataset],
        window: Window | None = None,
        cut_depth: int | None = None,
    ) -> None:
        """SettingsError where P does not divide the window, or no row would ever come out.

        `datasets` are the captured ones; `cut_depth` is the depth to which the exchange's client
        cuts the book, None for the whole book.
        """
        captured = sorted(datasets)
        if window is None:
            _require_driver(settings, captured)
        self.refused = dict.fromkeys(captured, 0)
        self.late = dict.fromkeys(captured, 0)
        self._settings = settings
        self._window = window
        self._cut_depth = cut_depth
        self._market = (exchange, symbol)
        self._grid = None if window is None else Grid.of_window(window, settings.period_ns)
        self._emission = LiveEmission(settings)
        self._lateness = Lateness(settings.row_delay_ns, included=window is not None)
        self._book = BookFeed(settings, exchange, symbol, cut_depth)
        self._gathered = {d: GatheredFeed(d, settings.clock) for d in captured if d in _GATHERED}
        self._carried = {d: CarriedFeed(d, settings.clock) for d in captured if d in _CARRIED}
        self._is_final = False
        self._newest: Synchronised | None = None

    def feed(self, dataset: Dataset, table: pa.Table) -> None:
        """Takes in events of a captured dataset, schema lake.schemas.RAW.

        Books come in order of arrival, each message whole; the others in any order.
        """
        if dataset is Dataset.ORDERBOOKS:
            self._feed_book(*book_messages(table))
            return
        is_event = np.ones(table.num_rows, np.bool_)
        if dataset in self._carried:
            is_event = ~table["opening"].to_numpy()
        times = int64_column(table, clock_column(self._settings.clock))[is_event]
        if self._admits(dataset, times, int64_column(table, "ts_recv")[is_event]):
            {**self._gathered, **self._carried}[dataset].feed(table)

    def feed_book(self, columns: BookColumns, opening: NDArray[np.bool_] | None = None) -> None:
        """Takes in order book messages in order of arrival.

        `opening` marks those that make a state from before the first row: they are no events.
        """
        if opening is None:
            opening = np.zeros(len(columns.is_snapshot), np.bool_)
        self._feed_book(columns, opening)

    def drain(self, received_ns: int, gaps: pa.Table) -> Synchronised:
        """The rows that are complete once all that was received before `received_ns` is fed.

        `gaps` (schema GAPS) holds every loss known so far. With a window there are none.
        """
        if self._grid is not None or self._is_final:
            return self._nothing()
        return self._rows(self._emission.ready(received_ns), gaps)

    def finalize(self, gaps: pa.Table) -> Synchronised:
        """All rows that have not come out yet; whatever is fed from now on is refused."""
        if self._is_final:
            return self._nothing()
        rows = self._rows(self._grid or self._emission.rest(), gaps)
        self._is_final = True
        return rows

    def market_aggregate(self) -> MarketAggregate | None:
        """The 15 features of the newest row that came out of this engine; None before the first.

        For looking at a market now and then; columns of many rows are what `aggregate` gives.
        """
        return None if self._newest is None else market_aggregates(aggregate(self._newest))[-1]

    def save(self) -> bytes:
        """The state: an engine made from it by `resume` gives the rows that this one would give."""
        exchange, symbol = self._market
        feeds = {**self._gathered, **self._carried}
        saved = SavedEngine(
            version=VERSION,
            settings=self._settings,
            exchange=exchange,
            symbol=symbol,
            datasets=tuple(self.refused),
            window=self._window,
            cut_depth=self._cut_depth,
            refused=self.refused,
            late=self.late,
            is_final=self._is_final,
            emission=self._emission.saved(),
            book=self._book.saved(),
            pending={dataset: feed.saved() for dataset, feed in feeds.items()},
        )
        return to_bytes(saved)

    @classmethod
    def resume(cls, state: bytes) -> Self:
        """The engine whose state `save` gave; SettingsError for other bytes."""
        saved = from_bytes(state)
        engine = cls(
            saved.settings,
            exchange=saved.exchange,
            symbol=saved.symbol,
            datasets=saved.datasets,
            window=saved.window,
            cut_depth=saved.cut_depth,
        )
        engine.refused.update(saved.refused)
        engine.late.update(saved.late)
        engine._is_final = saved.is_final
        engine._emission.restore(saved.emission)
        engine._book.restore(saved.book)
        for dataset, feed in {**engine._gathered, **engine._carried}.items():
            feed.restore(saved.pending[dataset])
        return engine

    def _feed_book(self, columns: BookColumns, opening: NDArray[np.bool_]) -> None:
        times = self._book.times_of(columns)[~opening]
        if self._admits(Dataset.ORDERBOOKS, times, columns.ts_recv[~opening]):
            self._book.feed(columns, opening)

    def _admits(self, dataset: Dataset, times: NDArray[np.int64], recv: NDArray[np.int64]) -> bool:
        """Counts the events that no row will have, and says whether any may still matter."""
        if self._is_final:
            self.refused[dataset] += len(times)
        elif self._grid is not None:
            outside = times > self._grid.last_ns - 1
            if dataset in self._gathered:
                outside |= times < self._grid.start_ns
            self.refused[dataset] += int(outside.sum())
        else:
            self._emission.saw(dataset, times, recv)
        deadline = self._lateness.deadlines(tick_after(times, self._settings.period_ns))
        self.late[dataset] += int((recv > deadline).sum())
        return not self._is_final

    def _rows(self, grid: Grid, gaps: pa.Table) -> Synchronised:
        if not grid.count:
            return self._nothing()
        exchange, symbol = self._market
        losses = Losses(gaps, exchange, symbol)
        ticks: dict[Dataset, FeedTicks] = {}
        for dataset, feed in {**self._gathered, **self._carried}.items():
            ticks[dataset] = feed.take(grid, self._lateness)
        if Dataset.ORDERBOOKS in self.refused:
            ticks[Dataset.ORDERBOOKS] = self._book.take(grid, self._lateness, losses.of_the_book())
        self._newest = Synchronised(
            tables={dataset: ticks[dataset].table for dataset in self.refused},
            snapshots=snapshot_rows(grid, ticks, losses, self._settings.mode, self._market),
            open_interest_before=_value_before(ticks.get(Dataset.OPEN_INTERESTS)),
        )
        return self._newest

    def _nothing(self) -> Synchronised:
        tables = {dataset: SYNC[dataset].empty_table() for dataset in self.refused}
        return Synchronised(tables, SNAPSHOTS.empty_table())


def synchronise_window(
    raw: Mapping[Dataset, pa.Table],
    gaps: pa.Table,
    settings: SyncSettings,
    window: Window,
    exchange: str,
    symbol: str,
    cut_depth: int | None,
) -> Synchronised:
    """A whole window at once: rows t0 + P … t1 from its raw tables (schema lake.schemas.RAW).

    A dataset that `raw` does not hold was not captured; an order book needs no columns but
    BOOK_COLUMNS. `gaps` (schema GAPS) may hold those of other symbols. `cut_depth` is the depth to
    which the exchange's client cuts the book, None for the whole book. SettingsError where the
    period does not divide the window.
    """
    engine = MarketSynchronizer(
        settings,
        exchange=exchange,
        symbol=symbol,
        datasets=raw,
        window=window,
        cut_depth=cut_depth,
    )
    for dataset, table in raw.items():
        engine.feed(dataset, table)
    return engine.finalize(gaps)


def _require_driver(settings: SyncSettings, captured: Collection[Dataset]) -> None:
    driver = settings.mode.driver
    if driver is not None and driver not in captured:
        raise SettingsError(
            f"sync_mode {settings.mode.value} lets a row out when {driver.value} move, "
            "which are not captured"
        )


def _value_before(ticks: FeedTicks | None) -> float | None:
    if not isinstance(ticks, CarriedTicks) or not ticks.before.num_rows:
        return None
    return ticks.before["open_interest"][0].as_py()
