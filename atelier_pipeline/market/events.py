"""What a market fact is: one frozen struct per kind of event.

Times are int64 UTC nanoseconds. `ts_event` is the exchange's own time, 0 where it sent none;
`ts_recv` is when the frame was received, 0 where a recording does not say. Prices are in quote
units, amounts in base units. `side` is `buy` or `sell`, of the taker; on a liquidation `buy` means
that a long was liquidated.
"""

from typing import TypeAlias

import msgspec

NS_PER_MS = 1_000_000

Level: TypeAlias = tuple[float, float]
"""(price, size); a size of 0 deletes the level."""


class NormalizedDelta(msgspec.Struct, frozen=True, kw_only=True):
    """One order book message: changes to a book, or with `is_snapshot` the whole book.

    `checksum` is the exchange's own, of the book after this message; `digits` then holds, for bids
    and then asks, the (price, size) digits it is computed from, as the integers that the wire text
    gives without its decimal point. `depth` is the depth of the feed that the message belongs to,
    where the exchange says it: one connection may carry several feeds of one book.
    """

    exchange: str
    symbol: str
    ts_event: int
    ts_recv: int
    is_snapshot: bool
    bids: list[Level]
    asks: list[Level]
    update_id: int | None = None
    checksum: int | None = None
    digits: list[tuple[int, int]] | None = None
    depth: int | None = None


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """One public trade. `is_history` marks trades sent on subscribing, from before it."""

    exchange: str
    symbol: str
    side: str
    price: float
    amount: float
    id: str
    ts_event: int
    ts_recv: int
    is_history: bool = False

    @property
    def trade_ts(self) -> int:
        """Time of the trade in UTC milliseconds."""
        return self.ts_event // NS_PER_MS


class Liquidation(msgspec.Struct, frozen=True, kw_only=True):
    """One forced liquidation, at its bankruptcy price. `buy`: a long was liquidated."""

    exchange: str
    symbol: str
    side: str
    price: float
    amount: float
    ts_event: int
    ts_recv: int

    @property
    def liquidation_ts(self) -> int:
        """Time of the liquidation in UTC milliseconds."""
        return self.ts_event // NS_PER_MS


class FundingRate(msgspec.Struct, frozen=True, kw_only=True):
    """A funding rate per `interval_hours` (0.0001 = 1 bp); `next_funding_ts` is in UTC ms."""

    exchange: str
    symbol: str
    funding_rate: float
    next_funding_ts: int | None
    ts_event: int
    ts_recv: int
    interval_hours: float | None = None


class OpenInterest(msgspec.Struct, frozen=True, kw_only=True):
    """Open interest in the exchange's own unit, and its value in quote units."""

    exchange: str
    symbol: str
    open_interest: float
    open_interest_value: float | None
    ts_event: int
    ts_recv: int


class TickerUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What one ticker message said; None means that the message did not hold the field.

    Fields accumulate per connection and symbol until a message with `is_snapshot` starts anew.
    """

    exchange: str
    symbol: str
    ts_event: int
    ts_recv: int
    is_snapshot: bool
    funding_rate: float | None = None
    next_funding_ts: int | None = None
    interval_hours: float | None = None
    open_interest: float | None = None
    open_interest_value: float | None = None
