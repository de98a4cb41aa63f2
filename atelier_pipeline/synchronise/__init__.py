"""From raw events to market snapshots on a uniform grid: pure, no files, no clock."""

from atelier_pipeline.market.synchronised import Synchronised
from atelier_pipeline.synchronise.book_columns import BOOK_COLUMNS
from atelier_pipeline.synchronise.engine import MarketSynchronizer, synchronise_window
from atelier_pipeline.synchronise.grid import Grid
from atelier_pipeline.synchronise.settings import Clock, ClockMode, SyncSettings

__all__ = [
    "BOOK_COLUMNS",
    "Clock",
    "ClockMode",
    "Grid",
    "MarketSynchronizer",
    "SyncSettings",
    "Synchronised",
    "synchronise_window",
]
