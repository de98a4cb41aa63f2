"""The book keeper against a plain reading of its rules: one message at a time over a dict."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from zlib import crc32

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from atelier_pipeline.decode.columns import Arrivals, BookMessages, book_messages_of
from atelier_pipeline.decode.keeper import BookKeeper, BookLoss
from atelier_pipeline.decode.links import Break
from atelier_pipeline.market.events import NormalizedDelta
from atelier_pipeline_tests.decode.script import SEC, at, book


@dataclass(frozen=True)
class Told:
    """A message or, where `event` is None, a break of a link."""

    frame: int
    link: int
    event: NormalizedDelta | None


@dataclass
class Plain:
    """The rules of one book, one message after the other."""

    integrity: str
    levels: dict[tuple[bool, float], tuple[float, tuple[int, int]]] = field(default_factory=dict)
    whole: bool = False
    begun: bool = False
    link: int = -1
    number: int = -1
    time: int = 0
    after_snapshot: bool = False
    broken_since: bool = False
    crossed_since: int | None = None
    good: int = 0
    crossed_recv: int = 0
    losses: list[BookLoss] = field(default_factory=list)
    judged: list[tuple[int, bool, bool]] = field(default_factory=list)

    def break_link(self, link: int) -> None:
        if link == self.link:
            self.whole, self.broken_since, self.crossed_since = False, True, None

    def take(self, told: Told) -> None:
        event = told.event
        assert event is not None
        if told.link < self.link or self.is_repeat(told, event):
            return
        follows = told.link == self.link
        previous, self.time = self.time, max(self.time, event.ts_event)
        if not follows:
            self.whole = self.begun = False
            self.crossed_since = None
        if event.is_snapshot:
            self.levels.clear()
            self.losses = [
                loss if loss.end is not None else BookLoss(**fields(loss) | {"end": self.time})
                for loss in self.losses
            ]
            self.whole = self.begun = True
        held = self.check_number(told, event, previous, follows=follows)
        self.change(event)
        held = self.check_sum(told, event, previous) or held
        self.check_crossing(told, event, previous)
        self.link, self.number = told.link, self.number_of(event)
        self.after_snapshot, self.broken_since = event.is_snapshot, False
        self.judged.append((self.time, self.whole, held and self.whole))

    def number_of(self, event: NormalizedDelta) -> int:
        return -1 if event.update_id is None else event.update_id

    def is_repeat(self, told: Told, event: NormalizedDelta) -> bool:
        return (
            self.integrity == "update_id"
            and event.is_snapshot
            and self.after_snapshot
            and told.link == self.link
            and event.update_id == self.number
            and not self.broken_since
        )

    def lose(self, cause: str, told: Told, start: int, **more: int | None) -> None:
        event = told.event
        assert event is not None
        known = event.ts_event
        found = {"cause": cause, "frame": told.frame, "start": start or self.time, "known": known}
        self.losses.append(BookLoss(**found | more))  # pyright: ignore[reportArgumentType]

    def check_number(
        self, told: Told, event: NormalizedDelta, previous: int, *, follows: bool
    ) -> bool:
        if self.integrity != "update_id" or event.is_snapshot or not self.begun or not follows:
            return False
        after = self.number_of(event)
        if after == self.number + 1:
            return True
        lost = after - self.number - 1 if after > self.number else None
        self.lose("sequence", told, previous, before=self.number, after=after, lost=lost)
        self.whole = False
        return False

    def change(self, event: NormalizedDelta) -> None:
        digits = event.digits or [(0, 0)] * (len(event.bids) + len(event.asks))
        sides = [(True, *level) for level in event.bids] + [(False, *lvl) for lvl in event.asks]
        for (is_bid, price, size), digit in zip(sides, digits, strict=True):
            self.levels.pop((is_bid, price), None)
            if size:
                self.levels[is_bid, price] = (size, digit)

    def check_sum(self, told: Told, event: NormalizedDelta, previous: int) -> bool:
        if event.checksum is None or not self.whole or not self.levels:
            return False
        if checksum_of(self.levels) == event.checksum:
            return True
        self.lose("checksum", told, previous)
        self.whole = False
        return False

    def best(self) -> tuple[float, float]:
        bids = [price for is_bid, price in self.levels if is_bid]
        asks = [price for is_bid, price in self.levels if not is_bid]
        return max(bids, default=-np.inf), min(asks, default=np.inf)

    def check_crossing(self, told: Told, event: NormalizedDelta, previous: int) -> None:
        since = self.crossed_since
        if since is not None and self.whole and self.time - since > SEC:
            if event.is_snapshot:
                self.lose("crossed", told, self.good, known=self.crossed_recv, end=self.time)
            else:
                self.lose("crossed", told, self.good)
                self.whole = False
            since = None
        bid, ask = self.best()
        if not self.whole or bid < ask:
            self.crossed_since = None
        elif since is None:
            self.crossed_since, self.good = self.time, previous
            self.crossed_recv = event.ts_event
        else:
            self.crossed_since = since


def fields(loss: BookLoss) -> dict[str, object]:
    return {name: getattr(loss, name) for name in BookLoss.__dataclass_fields__}


def checksum_of(levels: dict[tuple[bool, float], tuple[float, tuple[int, int]]]) -> int:
    asks = sorted((price, digits) for (is_bid, price), (_, digits) in levels.items() if not is_bid)
    bids = sorted((-price, digits) for (is_bid, price), (_, digits) in levels.items() if is_bid)
    texts = [f"{price}{size}" for _, (price, size) in asks[:10] + bids[:10]]
    return crc32("".join(texts).encode())


@st.composite
def tellings(draw: st.DrawFn) -> tuple[str, list[Told]]:
    """Messages and breaks, mostly sound: broken books alone would prove little."""
    integrity = draw(st.sampled_from(["update_id", "checksum_top10", "none"]))
    model: dict[tuple[bool, float], tuple[float, tuple[int, int]]] = {}
    told: list[Told] = []
    second, number, link = 0.0, 1, 0
    for frame in range(draw(st.integers(0, 30))):
        kind = draw(st.sampled_from(["delta"] * 6 + ["snapshot", "snapshot", "break", "link"]))
        second += draw(st.sampled_from([0.0, 0.2, 0.7, -0.1]))
        if kind == "break":
            told.append(Told(frame, draw(st.integers(0, link)), None))
            continue
        link += kind == "link"
        is_snapshot = kind != "delta" or not told
        number += draw(st.sampled_from([1, 1, 1, 1, 0, 2]))
        prices = st.lists(st.tuples(st.integers(95, 104), st.integers(0, 3)), max_size=4)
        bids = [(float(p), float(s)) for p, s in draw(prices)]
        asks = [(float(p + draw(st.sampled_from([6, 6, 6, 0]))), float(s)) for p, s in draw(prices)]
        event = book(second, bids, asks, snapshot=is_snapshot, number=number, digits=True)
        if is_snapshot:
            model.clear()
        shadow = Plain(integrity, model)
        shadow.change(event)
        wrong = draw(st.integers(0, 9)) == 0
        checksum = None
        if integrity == "checksum_top10" and all(size for _, size in [*bids, *asks]):
            checksum = 1 if wrong else checksum_of(model)
        late = draw(st.integers(0, 7)) == 0
        event = book(
            second, bids, asks, snapshot=is_snapshot, number=number, digits=True, checksum=checksum
        )
        told.append(Told(frame, max(link - late, 0), event))
    return integrity, told


def columns_of(told: Sequence[Told]) -> BookMessages:
    events = [each.event for each in told if each.event is not None]
    times = np.array([event.ts_event for event in events], np.int64)
    flags = np.zeros(len(events), np.bool_)
    frames = np.array([each.frame for each in told if each.event is not None], np.int64)
    links = np.array([each.link for each in told if each.event is not None], np.int64)
    return book_messages_of(Arrivals(frames, links, times, times, flags, flags), events)


def breaks_of(told: Sequence[Told]) -> list[Break]:
    return [Break(each.link, each.frame, at(0), "overflow") for each in told if each.event is None]


@settings(max_examples=150, deadline=None)
@given(telling=tellings(), cuts=st.lists(st.integers(0, 30), max_size=4))
def test_a_keeper_judges_as_a_plain_reading_does(
    telling: tuple[str, list[Told]], cuts: list[int]
) -> None:
    integrity, told = telling
    plain = Plain(integrity)
    for each in told:
        if each.event is None:
            plain.break_link(each.link)
        else:
            plain.take(each)
    keeper = BookKeeper(None, integrity)
    judged: list[tuple[int, bool, bool]] = []
    edges = sorted({0, len(told), *(cut for cut in cuts if cut <= len(told))})
    for start, end in pairwise(edges):
        part = keeper.take(columns_of(told[start:end]), breaks_of(told[start:end]))
        judged += zip(part.time.tolist(), part.whole.tolist(), part.held.tolist(), strict=True)
    assert judged == plain.judged
    assert sorted(keeper.losses, key=repr) == sorted(plain.losses, key=repr)
    assert keeper.whole == plain.whole


def test_the_book_before_a_stop_is_that_after_the_last_message_before_it() -> None:
    events = [
        book(1, [(100, 1)], [(101, 1)], snapshot=True, number=1),
        book(2, [(100, 2)], number=2),
        book(4, [(100, 4)], number=3),
        book(3, [(100, 3)], number=4),
        book(6, [(100, 6)], number=5),
    ]
    told = [Told(frame, 0, event) for frame, event in enumerate(events)]
    stops = [at(second) for second in (1, 3, 5, 9)]
    keeper = BookKeeper(None, "update_id", stops)
    for each in told:
        keeper.take(columns_of([each]), [])
    books = [keeper.before(stop) for stop in stops]
    assert [book.bids.tolist() for book in books] == [[], [[100, 2]], [[100, 3]], [[100, 6]]]
    assert [book.whole for book in books] == [False, True, True, True]
    assert [book.update_id for book in books] == [-1, 2, 4, 5]
    assert [book.ts_event for book in books] == [0, at(2), at(3), at(6)]
