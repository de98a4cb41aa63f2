"""Coinbase Advanced Trade's market data WebSocket: level2, market_trades, heartbeats.

Written from https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket and from
recorded frames: one `sequence_num` for everything a connection is sent, acks that list all
subscriptions so far and may come after the first data. Not known, and assumed: the words of a
refusal, the close code, and that an update lists trades oldest first.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeAlias

import msgspec

from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.simulator.channels import BookBatch, LevelChange, TradeBatch
from atelier_pipeline.simulator.market import Fill, Ladder
from atelier_pipeline.simulator.session import Closing, Line
from atelier_pipeline.simulator.venue import Tape, Venue
from atelier_pipeline.simulator.wire import NS_PER_SECOND, Decimals, iso_trimmed

_BOOK_MS = 50
_TRADES_NS = 250_000_000
_SUBSCRIBE_WITHIN_NS = 5 * NS_PER_SECOND
_LATEST_ACK_NS = 300_000_000
_GATEWAY_NS = 900_000
_UPTIME_NS = 75_000 * NS_PER_SECOND
_POLICY_VIOLATION = 1008
_CHANNELS = ("level2", "market_trades", "heartbeats")

Deliver: TypeAlias = Callable[[str, str, int], None]
"""(channel, event, time): how a product's channel reaches a connection."""


class _Request(msgspec.Struct):
    type: str
    channel: str
    product_ids: list[str] = []


class _Channel:
    """One channel of one product: its events, to every connection under its own numbering."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._deliveries: dict[Line, Deliver] = {}

    def leave(self, line: Line) -> None:
        """Unsubscribe a connection."""
        self._deliveries.pop(line, None)

    def _publish(self, event: str, now: int) -> None:
        for deliver in self._deliveries.values():
            deliver(self._name, event, now)


class _Book(_Channel):
    """level2, published as l2_data: the whole book, then what changed in it."""

    def __init__(self, venue: Venue, tape: Tape) -> None:
        super().__init__("l2_data")
        self._tape = tape
        self._price = Decimals(tape.listing.price_digits, trimmed=True)
        self._size = Decimals(tape.listing.size_digits, trimmed=True)
        self._batch = BookBatch(tape, venue.period_ns(_BOOK_MS), self._update)

    def join(self, line: Line, deliver: Deliver, now: int) -> None:
        """Subscribe a connection, starting with the whole book."""
        self._batch.flush(now)
        deliver(self._name, self._snapshot(), now)
        self._deliveries[line] = deliver

    def _snapshot(self) -> str:
        time = iso_trimmed(self._time_ns(self._tape.last_step_ns))
        book = self._tape.book
        return self._event("snapshot", self._side(book.bids, time) + self._side(book.asks, time))

    def _side(self, ladder: Ladder, time: str) -> list[str]:
        return [self._level(ladder.is_bid, price, size, time) for price, size in ladder.levels()]

    def _update(self, changes: list[LevelChange], now: int) -> None:
        if self._deliveries:
            updates = [
                self._level(is_bid, abs(key), size, iso_trimmed(self._time_ns(ts)))
                for is_bid, key, size, ts in changes
            ]
            self._publish(self._event("update", updates), now)

    def _event(self, kind: str, updates: list[str]) -> str:
        product = self._tape.listing.symbol
        return f'{{"type":"{kind}","product_id":"{product}","updates":[{",".join(updates)}]}}'

    def _level(self, is_bid: bool, price: int, size: int, time: str) -> str:  # noqa: FBT001 - a column of a level
        return (
            f'{{"side":"{"bid" if is_bid else "offer"}","event_time":"{time}",'
            f'"price_level":"{self._price[price]}","new_quantity":"{self._size[size]}"}}'
        )

    @staticmethod
    def _time_ns(time_ns: int) -> int:
        return time_ns - time_ns % 1_000


class _Trades(_Channel):
    """market_trades: past trades newest first, then batches. `side` is the maker's."""

    def __init__(self, tape: Tape) -> None:
        super().__init__("market_trades")
        self._tape = tape
        self._price = Decimals(tape.listing.price_digits, trimmed=True)
        self._size = Decimals(tape.listing.size_digits, trimmed=True)
        self._batch = TradeBatch(tape, _TRADES_NS, self._update)

    def join(self, line: Line, deliver: Deliver, now: int) -> None:
        """Subscribe a connection, starting with past trades."""
        self._batch.flush(now)
        deliver(self._name, self._event("snapshot", list(reversed(self._tape.history))), now)
        self._deliveries[line] = deliver

    def _update(self, fills: list[Fill], now: int) -> None:
        if self._deliveries:
            self._publish(self._event("update", fills), now)

    def _event(self, kind: str, fills: list[Fill]) -> str:
        trades = ",".join([self._trade(fill) for fill in fills])
        return f'{{"type":"{kind}","trades":[{trades}]}}'

    def _trade(self, fill: Fill) -> str:
        return (
            f'{{"product_id":"{self._tape.listing.symbol}","trade_id":"{fill.id}",'
            f'"price":"{self._price[fill.price]}","size":"{self._size[fill.size]}",'
            f'"time":"{iso_trimmed(fill.ts - fill.ts % 1_000)}",'
            f'"side":"{"SELL" if fill.is_taker_buy else "BUY"}"}}'
        )


class CoinbaseDesk:
    """The channels of every product, shared by all connections."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._channels: dict[tuple[str, str], _Book | _Trades] = {}

    def client(self, line: Line) -> "CoinbaseClient":
        """Begin a connection."""
        return CoinbaseClient(self, line)

    def listed(self, product: str) -> str | None:
        """The product whose data answers for `product`: -USDC is served as -USD."""
        name = product.removesuffix("C") if product.endswith("-USDC") else product
        return name if self._venue.lists(name) else None

    def channel(self, name: str, product: str) -> _Book | _Trades:
        """The running channel of a listed product."""
        key = (name, product)
        if key not in self._channels:
            tape = self._venue.tape(product)
            self._channels[key] = _Book(self._venue, tape) if name == "level2" else _Trades(tape)
        return self._channels[key]


class CoinbaseClient:
    """One connection: its numbering, its subscriptions, its heartbeats."""

    def __init__(self, desk: CoinbaseDesk, line: Line) -> None:
        self._desk = desk
        self._line = line
        self._sequence = -1
        self._wanted: dict[str, list[str]] = {}
        self._has_asked = False
        self._beats_since = 0

    def opened(self, now: int) -> None:
        """Whoever has not subscribed within five seconds is disconnected."""
        del now
        self._line.later(_SUBSCRIBE_WITHIN_NS, self._drop_if_silent)

    def received(self, text: str, now: int) -> None:
        """Answer a request."""
        try:
            request = msgspec.json.decode(text, type=_Request)
        except msgspec.MsgspecError:
            self._refuse("failed to parse message", now)
            return
        if request.type not in {"subscribe", "unsubscribe"}:
            self._refuse(f"unsupported message type {request.type}", now)
        elif request.channel not in _CHANNELS:
            self._refuse(f"channel {request.channel} is not supported", now)
        elif request.type == "subscribe":
            self._subscribe(request, now)
        else:
            self._unsubscribe(request, now)

    def closed(self) -> None:
        """Leave every channel."""
        for name, products in self._wanted.items():
            self._leave(name, products)
        self._wanted.clear()

    def _drop_if_silent(self, now: int) -> None:
        del now
        if not self._has_asked:
            self._line.close(Closing(_POLICY_VIOLATION, "no subscription within 5 seconds"))

    def _subscribe(self, request: _Request, now: int) -> None:
        unknown = [name for name in request.product_ids if self._desk.listed(name) is None]
        if unknown:
            self._refuse(f"failed to subscribe: {unknown[0]} is not a valid product", now)
            return
        self._has_asked = True
        if request.channel == "heartbeats":
            self._start_heartbeats(now)
            return
        wanted = self._wanted.setdefault(request.channel, [])
        fresh = [name for name in dict.fromkeys(request.product_ids) if name not in wanted]
        wanted.extend(fresh)
        self._acknowledge(now)
        for name in fresh:
            channel = self._desk.channel(request.channel, self._desk.listed(name) or name)
            channel.join(self._line, self._deliver, now)

    def _unsubscribe(self, request: _Request, now: int) -> None:
        wanted = self._wanted.get(request.channel, [])
        left = [name for name in wanted if name in request.product_ids or not request.product_ids]
        self._leave(request.channel, left)
        kept = [name for name in wanted if name not in left]
        self._wanted.pop(request.channel, None)
        if kept:
            self._wanted[request.channel] = kept
        self._send_subscriptions(now)

    def _leave(self, name: str, products: Sequence[str]) -> None:
        for product in products if name != "heartbeats" else ():
            self._desk.channel(name, self._desk.listed(product) or product).leave(self._line)

    def _start_heartbeats(self, now: int) -> None:
        self._wanted["heartbeats"] = ["heartbeats"]
        self._acknowledge(now)
        if not self._beats_since:
            self._beats_since = now
            self._line.every(NS_PER_SECOND, now + NS_PER_SECOND, self._beat)

    def _beat(self, now: int) -> None:
        if "heartbeats" not in self._wanted:
            return
        uptime = _UPTIME_NS + now - self._beats_since
        second, fraction = divmod(now, NS_PER_SECOND)
        time = datetime.fromtimestamp(second, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")
        current = f"{time}.{fraction:09d} +0000 UTC m=+{uptime / NS_PER_SECOND:.9f}"
        counter = uptime // NS_PER_SECOND
        self._deliver(
            "heartbeats", f'{{"current_time":"{current}","heartbeat_counter":{counter}}}', now
        )

    def _acknowledge(self, now: int) -> None:
        """At once, or after the first data: Coinbase does both."""
        if self._line.rng.random() < 0.5:  # noqa: PLR2004 - either order, equally likely
            self._send_subscriptions(now)
        else:
            self._line.later(self._line.rng.randrange(_LATEST_ACK_NS), self._send_subscriptions)

    def _send_subscriptions(self, now: int) -> None:
        wanted = {name: self._wanted[name] for name in sorted(self._wanted)}
        event = msgspec.json.encode({"subscriptions": wanted}).decode()
        self._deliver("subscriptions", event, now)

    def _deliver(self, channel: str, event: str, now: int) -> None:
        self._sequence += 1
        sent = now + self._line.rng.randrange(_GATEWAY_NS)
        self._line.send(
            f'{{"channel":"{channel}","timestamp":"{iso_trimmed(sent)}",'
            f'"sequence_num":{self._sequence},"events":[{event}]}}',
            now,
        )

    def _refuse(self, words: str, now: int) -> None:
        answer = {"type": "error", "message": words}
        self._line.send(msgspec.json.encode(answer).decode(), now)


def requests(symbols: Sequence[str], datasets: frozenset[Dataset], depth: int | None) -> list[str]:
    """Frames that subscribe `symbols` and heartbeats, one channel to a frame."""
    del depth  # the whole book, always
    channels = [
        name
        for name, dataset in (("level2", Dataset.ORDERBOOKS), ("market_trades", Dataset.TRADES))
        if dataset in datasets
    ]
    frames: list[dict[str, object]] = [
        {"type": "subscribe", "product_ids": list(symbols), "channel": name} for name in channels
    ]
    frames.append({"type": "subscribe", "channel": "heartbeats"})
    return [msgspec.json.encode(frame).decode() for frame in frames]
