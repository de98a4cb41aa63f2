"""Where the events of a link go: trays by symbol and dataset, and what the link remembers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from atelier_pipeline.decode.links import Link
from atelier_pipeline.decode.scope import Scope
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.events import FundingRate, OpenInterest, TickerUpdate


@dataclass(slots=True)
class Tray:
    """The events of one feed since the last flush, and the ordinals of their frames."""

    frames: list[int] = field(default_factory=list[int])
    events: list[Any] = field(default_factory=list[Any])


class Trays:
    """The trays of one symbol; None where its dataset is not captured."""

    __slots__ = ("books", "by_dataset", "depth", "fundings", "interests", "liquidations", "trades")

    def __init__(self, datasets: frozenset[Dataset], depth: int | None) -> None:
        self.depth = depth
        self.by_dataset = {dataset: Tray() for dataset in Dataset if dataset in datasets}
        self.books = self.by_dataset.get(Dataset.ORDERBOOKS)
        self.trades = self.by_dataset.get(Dataset.TRADES)
        self.liquidations = self.by_dataset.get(Dataset.LIQUIDATIONS)
        self.fundings = self.by_dataset.get(Dataset.FUNDINGS)
        self.interests = self.by_dataset.get(Dataset.OPEN_INTERESTS)


class TickerState(msgspec.Struct):
    """The fields of a symbol's ticker so far, None where no message has held one."""

    funding_rate: float | None = None
    next_funding_ts: int | None = None
    interval_hours: float | None = None
    open_interest: float | None = None
    open_interest_value: float | None = None

    def take(self, update: TickerUpdate) -> None:
        """Adds what a message said."""
        for name in self.__struct_fields__:
            value = getattr(update, name)
            if value is not None:
                setattr(self, name, value)

    def funding(self, update: TickerUpdate) -> FundingRate | None:
        """The funding rate after a message; None where it said nothing of it, or none is known."""
        said = (update.funding_rate, update.next_funding_ts, update.interval_hours)
        if self.funding_rate is None or said == (None, None, None):
            return None
        return FundingRate(
            exchange=update.exchange,
            symbol=update.symbol,
            funding_rate=self.funding_rate,
            next_funding_ts=self.next_funding_ts,
            ts_event=update.ts_event,
            ts_recv=update.ts_recv,
            interval_hours=self.interval_hours,
        )

    def interest(self, update: TickerUpdate) -> OpenInterest | None:
        """The open interest after a message; None where it said nothing of it, or none is known."""
        said = (update.open_interest, update.open_interest_value)
        if self.open_interest is None or said == (None, None):
            return None
        return OpenInterest(
            exchange=update.exchange,
            symbol=update.symbol,
            open_interest=self.open_interest,
            open_interest_value=self.open_interest_value,
            ts_event=update.ts_event,
            ts_recv=update.ts_recv,
        )


class Station:
    """A link, the trays of each symbol that its feed names, and what it carries on.

    Attributes:
        ordinal: the link's.
        routes: trays by the feed's symbol; two subscribed symbols may answer under one.
        named: subscribed symbols by the feed's symbol.
        tickers: merged tickers by the feed's symbol.
        last_number: number of the last numbered frame.
    """

    __slots__ = ("last_number", "named", "ordinal", "routes", "tickers")

    def __init__(self, link: Link, scope: Scope, trays: Mapping[str, Trays]) -> None:
        self.ordinal = link.ordinal
        self.routes: dict[str, list[Trays]] = {}
        self.named: dict[str, list[str]] = {}
        self.tickers: dict[str, TickerState] = {}
        self.last_number: int | None = None
        for symbol in link.symbols:
            feed_symbol = scope.exchange.feed_symbol(symbol)
            self.routes.setdefault(feed_symbol, []).append(trays[symbol])
            self.named.setdefault(feed_symbol, []).append(symbol)

    def merged(self, update: TickerUpdate) -> TickerState:
        """The ticker that a message belongs to, with the message merged in."""
        state = self.tickers.get(update.symbol)
        if state is None or update.is_snapshot:
            state = self.tickers[update.symbol] = TickerState()
        state.take(update)
        return state
