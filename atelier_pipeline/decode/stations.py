"""Where the events of a link go: trays by symbol and dataset, and what the link remembers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from atelier_pipeline.decode.book_parts import BookPart, joined_parts
from atelier_pipeline.decode.columns import (
    COLUMNS_OF,
    Arrivals,
    Flags,
    Ints,
    book_columns_of,
    ints,
    messages_of,
    past_of,
)
from atelier_pipeline.decode.links import Link
from atelier_pipeline.decode.scope import Scope
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.events import FundingRate, OpenInterest, TickerUpdate


@dataclass(frozen=True, slots=True)
class Brought:
    """What a feed brought in a stretch; arrays of one length, in order of arrival.

    Attributes:
        frame: ordinals of the frames.
        ts_event: the exchange's times, UTC ns, 0 = absent.
        is_past: what tells of the past or of a state, so that its time may be old.
        columns_of: all of it, given how it arrived.
    """

    frame: Ints
    ts_event: Ints
    is_past: Flags
    columns_of: Callable[[Arrivals], Arrivals]


@dataclass(slots=True)
class Tray:
    """What one feed brought since the last flush.

    Attributes:
        frames, events: its events, and the ordinals of their frames.
        parts: of a book, the messages that are columns already.
    """

    frames: list[int] = field(default_factory=list[int])
    events: list[Any] = field(default_factory=list[Any])
    parts: list[BookPart] = field(default_factory=list[BookPart])

    def emptied(self, dataset: Dataset) -> Brought:
        """Everything in it, which then is no more."""
        frames, events, parts = self.frames, self.events, self.parts
        self.frames, self.events, self.parts = [], [], []
        if dataset is Dataset.ORDERBOOKS:
            if events:
                parts.append(BookPart(ints(frames), book_columns_of(events)))
            return _brought_books(joined_parts(parts))
        return Brought(
            frame=ints(frames),
            ts_event=ints([event.ts_event for event in events]),
            is_past=past_of(events),
            columns_of=lambda arrivals: COLUMNS_OF[dataset](arrivals, events),
        )


def _brought_books(part: BookPart) -> Brought:
    return Brought(
        frame=part.frame,
        ts_event=part.columns.ts_event,
        is_past=part.columns.is_snapshot,
        columns_of=lambda arrivals: messages_of(arrivals, part.columns),
    )


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
    """

    __slots__ = ("named", "ordinal", "routes", "tickers")

    def __init__(self, link: Link, scope: Scope, trays: Mapping[str, Trays]) -> None:
        self.ordinal = link.ordinal
        self.routes: dict[str, list[Trays]] = {}
        self.named: dict[str, list[str]] = {}
        self.tickers: dict[str, TickerState] = {}
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
