"""Coinbase Exchange's WebSocket feed: level2_batch, matches, heartbeat.

Written from https://docs.cdp.coinbase.com/exchange/websocket-feed/channels and from recorded
frames. Nothing numbers book messages here: delivery or disconnection is all that is promised. Not
known, and assumed: the close code, and that one bad product refuses its whole request.
"""

from collections.abc import Iterable, Sequence

import msgspec

from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.simulator.channels import Audience, BookBatch, LevelChange
from atelier_pipeline.simulator.market import Fill, Ladder, Step
from atelier_pipeline.simulator.session import Closing, Line
from atelier_pipeline.simulator.venue import Tape, Venue, seeded
from atelier_pipeline.simulator.wire import NS_PER_SECOND, Decimals, iso_micros, uuid_text

_BOOK_MS = 50
_SUBSCRIBE_WITHIN_NS = 5 * NS_PER_SECOND
_LATEST_ACK_NS = 60_000_000
_POLICY_VIOLATION = 1008
_NAMES = {"level2_batch": "level2_50", "matches": "matches", "heartbeat": "heartbeat"}
_PRIVATE = frozenset({"level2", "level3", "full"})


class _Channel(msgspec.Struct):
    name: str
    product_ids: list[str] = []


class _Request(msgspec.Struct):
    type: str
    product_ids: list[str] = []
    channels: list[str | _Channel] = []


class _Book:
    """level2_batch of one product: the whole book, then batches of its changes."""

    def __init__(self, venue: Venue, tape: Tape) -> None:
        self._tape = tape
        self._price = Decimals(tape.listing.price_digits, trimmed=False)
        self._size = Decimals(tape.listing.size_digits, trimmed=False)
        self._audience = Audience()
        self._batch = BookBatch(tape, venue.period_ns(_BOOK_MS), self._update)

    def join(self, line: Line, now: int) -> None:
        """Subscribe a connection, starting with the whole book."""
        self._batch.flush(now)
        line.send(self._snapshot(), now)
        self._audience.join(line)

    def leave(self, line: Line) -> None:
        """Unsubscribe a connection."""
        self._audience.leave(line)

    def _snapshot(self) -> str:
        book = self._tape.book
        return (
            f'{{"type":"snapshot","product_id":"{self._tape.listing.symbol}",'
            f'"asks":[{self._side(book.asks)}],"bids":[{self._side(book.bids)}],'
            f'"time":"{iso_micros(self._tape.last_step_ns)}"}}'
        )

    def _side(self, ladder: Ladder) -> str:
        levels = ladder.levels()
        return ",".join(
            [f'["{self._price[price]}","{self._size[size]}"]' for price, size in levels]
        )

    def _update(self, changes: list[LevelChange], now: int) -> None:
        if not self._audience:
            return
        spelled = ",".join(
            [
                f'["{"buy" if change.is_bid else "sell"}","{self._price[abs(change.key)]}",'
                f'"{self._size[change.size]}"]'
                for change in changes
            ]
        )
        newest = max(change.ts for change in changes)
        self._audience.send(
            f'{{"type":"l2update","product_id":"{self._tape.listing.symbol}",'
            f'"changes":[{spelled}],"time":"{iso_micros(newest)}"}}',
            now,
        )


class _Matches:
    """matches of one product: the trade before the subscription, then each as it happens."""

    def __init__(self, venue: Venue, tape: Tape) -> None:
        self._tape = tape
        self._rng = seeded(venue.seed, venue.exchange, tape.listing.symbol, "orders")
        self._price = Decimals(tape.listing.price_digits, trimmed=False)
        self._size = Decimals(tape.listing.size_digits, trimmed=False)
        self._audience = Audience()
        self._taker = -1
        self._taker_order = ""
        tape.listen(self._hear)

    def join(self, line: Line, now: int) -> None:
        """Subscribe a connection, starting with the last trade."""
        if self._tape.history:
            line.send(self._message("last_match", self._tape.history[-1]), now)
        self._audience.join(line)

    def leave(self, line: Line) -> None:
        """Unsubscribe a connection."""
        self._audience.leave(line)

    def _hear(self, step: Step) -> None:
        if self._audience:
            for fill in step.fills:
                self._audience.send(self._message("match", fill), step.ts)

    def _message(self, kind: str, fill: Fill) -> str:
        if fill.taker != self._taker:
            self._taker = fill.taker
            self._taker_order = uuid_text(self._rng.getrandbits(128))
        maker_order = uuid_text(self._rng.getrandbits(128))
        return (
            f'{{"type":"{kind}","trade_id":{fill.id},"maker_order_id":"{maker_order}",'
            f'"taker_order_id":"{self._taker_order}",'
            f'"side":"{"sell" if fill.is_taker_buy else "buy"}",'
            f'"size":"{self._size[fill.size]}","price":"{self._price[fill.price]}",'
            f'"product_id":"{self._tape.listing.symbol}","sequence":{self._tape.sequence},'
            f'"time":"{iso_micros(fill.ts)}"}}'
        )


class _Heartbeat:
    """heartbeat of one product, on every full second."""

    def __init__(self, venue: Venue, tape: Tape) -> None:
        del venue
        self._tape = tape
        self._audience = Audience()
        first = tape.agenda.now - tape.agenda.now % NS_PER_SECOND + NS_PER_SECOND
        tape.agenda.at(first, self._beat)

    def join(self, line: Line, now: int) -> None:
        """Subscribe a connection."""
        del now
        self._audience.join(line)

    def leave(self, line: Line) -> None:
        """Unsubscribe a connection."""
        self._audience.leave(line)

    def _beat(self, now: int) -> None:
        last = self._tape.history[-1].id if self._tape.history else 0
        self._audience.send(
            f'{{"type":"heartbeat","last_trade_id":{last},'
            f'"product_id":"{self._tape.listing.symbol}","sequence":{self._tape.sequence},'
            f'"time":"{iso_micros(now)}"}}',
            now,
        )
        self._tape.agenda.at(now - now % NS_PER_SECOND + NS_PER_SECOND, self._beat)


_KINDS = {"level2_batch": _Book, "matches": _Matches, "heartbeat": _Heartbeat}


class CoinbaseExchangeDesk:
    """The channels of every product, shared by all connections."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._channels: dict[tuple[str, str], _Book | _Matches | _Heartbeat] = {}

    def client(self, line: Line) -> "CoinbaseExchangeClient":
        """Begin a connection."""
        return CoinbaseExchangeClient(self, line)

    def lists(self, product: str) -> bool:
        """Whether there is such a product."""
        return self._venue.lists(product)

    def channel(self, name: str, product: str) -> _Book | _Matches | _Heartbeat:
        """The running channel of a listed product."""
        key = (name, product)
        if key not in self._channels:
            self._channels[key] = _KINDS[name](self._venue, self._venue.tape(product))
        return self._channels[key]


class CoinbaseExchangeClient:
    """One connection: its subscriptions, channel by channel."""

    def __init__(self, desk: CoinbaseExchangeDesk, line: Line) -> None:
        self._desk = desk
        self._line = line
        self._wanted: dict[str, list[str]] = {}
        self._has_asked = False

    def opened(self, now: int) -> None:
        """Whoever has not subscribed within five seconds is disconnected."""
        del now
        self._line.later(_SUBSCRIBE_WITHIN_NS, self._drop_if_silent)

    def received(self, text: str, now: int) -> None:
        """Answer a request."""
        try:
            request = msgspec.json.decode(text, type=_Request)
        except msgspec.MsgspecError:
            self._refuse("Malformed JSON", None, now)
            return
        pairs = list(_pairs(request))
        reason = self._refusal(pairs)
        if request.type not in {"subscribe", "unsubscribe"}:
            self._refuse("Type has to be either subscribe or unsubscribe", None, now)
        elif request.type == "subscribe" and reason:
            self._refuse("Failed to subscribe", reason, now)
        elif request.type == "subscribe":
            self._subscribe(pairs, now)
        else:
            self._unsubscribe(pairs, now)

    def closed(self) -> None:
        """Leave every channel."""
        for name, products in self._wanted.items():
            for product in products:
                self._desk.channel(name, product).leave(self._line)
        self._wanted.clear()

    def _drop_if_silent(self, now: int) -> None:
        del now
        if not self._has_asked:
            self._line.close(Closing(_POLICY_VIOLATION, "no subscription within 5 seconds"))

    def _refusal(self, pairs: list[tuple[str, list[str]]]) -> str | None:
        if not pairs:
            return "No channels provided"
        for name, products in pairs:
            if name in _PRIVATE:
                return "level2, level3, and full channels now require authentication."
            if name not in _NAMES:
                return f"{name} is not a valid channel"
            unknown = [product for product in products if not self._desk.lists(product)]
            if unknown:
                return f"{unknown[0]} is not a valid product"
        return None

    def _subscribe(self, pairs: list[tuple[str, list[str]]], now: int) -> None:
        self._has_asked = True
        fresh: list[tuple[str, str]] = []
        for name, products in pairs:
            wanted = self._wanted.setdefault(name, [])
            new = [product for product in dict.fromkeys(products) if product not in wanted]
            wanted.extend(new)
            fresh.extend((name, product) for product in new)
        self._acknowledge(now)
        for name, product in fresh:
            self._desk.channel(name, product).join(self._line, now)

    def _unsubscribe(self, pairs: list[tuple[str, list[str]]], now: int) -> None:
        for name, products in pairs:
            wanted = self._wanted.get(name, [])
            for product in [known for known in wanted if known in products or not products]:
                self._desk.channel(name, product).leave(self._line)
                wanted.remove(product)
            if not wanted:
                self._wanted.pop(name, None)
        self._send_subscriptions(now)

    def _acknowledge(self, now: int) -> None:
        """At once, or after the first data."""
        if self._line.rng.random() < 0.5:  # noqa: PLR2004 - either order, equally likely
            self._send_subscriptions(now)
        else:
            self._line.later(self._line.rng.randrange(_LATEST_ACK_NS), self._send_subscriptions)

    def _send_subscriptions(self, now: int) -> None:
        channels = [
            {"name": _NAMES[name], "product_ids": products, "account_ids": None}
            for name, products in self._wanted.items()
        ]
        answer = {"type": "subscriptions", "channels": channels}
        self._line.send(msgspec.json.encode(answer).decode(), now)

    def _refuse(self, message: str, reason: str | None, now: int) -> None:
        answer = {"type": "error", "message": message}
        if reason:
            answer["reason"] = reason
        self._line.send(msgspec.json.encode(answer).decode(), now)


def _pairs(request: _Request) -> Iterable[tuple[str, list[str]]]:
    """(channel, products) as asked for; a channel without products has the request's own."""
    for channel in request.channels:
        if isinstance(channel, str):
            yield channel, request.product_ids
        else:
            yield channel.name, channel.product_ids or request.product_ids


def requests(symbols: Sequence[str], datasets: frozenset[Dataset], depth: int | None) -> list[str]:
    """One frame that subscribes `symbols` and their heartbeats."""
    del depth  # the whole book, always
    channels = ["heartbeat"]
    if Dataset.TRADES in datasets:
        channels.insert(0, "matches")
    if Dataset.ORDERBOOKS in datasets:
        channels.insert(0, "level2_batch")
    frame = {"type": "subscribe", "product_ids": list(symbols), "channels": channels}
    return [msgspec.json.encode(frame).decode()]
