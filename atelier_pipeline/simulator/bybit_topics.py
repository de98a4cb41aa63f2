"""What Bybit's v5 public topics send: order books by depth, trades, tickers, liquidations.

Message shapes and cadences: https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook
and its neighbours. Linear and spot differ in the spelling of numbers, in the order of keys and in
the ids of trades.
"""

from typing import Protocol

from atelier_pipeline.simulator.agenda import next_boundary
from atelier_pipeline.simulator.channels import Audience, Boundary, DepthWindow
from atelier_pipeline.simulator.market import Fill, Liquidation, Step
from atelier_pipeline.simulator.perpetual import FUNDING_INTERVAL_HOURS, Perpetual
from atelier_pipeline.simulator.session import Line
from atelier_pipeline.simulator.venue import Tape, Venue, seeded
from atelier_pipeline.simulator.wire import NS_PER_SECOND, Decimals, uuid_text

CADENCE_MS = {1: 10, 50: 20, 200: 100, 1000: 200}
"""Order book depth → how often its topic is pushed."""

_TICKER_NS = 100_000_000
_LIQUIDATION_NS = 500_000_000
_REPEAT_NS = 3 * NS_PER_SECOND
_MOST_TRADES = 1_024
_NS_PER_MS = 1_000_000


class Topic(Protocol):
    """One topic of one symbol, shared by all connections."""

    def join(self, line: Line, now: int) -> None:
        """Subscribe a connection: the snapshot where the topic has one, then what follows."""
        ...

    def leave(self, line: Line) -> None:
        """Unsubscribe a connection."""
        ...


class Spelling:
    """How a category writes one symbol's prices and sizes: linear fixed, spot trimmed."""

    def __init__(self, tape: Tape, *, is_linear: bool) -> None:
        self.symbol = tape.listing.symbol
        self.is_linear = is_linear
        self.price = Decimals(tape.listing.price_digits, trimmed=not is_linear)
        self.size = Decimals(tape.listing.size_digits, trimmed=not is_linear)
        self.size[0] = "0"

    def levels(self, keyed: list[tuple[int, int]]) -> str:
        """[["price","size"],...] of (key, size); the sign of a bid's key is dropped."""
        price, size = self.price, self.size
        return ",".join([f'["{price[abs(key)]}","{size[units]}"]' for key, units in keyed])


class BookTopic:
    """orderbook.{50,200,1000}: a snapshot, then deltas whose `u` grows by one.

    Levels that fall below the depth are deleted explicitly. `restart` is what the documentation
    says of a service restart: a whole book, numbered 1.
    """

    def __init__(self, venue: Venue, tape: Tape, depth: int, *, is_linear: bool) -> None:
        self._tape = tape
        self._spelling = Spelling(tape, is_linear=is_linear)
        self._name = f"orderbook.{depth}.{tape.listing.symbol}"
        self._bids = DepthWindow(tape.book.bids, depth)
        self._asks = DepthWindow(tape.book.asks, depth)
        self._audience = Audience()
        self._update_id = seeded(venue.seed, self._name, is_linear).randrange(10**5, 10**8)
        self._boundary = Boundary(tape, venue.period_ns(CADENCE_MS[depth]), self._flush)
        tape.listen(self._hear)

    def join(self, line: Line, now: int) -> None:
        """Subscribe a connection, starting with a snapshot."""
        self._flush(now)
        line.send(self._whole_book("snapshot", now), now)
        self._audience.join(line)

    def leave(self, line: Line) -> None:
        """Unsubscribe a connection."""
        self._audience.leave(line)

    def restart(self, now: int) -> None:
        """Number the book anew from 1 and send it whole, as a delta."""
        self._flush(now)
        self._update_id = 1
        self._audience.send(self._whole_book("delta", now), now)

    def _hear(self, step: Step) -> None:
        for change in step.changes:
            (self._bids if change.is_bid else self._asks).touch(change.key)
        self._boundary.ask(step.ts)

    def _flush(self, now: int) -> None:
        bids, asks = _changes(self._bids), _changes(self._asks)
        if not bids and not asks:
            return
        self._update_id += 1
        if self._audience:
            self._audience.send(self._message("delta", bids, asks, now), now)

    def _whole_book(self, kind: str, now: int) -> str:
        return self._message(kind, self._bids.levels(), self._asks.levels(), now)

    def _message(
        self, kind: str, bids: list[tuple[int, int]], asks: list[tuple[int, int]], now: int
    ) -> str:
        spelling, ms = self._spelling, now // _NS_PER_MS
        head = f'"type":"{kind}","ts":{ms}' if spelling.is_linear else f'"ts":{ms},"type":"{kind}"'
        return (
            f'{{"topic":"{self._name}",{head},"data":{{"s":"{spelling.symbol}",'
            f'"b":[{spelling.levels(bids)}],"a":[{spelling.levels(asks)}],"u":{self._update_id},'
            f'"seq":{self._tape.sequence}}},"cts":{self._tape.last_step_ns // _NS_PER_MS}}}'
        )


def _changes(window: DepthWindow) -> list[tuple[int, int]]:
    moves = window.refresh()
    if moves is None:
        return []
    return sorted(moves.put + [(key, 0) for key in moves.gone + moves.evicted])


class BestTopic:
    """orderbook.1: always a snapshot; sent again under the same `u` after 3 s without a change."""

    def __init__(self, venue: Venue, tape: Tape, *, is_linear: bool) -> None:
        self._tape = tape
        self._spelling = Spelling(tape, is_linear=is_linear)
        self._name = f"orderbook.1.{tape.listing.symbol}"
        self._bids = DepthWindow(tape.book.bids, 1)
        self._asks = DepthWindow(tape.book.asks, 1)
        self._audience = Audience()
        self._update_id = seeded(venue.seed, self._name, is_linear).randrange(10**5, 10**8)
        self._changed_ns = tape.last_step_ns
        self._sent_ns = tape.agenda.now
        self._boundary = Boundary(tape, venue.period_ns(CADENCE_MS[1]), self._flush)
        tape.listen(self._hear)
        tape.agenda.at(self._sent_ns + _REPEAT_NS, self._repeat)

    def join(self, line: Line, now: int) -> None:
        """Subscribe a connection, starting with the best levels as they are."""
        self._flush(now)
        line.send(self._message(now), now)
        self._audience.join(line)

    def leave(self, line: Line) -> None:
        """Unsubscribe a connection."""
        self._audience.leave(line)

    def _hear(self, step: Step) -> None:
        for change in step.changes:
            (self._bids if change.is_bid else self._asks).touch(change.key)
        self._boundary.ask(step.ts)

    def _flush(self, now: int) -> None:
        moved = [window.refresh() is not None for window in (self._bids, self._asks)]
        if any(moved):
            self._update_id += 1
            self._changed_ns = self._tape.last_step_ns
            self._publish(now)

    def _repeat(self, now: int) -> None:
        if now - self._sent_ns >= _REPEAT_NS:
            self._publish(now)
        self._tape.agenda.at(self._sent_ns + _REPEAT_NS, self._repeat)

    def _publish(self, now: int) -> None:
        self._sent_ns = now
        if self._audience:
            self._audience.send(self._message(now), now)

    def _message(self, now: int) -> str:
        spelling = self._spelling
        return (
            f'{{"topic":"{self._name}","ts":{now // _NS_PER_MS},"type":"snapshot",'
            f'"data":{{"s":"{spelling.symbol}","b":[{spelling.levels(self._bids.levels())}],'
            f'"a":[{spelling.levels(self._asks.levels())}],"u":{self._update_id},'
            f'"seq":{self._tape.sequence}}},"cts":{self._changed_ns // _NS_PER_MS}}}'
        )


class TradeTopic:
    """publicTrade: the trades of one instant, the taker's side, at most 1,024 to a message."""

    def __init__(self, venue: Venue, tape: Tape, *, is_linear: bool) -> None:
        self._tape = tape
        self._spelling = Spelling(tape, is_linear=is_linear)
        self._name = f"publicTrade.{tape.listing.symbol}"
        self._rng = seeded(venue.seed, self._name, is_linear)
        self._audience = Audience()
        self._last_price = tape.history[-1].price if tape.history else 0
        self._direction = "PlusTick"
        tape.listen(self._hear)

    def join(self, line: Line, now: int) -> None:
        """Subscribe a connection; past trades are not sent."""
        del now
        self._audience.join(line)

    def leave(self, line: Line) -> None:
        """Unsubscribe a connection."""
        self._audience.leave(line)

    def _hear(self, step: Step) -> None:
        if not step.fills or not self._audience:
            return
        spell = self._linear if self._spelling.is_linear else self._spot
        for start in range(0, len(step.fills), _MOST_TRADES):
            trades = ",".join([spell(fill) for fill in step.fills[start : start + _MOST_TRADES]])
            ms = step.ts // _NS_PER_MS
            head = (
                f'"type":"snapshot","ts":{ms}'
                if self._spelling.is_linear
                else f'"ts":{ms},"type":"snapshot"'
            )
            self._audience.send(f'{{"topic":"{self._name}",{head},"data":[{trades}]}}', step.ts)

    def _linear(self, fill: Fill) -> str:
        spelling = self._spelling
        return (
            f'{{"T":{fill.ts // _NS_PER_MS},"s":"{spelling.symbol}","S":"{_side(fill)}",'
            f'"v":"{spelling.size[fill.size]}","p":"{spelling.price[fill.price]}",'
            f'"L":"{self._tick_direction(fill.price)}","i":"{uuid_text(self._rng.getrandbits(128))}",'
            f'"BT":false,"RPI":false,"seq":{self._tape.sequence}}}'
        )

    def _spot(self, fill: Fill) -> str:
        spelling = self._spelling
        return (
            f'{{"i":"{2_290_000_000_000_000_000 + fill.id}","T":{fill.ts // _NS_PER_MS},'
            f'"p":"{spelling.price[fill.price]}","v":"{spelling.size[fill.size]}",'
            f'"S":"{_side(fill)}","seq":{self._tape.sequence},"s":"{spelling.symbol}",'
            f'"BT":false,"RPI":false}}'
        )

    def _tick_direction(self, price: int) -> str:
        if price != self._last_price:
            self._direction = "PlusTick" if price > self._last_price else "MinusTick"
        elif not self._direction.startswith("Zero"):
            self._direction = f"Zero{self._direction}"
        self._last_price = price
        return self._direction


def _side(fill: Fill) -> str:
    return "Buy" if fill.is_taker_buy else "Sell"


class LiquidationTopic:
    """allLiquidation: every 500 ms what was liquidated, if anything. `S` is the position's side."""

    def __init__(self, tape: Tape) -> None:
        self._spelling = Spelling(tape, is_linear=True)
        self._name = f"allLiquidation.{tape.listing.symbol}"
        self._audience = Audience()
        self._pending: list[Liquidation] = []
        self._boundary = Boundary(tape, _LIQUIDATION_NS, self._flush)
        tape.listen_liquidations(self._hear)

    def join(self, line: Line, now: int) -> None:
        """Subscribe a connection; past liquidations are not sent."""
        del now
        self._audience.join(line)

    def leave(self, line: Line) -> None:
        """Unsubscribe a connection."""
        self._audience.leave(line)

    def _hear(self, liquidation: Liquidation) -> None:
        self._pending.append(liquidation)
        self._boundary.ask(liquidation.ts)

    def _flush(self, now: int) -> None:
        spelled = ",".join([self._spell(liquidation) for liquidation in self._pending])
        self._pending.clear()
        head = f'{{"topic":"{self._name}","type":"snapshot","ts":{now // _NS_PER_MS}'
        self._audience.send(f'{head},"data":[{spelled}]}}', now)

    def _spell(self, liquidation: Liquidation) -> str:
        spelling = self._spelling
        side = "Buy" if liquidation.is_long else "Sell"
        return (
            f'{{"T":{liquidation.ts // _NS_PER_MS},"s":"{spelling.symbol}","S":"{side}",'
            f'"v":"{spelling.size[liquidation.size]}","p":"{spelling.price[liquidation.price]}"}}'
        )


class TickerTopic:
    """tickers of a perpetual: one whole snapshot, then only the fields that changed."""

    def __init__(self, tape: Tape, perpetual: Perpetual) -> None:
        self._tape = tape
        self._perpetual = perpetual
        self._spelling = Spelling(tape, is_linear=True)
        self._name = f"tickers.{tape.listing.symbol}"
        self._audience = Audience()
        self._volume = 0
        self._last_price = tape.history[-1].price if tape.history else 0
        self._shown = self._fields(tape.agenda.now)
        tape.listen(self._hear)
        tape.agenda.at(next_boundary(tape.agenda.now, _TICKER_NS), self._flush)

    def join(self, line: Line, now: int) -> None:
        """Subscribe a connection, starting with every field."""
        self._publish(now)
        line.send(self._message("snapshot", self._shown, now), now)
        self._audience.join(line)

    def leave(self, line: Line) -> None:
        """Unsubscribe a connection."""
        self._audience.leave(line)

    def _hear(self, step: Step) -> None:
        for fill in step.fills:
            self._last_price = fill.price
            self._volume += fill.size

    def _flush(self, now: int) -> None:
        self._publish(now)
        self._tape.agenda.at(now + _TICKER_NS, self._flush)

    def _publish(self, now: int) -> None:
        fields = self._fields(now)
        changed = {name: text for name, text in fields.items() if self._shown[name] != text}
        self._shown = fields
        if changed:
            self._audience.send(self._message("delta", changed, now), now)

    def _message(self, kind: str, fields: dict[str, str], now: int) -> str:
        pairs = ",".join([f'"{name}":"{text}"' for name, text in fields.items()])
        return (
            f'{{"topic":"{self._name}","type":"{kind}","data":{{"symbol":"{self._spelling.symbol}",'
            f'{pairs}}},"cs":{self._tape.sequence},"ts":{now // _NS_PER_MS}}}'
        )

    def _fields(self, now: int) -> dict[str, str]:
        perpetual, price, size = self._perpetual, self._spelling.price, self._spelling.size
        bids, asks = self._tape.book.bids, self._tape.book.asks
        mark = perpetual.mark_price(now)
        one_side = perpetual.open_interest
        return {
            "lastPrice": price[self._last_price],
            "markPrice": price[mark],
            "indexPrice": price[perpetual.index_price(now)],
            "openInterest": size[2 * one_side],
            "openInterestValue": self._value(2 * one_side, mark),
            "volume24h": size[self._volume],
            "fundingIntervalHour": str(FUNDING_INTERVAL_HOURS),
            "fundingCap": "0.00333",
            "singleOpenInterest": size[one_side],
            "singleOpenInterestValue": self._value(one_side, mark),
            "nextFundingTime": str(perpetual.next_funding_ms(now)),
            "fundingRate": _rate_text(perpetual.funding),
            "bid1Price": price[-bids.keys[0]],
            "bid1Size": size[bids.sizes[bids.keys[0]]],
            "ask1Price": price[asks.keys[0]],
            "ask1Size": size[asks.sizes[asks.keys[0]]],
            "preOpenPrice": "",
            "preQty": "",
            "curPreListingPhase": "",
        }

    def _value(self, interest: int, mark: int) -> str:
        listing = self._tape.listing
        cents = interest * mark * 100 // 10 ** (listing.size_digits + listing.price_digits)
        return f"{cents // 100}.{cents % 100:02d}"


def _rate_text(units: int) -> str:
    """A rate in units of 10^-8, spelled as Bybit does: a fraction without trailing zeros."""
    if units == 0:
        return "0"
    digits = f"{abs(units):08d}".rstrip("0")
    return f"{'-' if units < 0 else ''}0.{digits}"
