"""The grid by the letter of its rules: a loop over ticks, a loop over events, dicts and lists.

Slow and obvious; the engine is compared with it row for row.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from atelier_pipeline.market import OrderbookDelta
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.synchronise import ClockMode, SyncSettings
from atelier_pipeline_tests.synchronise.markets import EXCHANGE, NAMES, SYMBOL, Market, time_of

STATES = (Dataset.FUNDINGS, Dataset.OPEN_INTERESTS)
HARMLESS = {"silence", "late", "bad_time"}
DISCONNECTED = {"disconnect", "crash", "shutdown", "late_start", "rejected"}
DRIVERS = {
    ClockMode.OrderbookDriven: Dataset.ORDERBOOKS,
    ClockMode.TradeDriven: Dataset.TRADES,
    ClockMode.LiquidationDriven: Dataset.LIQUIDATIONS,
}


@dataclass
class Tick:
    """What one row is made of."""

    stamp: int
    book: OrderbookDelta | None
    last_message: object | None
    events: dict[Dataset, list]
    states: dict[Dataset, object]
    snapshot: dict = field(default_factory=dict)


@dataclass
class Reference:
    """The rows of a market at stamps first … last.

    With `live` a row knows only what was received before its deadline.
    """

    market: Market
    settings: SyncSettings
    live: bool = False

    def ticks(self, first: int, last: int) -> Iterator[Tick]:
        book = OrderbookDelta(**NAMES, depth=self.market.cut_depth)
        applied = 0
        messages = self._messages()
        for stamp in range(first, last + 1, self.settings.period_ns):
            while applied < len(messages) and self._counts(messages[applied], stamp):
                book.apply(messages[applied][0])
                applied += 1
            yield self._tick(stamp, book, messages, applied)

    def window(self) -> list[Tick]:
        window = self.market.window
        return list(self.ticks(window.start_ns + self.settings.period_ns, window.end_ns))

    def _messages(self) -> list[tuple]:
        """(message, its time, its receipt, is it an event), both times the largest so far."""
        if Dataset.ORDERBOOKS not in self.market.events:
            return []
        opening = self.market.opening.get(Dataset.ORDERBOOKS)
        messages, time, recv = [], -1, -1
        for message in self.market.states_and_events(Dataset.ORDERBOOKS):
            time = max(time, time_of(message, self.settings.clock))
            recv = max(recv, message.ts_recv)
            messages.append((message, time, recv, message is not opening))
        return messages

    def _deadline(self, stamp: int) -> int:
        return stamp + (self.settings.emission_delay_ns if self.settings.clock == "event" else 0)

    def _in_time(self, recv: int, stamp: int) -> bool:
        return not self.live or recv <= self._deadline(stamp)

    def _counts(self, message: tuple, stamp: int) -> bool:
        return message[1] < stamp and self._in_time(message[2], stamp)

    def _in_period(self, time: int, stamp: int) -> bool:
        return stamp - self.settings.period_ns <= time < stamp

    def _tick(self, stamp: int, book: OrderbookDelta, messages: list, applied: int) -> Tick:
        known = messages[:applied]
        tick = Tick(
            stamp,
            self._valid_book(stamp, book, messages, applied),
            known[-1][0] if known else None,
            {d: self._events(d, stamp) for d in (Dataset.TRADES, Dataset.LIQUIDATIONS)},
            {d: self.state(d, stamp) for d in STATES},
        )
        moved = self._moved(stamp, messages, tick)
        late = self._late(stamp, known, tick)
        age = stamp - known[-1][1] if known else None
        rests_on = [recv for _, _, recv, _ in known]
        rests_on += [e.ts_recv for events in tick.events.values() for e in events]
        rests_on += [state.ts_recv for state in tick.states.values() if state is not None]
        tick.snapshot = {
            "grid_ts": stamp,
            "symbol": SYMBOL,
            "exchange": EXCHANGE,
            "n_trades": self._count(Dataset.TRADES, tick),
            "n_liquidations": self._count(Dataset.LIQUIDATIONS, tick),
            "n_late": late,
            "bid_levels": len(self.levels(tick)[0]) if tick.book else None,
            "ask_levels": len(self.levels(tick)[1]) if tick.book else None,
            "book_valid": tick.book is not None,
            "book_age_ns": age if tick.book else None,
            "driven": self._driven(moved),
            "filled": not any(moved.values()),
            "gap": self._gap(stamp),
            "known_at": max([stamp, *rests_on]),
        }
        return tick

    def levels(self, tick: Tick) -> tuple[list, list]:
        book = tick.book.to_orderbook(tick.stamp)
        return book.bids[: self.settings.depth], book.asks[: self.settings.depth]

    def _valid_book(self, stamp, book, messages, applied) -> OrderbookDelta | None:
        """A copy of the book where it is whole and uncrossed."""
        snapshots = [recv for message, _, recv, _ in messages[:applied] if message.is_snapshot]
        if not snapshots or any(self._ended(g, stamp, messages, snapshots) for g in self._losses()):
            return None
        if book.bids and book.asks and max(book.bids) >= min(book.asks):
            return None
        copy = OrderbookDelta(**NAMES)
        copy.bids, copy.asks = dict(book.bids), dict(book.asks)
        return copy

    def _losses(self) -> list[dict]:
        return [
            g
            for g in self.market.gaps
            if g["symbol"] == SYMBOL
            and g["dataset"] == "orderbooks"
            and g["cause"] not in HARMLESS
            and g["ts_known"] is not None
        ]

    def _ended(self, loss: dict, stamp: int, messages: list, snapshots: list[int]) -> bool:
        known = loss["ts_known"]
        since = [time for _, time, recv, _ in messages if recv >= known]
        if stamp <= min([known, *since[:1]]):
            return False
        if loss["cause"] in {"checksum", "crossed"}:
            return not any(recv > known for recv in snapshots)
        return not any(recv >= known for recv in snapshots)

    def _events(self, dataset: Dataset, stamp: int) -> list:
        """The events of the period, ordered by ts_event, ts_recv and arrival."""
        events = [
            e
            for e in self.market.events.get(dataset, [])
            if self._in_period(time_of(e, self.settings.clock), stamp)
            and self._in_time(e.ts_recv, stamp)
        ]
        return sorted(events, key=lambda e: (e.ts_event, e.ts_recv))

    def state(self, dataset: Dataset, stamp: int) -> object | None:
        if dataset not in self.market.events:
            return None
        last = None
        for e in self.market.states_and_events(dataset):
            before = time_of(e, self.settings.clock) < stamp and self._in_time(e.ts_recv, stamp)
            if before and (last is None or self._order(e) >= self._order(last)):
                last = e
        return last

    def _order(self, event) -> tuple[int, int]:
        if self.settings.clock == "event":
            return (event.ts_event, event.ts_recv)
        return (event.ts_recv, event.ts_event)

    def _moved(self, stamp: int, messages: list, tick: Tick) -> dict[Dataset, int]:
        moved = {dataset: len(events) for dataset, events in tick.events.items()}
        moved[Dataset.ORDERBOOKS] = sum(
            is_event and self._in_period(time, stamp) and self._in_time(recv, stamp)
            for _, time, recv, is_event in messages
        )
        for dataset in STATES:
            moved[dataset] = len(self._events(dataset, stamp))
        return moved

    def _late(self, stamp: int, known: list, tick: Tick) -> int:
        """Late events of the period, and late ones from before that a state rests on."""
        deadline = self._deadline(stamp)
        late = sum(is_event and recv > deadline for _, _, recv, is_event in known)
        late += sum(e.ts_recv > deadline for events in tick.events.values() for e in events)
        for dataset in STATES:
            rests_on = self._events(dataset, stamp)
            state = tick.states[dataset]
            if state is not None and not any(state is e for e in rests_on):
                rests_on = [*rests_on, state]
            late += sum(e.ts_recv > deadline for e in rests_on)
        return late

    def _count(self, dataset: Dataset, tick: Tick) -> int | None:
        if dataset not in self.market.events:
            return None
        if not tick.events[dataset] and self._unheard(dataset, tick.stamp):
            return None
        return len(tick.events[dataset])

    def _unheard(self, dataset: Dataset, stamp: int) -> bool:
        """Walks through the period from one disconnection into the next that overlaps it."""
        spans = [
            (g["ts_start"] or 0, g["ts_end"] or 2**62)
            for g in self.market.gaps
            if g["symbol"] == SYMBOL
            and g["dataset"] == dataset.value
            and g["cause"] in DISCONNECTED
        ]
        reached = stamp - self.settings.period_ns
        while reached < stamp:
            further = [end for start, end in spans if start <= reached < end]
            if not further:
                return False
            reached = max(further)
        return True

    def _driven(self, moved: dict[Dataset, int]) -> bool:
        driver = DRIVERS.get(self.settings.mode)
        return driver is None or moved[driver] > 0

    def _gap(self, stamp: int) -> bool:
        start = stamp - self.settings.period_ns
        return any(
            (g["ts_start"] or 0) < stamp
            and max(g["ts_end"] or 2**62, (g["ts_start"] or 0) + 1) > start
            for g in self.market.gaps
            if g["symbol"] == SYMBOL and g["cause"] not in {"silence", "late"}
        )
