"""One symbol's order book as plain Python objects: to read, to print, to prove the kernel with.

Replays and captures keep their books with `BookState`, which is compiled; this one is for books of
a person's size.
"""

import zlib

import msgspec

from atelier_pipeline.market.events import Level, NormalizedDelta

_CHECKSUM_LEVELS = 10


class Orderbook(msgspec.Struct, frozen=True, kw_only=True):
    """A book at one instant, `orderbook_ts` in UTC ns; bids and asks best first."""

    symbol: str
    exchange: str
    orderbook_ts: int
    bids: list[Level]
    asks: list[Level]

    @property
    def mid_price(self) -> float | None:
        """Half way between the best bid and the best ask; None unless both exist."""
        if not self.bids or not self.asks:
            return None
        return (self.bids[0][0] + self.asks[0][0]) / 2

    @property
    def spread(self) -> float | None:
        """Best ask less best bid, in quote units; None unless both exist."""
        if not self.bids or not self.asks:
            return None
        return self.asks[0][0] - self.bids[0][0]

    def imbalance(self, depth: int | None = None) -> float | None:
        """(bid size - ask size) / their sum over `depth` levels a side; None where the sum is 0."""
        bid_size = _total_size(self.bids[:depth])
        ask_size = _total_size(self.asks[:depth])
        total = bid_size + ask_size
        return (bid_size - ask_size) / total if total else None


class OrderbookDelta:
    """A book kept up by the messages of one symbol, each side cut to `depth` levels (None: never).

    Attributes:
        bids, asks: size by price, without order.
    """

    def __init__(self, *, exchange: str, symbol: str, depth: int | None = None) -> None:
        self.exchange = exchange
        self.symbol = symbol
        self.depth = depth
        self.bids: dict[float, float] = {}
        self.asks: dict[float, float] = {}
        self._digits: dict[tuple[str, float], tuple[int, int]] = {}

    def apply(self, delta: NormalizedDelta) -> None:
        """Sets, deletes or, on a snapshot, replaces levels; ValueError for another symbol's delta.

        Deleting an absent level is no error; of several changes to one price the last one counts.
        """
        if (delta.exchange, delta.symbol) != (self.exchange, self.symbol):
            raise ValueError(
                f"a message of {delta.exchange} {delta.symbol} does not belong to the book of "
                f"{self.exchange} {self.symbol}"
            )
        if delta.is_snapshot:
            self.bids, self.asks, self._digits = {}, {}, {}
        digits = delta.digits or [(0, 0)] * (len(delta.bids) + len(delta.asks))
        self._set("bid", self.bids, delta.bids, digits[: len(delta.bids)])
        self._set("ask", self.asks, delta.asks, digits[len(delta.bids) :])
        self._cut("bid", self.bids)
        self._cut("ask", self.asks)

    def to_orderbook(self, orderbook_ts: int) -> Orderbook:
        """The book as it stands, stamped with the given time in UTC ns."""
        return Orderbook(
            symbol=self.symbol,
            exchange=self.exchange,
            orderbook_ts=orderbook_ts,
            bids=[(price, self.bids[price]) for price in _best_first("bid", self.bids)],
            asks=[(price, self.asks[price]) for price in _best_first("ask", self.asks)],
        )

    def checksum(self) -> int | None:
        """Kraken's CRC-32 of the top ten levels; None where the digits of one are not known.

        https://docs.kraken.com/api/docs/guides/spot-ws-book-v2
        """
        text = ""
        for side, levels in (("ask", self.asks), ("bid", self.bids)):
            for price in _best_first(side, levels)[:_CHECKSUM_LEVELS]:
                price_digits, size_digits = self._digits[side, price]
                if not price_digits or not size_digits:
                    return None
                text += f"{price_digits}{size_digits}"
        return zlib.crc32(text.encode("ascii"))

    def _set(
        self,
        side: str,
        levels: dict[float, float],
        changes: list[Level],
        digits: list[tuple[int, int]],
    ) -> None:
        for (price, size), exact in zip(changes, digits, strict=True):
            if size:
                levels[price] = size
                self._digits[side, price] = exact
            else:
                levels.pop(price, None)

    def _cut(self, side: str, levels: dict[float, float]) -> None:
        if self.depth is not None:
            for price in _best_first(side, levels)[self.depth :]:
                del levels[price]


def _best_first(side: str, levels: dict[float, float]) -> list[float]:
    return sorted(levels, reverse=side == "bid")


def _total_size(levels: list[Level]) -> float:
    total = 0.0
    for _, size in levels:
        total += size
    return total
