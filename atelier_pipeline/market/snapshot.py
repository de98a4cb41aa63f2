"""One tick of the grid as objects: what was known of a market then, and its features.

The columns of the files `snapshots` and `aggregates` under the same names; None where a column is
null. docs/data-dictionary.md explains each one.
"""

import msgspec

from atelier_pipeline.market.events import FundingRate, Liquidation, OpenInterest, Trade
from atelier_pipeline.market.orderbook import Orderbook


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """How far a tick can be trusted; times in UTC ns.

    Attributes:
        n_trades, n_liquidations: events of the period; None where nobody listened.
        n_late: events that came after the emission delay.
        bid_levels, ask_levels: levels kept of each side; None where no book is known.
        book_valid: the book was known to be whole and uncrossed.
        book_age_ns: time since the book's last message; None where no book is known.
        driven: the feed that drives the clock moved in the period.
        filled: nothing happened in the period.
        gap: a known loss overlaps the period; learnt afterwards.
        known_at: when a live system could have had the row.
    """

    n_trades: int | None
    n_liquidations: int | None
    n_late: int
    bid_levels: int | None
    ask_levels: int | None
    book_valid: bool
    book_age_ns: int | None
    driven: bool
    filled: bool
    gap: bool
    known_at: int


class MarketSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one market just before `ts_ns`, and the events of the period that ends there."""

    ts_ns: int
    symbol: str
    exchange: str
    orderbook: Orderbook | None
    trades: list[Trade]
    liquidations: list[Liquidation]
    funding_rate: FundingRate | None
    open_interest: OpenInterest | None
    quality: Quality


class MarketAggregate(msgspec.Struct, frozen=True, kw_only=True):
    """The fifteen features of one tick.

    Attributes:
        ob_mid_price, ob_spread: quote units; None unless both sides exist and the book is valid.
        ob_imbalance: -1 (asks only) to 1 (bids only).
        trade_volume: base units.
        trade_vwap: quote units; None without volume.
        liq_notional: quote units.
        liq_imbalance: -1 (shorts only) to 1 (longs only).
        fr_rate: per funding interval, 0.0001 = 1 bp; fr_annualized: per year.
        fr_next_settlement_delta: ms from the tick to the next settlement.
        oi_contracts, oi_change: the exchange's unit; oi_value: quote units.
    """

    ts_ns: int
    ob_mid_price: float | None
    ob_spread: float | None
    ob_imbalance: float | None
    trade_volume: float | None
    trade_vwap: float | None
    trade_count: int | None
    liq_notional: float | None
    liq_count: int | None
    liq_imbalance: float | None
    fr_rate: float | None
    fr_annualized: float | None
    fr_next_settlement_delta: int | None
    oi_contracts: float | None
    oi_value: float | None
    oi_change: float | None
    symbol: str
    exchange: str
    quality: Quality
