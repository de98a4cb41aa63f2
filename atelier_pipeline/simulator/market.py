"""The seeded market: a fair price per asset and, around it, an order book per symbol.

Prices and sizes are integers, in units of the listing's last digit. Randomness and time are passed
in. What lives here knows nothing of messages: the exchanges of this package turn its steps into
theirs.
"""

import math
from bisect import bisect_left, insort
from random import Random
from typing import NamedTuple

from atelier_pipeline.simulator.listings import Listing

_FAIR_STEP_NS = 10_000_000
_FASTEST_WAVE_S = 2.0
_SLOWEST_WAVE_S = 86_400.0
_WAVES = 14
_MOVE_PER_ROOT_SECOND = 4e-6

_TYPICAL_NOTIONAL = 4_000.0
_FEWEST_LEVELS = 20
_MOST_LEVELS_LEFT_BEHIND = 60
_MOST_LEVELS_HIT = 3
_TAKER_SHARE = 0.15
_DEEP_SHARE = 0.06
_REMOVE_SHARE = 0.5
_ROUND_LOT_SHARE = 0.2
_NARROW_SHARE = 0.7
_NEAR_SHARE = 1e-5
_NEAR_TICKS = 5.0


class FairPrice:
    """A price that wanders like a random walk but stays in its neighbourhood.

    A sum of sine waves with random phases, whose amplitude grows with the square root of their
    period: a function of seed and time alone, so that all exchanges agree on it and a server that
    starts again finds it where it was.
    """

    def __init__(self, rng: Random, level: float) -> None:
        self.level = level
        ratio = (_SLOWEST_WAVE_S / _FASTEST_WAVE_S) ** (1 / (_WAVES - 1))
        periods = [_FASTEST_WAVE_S * ratio**k for k in range(_WAVES)]
        self._waves = [
            (math.tau / (period * 1e9), rng.random() * math.tau, math.sqrt(period))
            for period in periods
        ]
        self._step = -1
        self._price = level

    def at(self, time_ns: int) -> float:
        """The fair price at `time_ns`, in US dollars, constant over steps of 10 ms."""
        step = time_ns // _FAIR_STEP_NS
        if step != self._step:
            at_ns = step * _FAIR_STEP_NS
            move = sum(size * math.sin(at_ns * pace + phase) for pace, phase, size in self._waves)
            self._price = self.level * (1 + _MOVE_PER_ROOT_SECOND * move)
            self._step = step
        return self._price


class Ladder:
    """One side of a book, best first.

    A key is the price on the ask side and minus the price on the bid side: the best level always
    has the smallest key, and one rule serves both sides.
    """

    __slots__ = ("is_bid", "keys", "sign", "sizes")

    def __init__(self, *, is_bid: bool) -> None:
        self.is_bid = is_bid
        self.sign = -1 if is_bid else 1
        self.keys: list[int] = []
        self.sizes: dict[int, int] = {}

    def put(self, key: int, size: int) -> int:
        """Set a level, or delete it with size 0. Returns the size it had."""
        before = self.sizes.get(key, 0)
        if size:
            if not before:
                insort(self.keys, key)
            self.sizes[key] = size
        elif before:
            del self.sizes[key]
            del self.keys[bisect_left(self.keys, key)]
        return before

    def levels(self, depth: int | None = None) -> list[tuple[int, int]]:
        """The best `depth` levels as (price, size) in units, best first; None = all."""
        return [(self.sign * key, self.sizes[key]) for key in self.keys[:depth]]


class Change(NamedTuple):
    """A level's new size; 0 = gone. `key` as in Ladder."""

    is_bid: bool
    key: int
    size: int
    before: int


class Fill(NamedTuple):
    """One resting order met by one aggressive order. `taker` numbers the aggressive order."""

    ts: int
    id: int
    is_taker_buy: bool
    price: int
    size: int
    taker: int


class Step(NamedTuple):
    """What happened to one symbol at one instant, in order."""

    ts: int
    changes: list[Change]
    fills: list[Fill]


class Liquidation(NamedTuple):
    """A position closed by force; `price` is its bankruptcy price."""

    ts: int
    is_long: bool
    price: int
    size: int


class Instrument:
    """The order flow of one symbol. Its book is never crossed and never empty on a side."""

    def __init__(self, listing: Listing, fair: FairPrice, rng: Random, *, levels: int) -> None:
        self.listing = listing
        self.asks = Ladder(is_bid=False)
        self.bids = Ladder(is_bid=True)
        self._fair = fair
        self._rng = rng
        self._levels = levels
        self._per_dollar = 10**listing.price_digits
        self._near = max(_NEAR_TICKS, _NEAR_SHARE * fair.level * self._per_dollar / listing.tick)
        self._typical = max(4, round(_TYPICAL_NOTIONAL / fair.level * 10**listing.size_digits))
        self._round_lot = 10 ** max(0, listing.size_digits - 2)
        self._trade_id = rng.randrange(10**6, 10**9)
        self._taker = 0
        self._now = 0
        self._changes: list[Change] = []
        self._fills: list[Fill] = []

    def open(self, now: int) -> None:
        """Fill an empty book around the fair price."""
        tick = self.listing.tick
        centre = self._centre(now)
        for ladder in (self.asks, self.bids):
            key = math.ceil(ladder.sign * centre / tick) * tick + tick
            for rank in range(self._levels):
                if ladder.sign * key <= 0:
                    break
                ladder.put(key, self._size())
                gap = self._near / 10 + rank * self._near / 500
                key += tick * (1 + int(self._rng.expovariate(1 / gap)))

    def step(self, now: int) -> Step:
        """One instant of order flow: quotes, and now and then a trade that hits them."""
        self._begin(now)
        centre = self._centre(now)
        self._follow(self.asks, centre)
        self._follow(self.bids, -centre)
        if self._rng.random() < _TAKER_SHARE:
            ladder = self._either()
            self._take(ladder, self._taker_size(ladder))
        for _ in range(1 + min(7, int(self._rng.expovariate(0.7)))):
            self._requote()
        self._narrow(self.asks, self.bids, centre)
        self._narrow(self.bids, self.asks, -centre)
        self._keep_populated()
        return Step(now, self._changes, self._fills)

    def liquidate(self, now: int) -> tuple[Step, Liquidation]:
        """Close a position by force: an aggressive order, and its public record."""
        self._begin(now)
        is_long = self._rng.random() < 0.5  # noqa: PLR2004 - either side, equally likely
        ladder = self.bids if is_long else self.asks
        self._take(ladder, self._taker_size(ladder) + self._size())
        size = sum(fill.size for fill in self._fills)
        tick = self.listing.tick
        beyond = 1 + int(self._fills[-1].price * (0.002 + 0.003 * self._rng.random()) / tick)
        price = self._fills[-1].price + tick * beyond * (-1 if is_long else 1)
        step = Step(now, self._changes, self._fills)
        return step, Liquidation(now, is_long, max(tick, price), size)

    def _begin(self, now: int) -> None:
        self._now = now
        self._changes = []
        self._fills = []

    def _centre(self, now: int) -> float:
        return self._fair.at(now) * self._per_dollar

    def _either(self) -> Ladder:
        return self.asks if self._rng.random() < 0.5 else self.bids  # noqa: PLR2004 - a fair coin

    def _size(self) -> int:
        size = 1 + int(self._typical * self._rng.expovariate(1.0))
        if size > self._round_lot and self._rng.random() < _ROUND_LOT_SHARE:
            size -= size % self._round_lot
        return size

    def _taker_size(self, ladder: Ladder) -> int:
        if self._rng.random() < 0.3:  # noqa: PLR2004 - some takers want exactly what is shown
            return ladder.sizes[ladder.keys[0]]
        return 1 + self._size() // 2

    def _put(self, ladder: Ladder, key: int, size: int) -> None:
        before = ladder.put(key, size)
        self._changes.append(Change(ladder.is_bid, key, size, before))

    def _take(self, ladder: Ladder, wanted: int) -> None:
        self._taker += 1
        for key in ladder.keys[:_MOST_LEVELS_HIT]:
            size = min(wanted, ladder.sizes[key])
            self._trade_id += 1
            price = ladder.sign * key
            fill = Fill(self._now, self._trade_id, not ladder.is_bid, price, size, self._taker)
            self._fills.append(fill)
            self._put(ladder, key, ladder.sizes[key] - size)
            wanted -= size
            if wanted == 0:
                return

    def _follow(self, ladder: Ladder, limit: float) -> None:
        """Quotes on the wrong side of the fair price are hit, or pulled in time."""
        behind = bisect_left(ladder.keys, limit)
        behind = min(behind, len(ladder.keys) - _FEWEST_LEVELS, _MOST_LEVELS_LEFT_BEHIND)
        if behind <= 0:
            return
        hit = ladder.keys[: self._rng.randrange(1 + min(behind, _MOST_LEVELS_HIT))]
        if hit:
            self._take(ladder, sum(ladder.sizes[key] for key in hit))
        for key in ladder.keys[: behind - len(hit)]:
            self._put(ladder, key, 0)

    def _requote(self) -> None:
        rng, tick = self._rng, self.listing.tick
        ladder = self._either()
        if rng.random() < _DEEP_SHARE:
            key = ladder.keys[rng.randrange(len(ladder.keys))] + tick * rng.randrange(2)
        else:
            key = ladder.keys[0] + tick * int(rng.expovariate(1 / self._near))
        if ladder.sign * key <= 0:
            return
        remove = key in ladder.sizes and rng.random() < _REMOVE_SHARE
        if remove and len(ladder.keys) > _FEWEST_LEVELS:
            self._put(ladder, key, 0)
        else:
            self._put(ladder, key, self._size())

    def _narrow(self, ladder: Ladder, other: Ladder, limit: float) -> None:
        """Quote inside the spread, short of the fair price and of the other side."""
        tick = self.listing.tick
        nearest = max(limit, tick - other.keys[0])
        key = (math.ceil(nearest / tick) + self._rng.randrange(2)) * tick
        if key < ladder.keys[0] and self._rng.random() < _NARROW_SHARE:
            self._put(ladder, key, self._size())

    def _keep_populated(self) -> None:
        for ladder in (self.asks, self.bids):
            far = ladder.keys[-1]
            if len(ladder.keys) > self._levels * 1.1:
                self._put(ladder, far, 0)
            elif len(ladder.keys) < self._levels * 0.9:
                key = far + self.listing.tick * (1 + int(self._rng.expovariate(0.2)))
                if ladder.sign * key > 0:
                    self._put(ladder, key, self._size())
