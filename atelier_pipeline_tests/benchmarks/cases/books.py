"""The order book at the grid: the compiled kernel over a generated day."""

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from atelier_pipeline.decode.columns import messages_between
from atelier_pipeline.market.book import BookColumns, changes_of
from atelier_pipeline.market.book_kernel import Sides, empty_sides
from atelier_pipeline.market.window import Window
from atelier_pipeline.synchronise.grid import Grid
from atelier_pipeline.synchronise.sampling import Cursor, Depths, Levels, sample
from atelier_pipeline_tests.benchmarks.market_day import MarketDay, market_day
from atelier_pipeline_tests.benchmarks.stopwatch import Stopwatch
from atelier_pipeline_tests.benchmarks.symbol_day import NS_PER_MINUTE, windows

DEPTH = 50
PERIOD_NS = 100_000_000
_ROOM = 1 << 14

Run: TypeAlias = tuple[BookColumns, NDArray[np.int64]]
"""Messages, and how many of them every tick rests on."""


def at_grid(watch: Stopwatch, updates: int, seed: int, hours: int) -> dict[str, float]:
    """Level changes applied, and the top 50 levels of each side copied at every tick of 100 ms."""
    span_ns = hours * 60 * NS_PER_MINUTE
    day = market_day(updates, 0, seed, span_ns)
    book, levels = empty_sides(_ROOM), _room_for_levels()
    runs = list(_hours(day, windows(60, span_ns)))
    _walk(Stopwatch(), empty_sides(_ROOM), levels, runs[:1])
    _walk(watch, book, levels, runs)
    return watch.sample(len(day.messages.columns.price))


def _walk(watch: Stopwatch, book: Sides, levels: Levels, runs: list[Run]) -> None:
    for columns, cuts in runs:
        is_whole, cursor = np.ones(len(cuts), np.bool_), Cursor(*np.zeros((3, 1), np.int64))
        changes = changes_of(columns)
        with watch:
            done = sample(book, changes, Depths(-1, DEPTH), cuts, is_whole, cursor, levels)
        assert done, "the book outgrew its room"


def _hours(day: MarketDay, hours: list[Window]) -> Iterator[Run]:
    """The messages of each hour; the opening snapshot is the first hour's."""
    times = day.messages.ts_event
    for window in hours:
        start, end = np.searchsorted(times, [window.start_ns, window.end_ns]).tolist()
        start = 0 if window == hours[0] else start
        stamps = Grid.of_window(window, PERIOD_NS).stamps()
        yield (
            messages_between(day.messages, start, end).columns,
            np.searchsorted(times[start:end], stamps, "left"),
        )


def _room_for_levels() -> Levels:
    """Room for an hour, used again for the next."""
    ticks = Grid.of_window(windows(60)[0], PERIOD_NS).count
    rows = 2 * DEPTH * ticks
    return Levels(
        price=np.empty(rows),
        size=np.empty(rows),
        counts=np.empty((2, ticks), np.int64),
    )
