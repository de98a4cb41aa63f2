"""The vocabulary: what a market fact is, and what keeps a book whole.

Only plain objects are exported here; the compiled book is imported from `market.book` by those who
need it, so that a command starts without a compiler.
"""

from atelier_pipeline.market.events import (
    FundingRate,
    Liquidation,
    NormalizedDelta,
    OpenInterest,
    Trade,
)
from atelier_pipeline.market.orderbook import Orderbook, OrderbookDelta
from atelier_pipeline.market.snapshot import MarketAggregate, MarketSnapshot

__all__ = [
    "FundingRate",
    "Liquidation",
    "MarketAggregate",
    "MarketSnapshot",
    "NormalizedDelta",
    "OpenInterest",
    "Orderbook",
    "OrderbookDelta",
    "Trade",
]
