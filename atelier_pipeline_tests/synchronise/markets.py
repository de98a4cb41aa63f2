"""Small markets for tests: events as objects, random or by hand, and the raw tables they make."""

import random
from dataclasses import dataclass, field, replace

import pyarrow as pa
from hypothesis import strategies as st

from atelier_pipeline.lake.schemas import GAPS, RAW
from atelier_pipeline.market import (
    FundingRate,
    Liquidation,
    NormalizedDelta,
    OpenInterest,
    Trade,
)
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.window import Window

EXCHANGE, SYMBOL = "bybit", "BTCUSDT"
MS = 1_000_000
SECOND = 1_000 * MS
T0 = 1_700_000_000 * SECOND
PERIOD = 100 * MS
DELAY = 200 * MS
NAMES = {"exchange": EXCHANGE, "symbol": SYMBOL}
WINDOW = Window(T0, T0 + SECOND)


@dataclass(frozen=True)
class Market:
    """Events by dataset, in order of arrival; `opening` holds the states from before by dataset.

    A dataset that `events` does not hold was not captured.
    """

    events: dict[Dataset, list]
    opening: dict[Dataset, object] = field(default_factory=dict)
    gaps: list[dict] = field(default_factory=list)
    cut_depth: int | None = None
    window: Window = WINDOW

    def states_and_events(self, dataset: Dataset) -> list:
        opening = self.opening.get(dataset)
        return ([] if opening is None else [opening]) + self.events[dataset]

    def raw(self) -> dict[Dataset, pa.Table]:
        return {dataset: self.table(dataset) for dataset in self.events}

    def table(self, dataset: Dataset) -> pa.Table:
        """The raw table as a capture leaves it: books by arrival, the others by time."""
        events = self.events[dataset]
        if dataset is not Dataset.ORDERBOOKS:
            events = sorted(events, key=lambda e: (e.ts_event, e.ts_recv))
        return raw_table(dataset, events, self.opening.get(dataset))

    def gap_table(self) -> pa.Table:
        return pa.Table.from_pylist(self.gaps, schema=GAPS)

    def up_to(self, time_ns: int, clock: str) -> "Market":
        """The same market without the events from a time on."""
        return replace(
            self,
            events={
                dataset: [e for e, t in self._timed(dataset, clock) if t < time_ns]
                for dataset in self.events
            },
        )

    def _timed(self, dataset: Dataset, clock: str) -> list[tuple]:
        return list(zip(self.events[dataset], self.times(dataset, clock), strict=True))

    def times(self, dataset: Dataset, clock: str) -> list[int]:
        """The time of each event; a book's only grows."""
        times = [e.ts_event if clock == "event" else e.ts_recv for e in self.events[dataset]]
        if dataset is Dataset.ORDERBOOKS:
            opening = self.opening.get(dataset)
            newest = -1 if opening is None else time_of(opening, clock)
            times = [newest := max(newest, time) for time in times]
        return times


def time_of(event, clock: str) -> int:
    return event.ts_event if clock == "event" else event.ts_recv


def raw_table(dataset: Dataset, events: list, opening=None) -> pa.Table:
    marked = ([] if opening is None else [(opening, True)]) + [(e, False) for e in events]
    to_rows = _book_rows if dataset is Dataset.ORDERBOOKS else _row
    rows = [
        row
        for message, (event, is_opening) in enumerate(marked, start=opening is None)
        for row in to_rows(event, {"opening": is_opening, "message": message})
    ]
    return pa.Table.from_pylist(rows, schema=RAW[dataset])


def _book_rows(m: NormalizedDelta, marks: dict) -> list[dict]:
    return [
        {
            **NAMES,
            "orderbook_ts": m.ts_event,
            "side": side,
            "level": level if m.is_snapshot else None,
            "price": price,
            "size": size,
            "ts_event": m.ts_event,
            "ts_recv": m.ts_recv,
            "is_snapshot": m.is_snapshot,
            **marks,
        }
        for side, levels in (("bid", m.bids), ("ask", m.asks))
        for level, (price, size) in enumerate(levels)
    ]


def _row(event, marks: dict) -> list[dict]:
    row = {name: getattr(event, name) for name in event.__struct_fields__}
    ms = event.ts_event // MS
    return [{**row, **marks, "ts": ms, "trade_ts": ms, "liquidation_ts": ms}]


def book_message(ts_event, bids=(), asks=(), *, ts_recv=None, is_snapshot=False):
    return NormalizedDelta(
        **NAMES,
        ts_event=ts_event,
        ts_recv=ts_event if ts_recv is None else ts_recv,
        is_snapshot=is_snapshot,
        bids=list(bids),
        asks=list(asks),
    )


def trade(ts_event, price=100.0, amount=1.0, *, side="buy", ts_recv=None, trade_id="t"):
    recv = ts_event if ts_recv is None else ts_recv
    return Trade(
        **NAMES, side=side, price=price, amount=amount, id=trade_id, ts_event=ts_event, ts_recv=recv
    )


def liquidation(ts_event, price=100.0, amount=1.0, *, side="buy", ts_recv=None):
    recv = ts_event if ts_recv is None else ts_recv
    return Liquidation(
        **NAMES, side=side, price=price, amount=amount, ts_event=ts_event, ts_recv=recv
    )


def funding(ts_event, rate=0.0001, *, next_ms=None, hours=None, ts_recv=None):
    return FundingRate(
        **NAMES,
        funding_rate=rate,
        next_funding_ts=next_ms,
        interval_hours=hours,
        ts_event=ts_event,
        ts_recv=ts_event if ts_recv is None else ts_recv,
    )


def open_interest(ts_event, contracts=1000.0, *, value=None, ts_recv=None):
    return OpenInterest(
        **NAMES,
        open_interest=contracts,
        open_interest_value=value,
        ts_event=ts_event,
        ts_recv=ts_event if ts_recv is None else ts_recv,
    )


def gap(dataset, cause, start, end, known=None, *, symbol=SYMBOL):
    return {
        "exchange": EXCHANGE,
        "symbol": symbol,
        "dataset": dataset.value,
        "cause": cause,
        "ts_start": start,
        "ts_end": end,
        "ts_known": known,
    }


CAUSES = [
    "sequence",
    "checksum",
    "disconnect",
    "crash",
    "late_start",
    "rejected",
    "crossed",
    "bad_time",
    "late",
    "silence",
]


class _Maker:
    """Events whose times often fall on a tick, come late, and overtake one another."""

    def __init__(self, seed: int, window: Window, step: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - made-up markets, no secrets
        self.window = window
        self.step = step

    def times(self, count: int) -> list[tuple[int, int]]:
        """(ts_event, ts_recv) in order of arrival, from a little before the window's end."""
        recv, times = self.window.start_ns, []
        for _ in range(count):
            recv += self.random.choice([0, 1, 1, 2, 3]) * self.step
            delay = self.random.choice([0, 0, 1, 1, 2, 5, 9, 14])
            event = max(recv - delay * self.step, self.window.start_ns)
            times.append((event - self.random.choice([0, 0, 0, -1]), recv))
        return [(event, recv) for event, recv in times if event < self.window.end_ns]

    def levels(self, low: int, high: int, most: int) -> list[tuple[float, float]]:
        sizes = [0.0, 0.0, 0.1, 0.7, 1.3, 2.9]
        return [
            (self.random.randint(low, high) / 10, self.random.choice(sizes))
            for _ in range(self.random.randint(0, most))
        ]

    def message(self, event: int, recv: int, *, snapshot: bool) -> NormalizedDelta:
        bids, asks = self.levels(980, 1001, 5), self.levels(1000, 1020, 5)
        return book_message(
            event,
            bids or [(98.0, 1.0)],
            asks,
            ts_recv=recv,
            is_snapshot=snapshot,
        )

    def amount(self) -> float:
        return self.random.choice([0.1, 0.2, 0.3, 1.7, 12.9])

    def price(self) -> float:
        return self.random.randint(990, 1010) / 10

    def event(self, dataset: Dataset, event: int, recv: int):
        choose = self.random.choice
        side, times = choose(["buy", "sell"]), {"ts_recv": recv}
        if dataset is Dataset.ORDERBOOKS:
            return self.message(event, recv, snapshot=choose([True] + 9 * [False]))
        if dataset is Dataset.TRADES:
            name = str(self.random.random())
            return trade(event, self.price(), self.amount(), side=side, trade_id=name, **times)
        if dataset is Dataset.LIQUIDATIONS:
            return liquidation(event, self.price(), self.amount(), side=side, **times)
        if dataset is Dataset.FUNDINGS:
            next_ms = choose([None, self.window.end_ns // MS + 7])
            hours = choose([None, 1.0, 4.0, 8.0])
            return funding(event, choose([1e-4, -3e-5]), next_ms=next_ms, hours=hours, **times)
        contracts, value = choose([1000.1, 1000.7]), choose([None, 5e7])
        return open_interest(event, contracts, value=value, **times)

    def opening(self, dataset: Dataset):
        event = self.window.start_ns - self.random.choice([1, 3, 20]) * self.step
        if dataset is Dataset.ORDERBOOKS:
            return self.message(event, event + 1, snapshot=True)
        return self.event(dataset, event, event + self.random.choice([0, 1, 30]) * self.step)

    def gap(self) -> dict:
        start = self.window.start_ns + self.random.randint(-5, 35) * self.step
        end = start + self.random.choice([0, 1, 4, 20]) * self.step
        known = self.random.choice([None, start, end, end + self.step, end + 5 * self.step])
        return gap(
            self.random.choice(list(Dataset)),
            self.random.choice(CAUSES),
            self.random.choice([start, start, None]),
            self.random.choice([end, end, end, None]),
            known,
            symbol=self.random.choice([SYMBOL, SYMBOL, "ETHUSDT"]),
        )


def random_market(
    seed: int,
    *,
    counts: dict[Dataset, int],
    gaps: int = 0,
    openings: frozenset[Dataset] = frozenset(Dataset),
    cut_depth: int | None = None,
    window: Window = WINDOW,
    step: int = 25 * MS,
) -> Market:
    maker = _Maker(seed, window, step)
    states = [Dataset.ORDERBOOKS, Dataset.FUNDINGS, Dataset.OPEN_INTERESTS]
    return Market(
        events={
            dataset: [maker.event(dataset, *times) for times in maker.times(count)]
            for dataset, count in counts.items()
        },
        opening={d: maker.opening(d) for d in states if d in openings and d in counts},
        gaps=[maker.gap() for _ in range(gaps)],
        cut_depth=cut_depth,
        window=window,
    )


def markets() -> st.SearchStrategy:
    counts = st.dictionaries(st.sampled_from(list(Dataset)), st.integers(0, 25))
    return st.builds(
        random_market,
        st.integers(0, 2**32),
        counts=counts,
        gaps=st.integers(0, 3),
        openings=st.frozensets(st.sampled_from(list(Dataset))),
        cut_depth=st.sampled_from([None, 3]),
    )
