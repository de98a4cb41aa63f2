"""Kraken's spot WebSocket v2: book with checksums, trade, heartbeats.

Written from https://docs.kraken.com/api/docs/websocket-v2/book and from recorded frames. A book is
cut to its depth by the client: levels pushed out of it are not deleted. The checksum is over the
ten best levels of each side, asks first, of price and quantity without point and leading zeros:
exactly the decimal text of this market's integers. Not known, and assumed: the words for a symbol
that is subscribed twice or not at all, and for a frame that is not a request.
"""

import zlib
from collections.abc import Sequence

import msgspec

from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.simulator.channels import Audience, DepthWindow, Moves
from atelier_pipeline.simulator.market import Change, Fill, Ladder, Step
from atelier_pipeline.simulator.session import Line
from atelier_pipeline.simulator.venue import Tape, Venue, seeded
from atelier_pipeline.simulator.wire import NS_PER_SECOND, Decimals, iso_micros

DEPTHS = (10, 25, 100, 500, 1000)
_CHECKSUM_LEVELS = 10
_TRADES_IN_SNAPSHOT = 50
_SNAPSHOT_WITHIN_NS = 60_000_000
_MARKET_ORDER_SHARE = 0.4
_PRIVATE = frozenset({"executions", "balances", "level3"})
_NO_PRIVATE = "Private data and trading are unavailable on this endpoint. Try ws-auth.kraken.com"


class _Params(msgspec.Struct):
    channel: str
    symbol: list[str] = []
    depth: int = 10
    snapshot: bool | None = None


class _Request(msgspec.Struct):
    method: str
    params: _Params | None = None
    req_id: int | None = None


class _Book:
    """book of one symbol at one depth: a snapshot, then an update for every step that shows."""

    def __init__(self, tape: Tape, depth: int) -> None:
        self._tape = tape
        self._price = Decimals(tape.listing.price_digits, trimmed=False)
        self._size = Decimals(tape.listing.size_digits, trimmed=False)
        self._bids = DepthWindow(tape.book.bids, depth)
        self._asks = DepthWindow(tape.book.asks, depth)
        self._audience = Audience()
        tape.listen(self._hear)

    def join(self, line: Line, now: int, *, snapshot: bool) -> None:
        """Subscribe a connection, starting with the book as it is."""
        if snapshot:
            bids, asks = self._bids.levels(), self._asks.levels()
            line.send(self._message("snapshot", bids, asks, self._tape.last_step_ns), now)
        self._audience.join(line)

    def leave(self, line: Line) -> None:
        """Unsubscribe a connection."""
        self._audience.leave(line)

    def _hear(self, step: Step) -> None:
        for change in step.changes:
            (self._bids if change.is_bid else self._asks).touch(change.key)
        bids, asks = self._bids.refresh(), self._asks.refresh()
        if (bids or asks) and self._audience:
            bid_levels = _in_order(step.changes, bids, is_bid=True) if bids else []
            ask_levels = _in_order(step.changes, asks, is_bid=False) if asks else []
            self._audience.send(self._message("update", bid_levels, ask_levels, step.ts), step.ts)

    def _message(
        self, kind: str, bids: list[tuple[int, int]], asks: list[tuple[int, int]], ts: int
    ) -> str:
        return (
            f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{self._tape.listing.symbol}",'
            f'"bids":[{self._levels(bids)}],"asks":[{self._levels(asks)}],'
            f'"checksum":{checksum(self._tape.book.bids, self._tape.book.asks)},'
            f'"timestamp":"{iso_micros(ts)}"}}]}}'
        )

    def _levels(self, keyed: list[tuple[int, int]]) -> str:
        price, size = self._price, self._size
        return ",".join(
            [f'{{"price":{price[abs(key)]},"qty":{size[units]}}}' for key, units in keyed]
        )


def _in_order(changes: list[Change], moves: Moves, *, is_bid: bool) -> list[tuple[int, int]]:
    """A side's changes as they happened, then the levels that came up from below the depth.

    A price may appear twice, as it does on Kraken: the last entry counts.
    """
    final = dict(moves.put) | dict.fromkeys(moves.gone, 0)
    happened = [
        (change.key, change.size)
        for change in changes
        if change.is_bid == is_bid and change.key in final
    ]
    seen = {key for key, _ in happened}
    return happened + [level for level in moves.put if level[0] not in seen]


def checksum(bids: Ladder, asks: Ladder) -> int:
    """CRC-32 of the ten best levels: https://docs.kraken.com/api/docs/guides/spot-ws-book-v2."""
    best = asks.levels(_CHECKSUM_LEVELS) + bids.levels(_CHECKSUM_LEVELS)
    return zlib.crc32("".join([f"{price}{size}" for price, size in best]).encode())


class _Trades:
    """trade of one symbol: past trades if asked for, then each step's trades in one message."""

    def __init__(self, venue: Venue, tape: Tape) -> None:
        self._tape = tape
        self._rng = seeded(venue.seed, venue.exchange, tape.listing.symbol, "orders")
        self._price = Decimals(tape.listing.price_digits, trimmed=False)
        self._size = Decimals(tape.listing.size_digits, trimmed=False)
        self._audience = Audience()
        tape.listen(self._hear)

    def join(self, line: Line, now: int, *, snapshot: bool) -> None:
        """Subscribe a connection."""
        if snapshot:
            past = list(self._tape.history)[-_TRADES_IN_SNAPSHOT:]
            line.send(self._message("snapshot", past), now)
        self._audience.join(line)

    def leave(self, line: Line) -> None:
        """Unsubscribe a connection."""
        self._audience.leave(line)

    def _hear(self, step: Step) -> None:
        if step.fills and self._audience:
            self._audience.send(self._message("update", step.fills), step.ts)

    def _message(self, kind: str, fills: list[Fill]) -> str:
        trades = ",".join([self._trade(fill) for fill in fills])
        return f'{{"channel":"trade","type":"{kind}","data":[{trades}]}}'

    def _trade(self, fill: Fill) -> str:
        is_market = self._rng.random() < _MARKET_ORDER_SHARE
        return (
            f'{{"symbol":"{self._tape.listing.symbol}",'
            f'"side":"{"buy" if fill.is_taker_buy else "sell"}",'
            f'"price":{self._price[fill.price]},"qty":{self._size[fill.size]},'
            f'"ord_type":"{"market" if is_market else "limit"}","trade_id":{fill.id},'
            f'"timestamp":"{iso_micros(fill.ts)}"}}'
        )


class KrakenDesk:
    """The channels of every symbol and depth, shared by all connections."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._books: dict[tuple[str, int], _Book] = {}
        self._trades: dict[str, _Trades] = {}

    def client(self, line: Line) -> "KrakenClient":
        """Begin a connection."""
        return KrakenClient(self, line)

    def lists(self, symbol: str) -> bool:
        """Whether there is such a pair."""
        return self._venue.lists(symbol)

    def channel(self, params: _Params, symbol: str) -> _Book | _Trades:
        """The running channel that `params` ask for, of one listed symbol."""
        if params.channel == "trade":
            if symbol not in self._trades:
                self._trades[symbol] = _Trades(self._venue, self._venue.tape(symbol))
            return self._trades[symbol]
        key = (symbol, params.depth)
        if key not in self._books:
            self._books[key] = _Book(self._venue.tape(symbol), params.depth)
        return self._books[key]


class _Subscription:
    """One accepted request for one symbol; not the same as an equal one made later."""

    def __init__(self, channel: _Book | _Trades, *, snapshot: bool) -> None:
        self.channel = channel
        self.snapshot = snapshot


class KrakenClient:
    """One connection: what it has subscribed, and the answers to its requests."""

    def __init__(self, desk: KrakenDesk, line: Line) -> None:
        self._desk = desk
        self._line = line
        self._joined: dict[tuple[str, str], _Subscription] = {}
        self._beats = False

    def opened(self, now: int) -> None:
        """The first frame is the exchange's status."""
        connection = 2**63 + self._line.rng.getrandbits(62)
        self._line.send(
            '{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"online",'
            f'"api_version":"v2","connection_id":{connection}}}]}}',
            now,
        )

    def received(self, text: str, now: int) -> None:
        """Answer a request."""
        try:
            request = msgspec.json.decode(text, type=_Request)
        except msgspec.MsgspecError:
            self._refuse(_Request(method=""), "Malformed request", None, now)
            return
        if request.method == "ping":
            self._answer({"method": "pong"}, request, now)
        elif request.method not in {"subscribe", "unsubscribe"} or request.params is None:
            self._refuse(request, "Method not found", None, now)
        elif request.params.channel in _PRIVATE:
            self._refuse(request, _NO_PRIVATE, None, now)
        elif request.params.channel not in {"book", "trade"}:
            self._refuse(request, "Channel not found", None, now)
        elif request.method == "subscribe":
            self._subscribe(request, request.params, now)
        else:
            self._unsubscribe(request, request.params, now)

    def closed(self) -> None:
        """Leave every channel."""
        for subscription in self._joined.values():
            subscription.channel.leave(self._line)
        self._joined.clear()

    def _subscribe(self, request: _Request, params: _Params, now: int) -> None:
        self._start_heartbeats(now)
        if params.channel == "book" and params.depth not in DEPTHS:
            self._refuse(request, "Subscription depth not supported", None, now)
            return
        for symbol in params.symbol:
            self._subscribe_one(request, params, symbol, now)

    def _subscribe_one(self, request: _Request, params: _Params, symbol: str, now: int) -> None:
        if not self._desk.lists(symbol):
            self._refuse(request, f"Currency pair not supported {symbol}", symbol, now)
            return
        key = (params.channel, symbol)
        if key in self._joined:
            self._refuse(request, "Already subscribed", symbol, now)
            return
        is_book = params.channel == "book"
        snapshot = is_book if params.snapshot is None else params.snapshot
        subscription = _Subscription(self._desk.channel(params, symbol), snapshot=snapshot)
        self._joined[key] = subscription
        result = _result(params, symbol, snapshot=snapshot)
        self._answer({"method": "subscribe", "result": result, "success": True}, request, now)
        self._line.later(
            self._line.rng.randrange(_SNAPSHOT_WITHIN_NS),
            lambda later: self._join(key, subscription, later),
        )

    def _join(self, key: tuple[str, str], subscription: _Subscription, now: int) -> None:
        """Unless it was unsubscribed meanwhile: then there is an ack without a snapshot."""
        if self._joined.get(key) is subscription:
            subscription.channel.join(self._line, now, snapshot=subscription.snapshot)

    def _unsubscribe(self, request: _Request, params: _Params, now: int) -> None:
        for symbol in params.symbol:
            subscription = self._joined.pop((params.channel, symbol), None)
            if subscription is None:
                self._refuse(request, "Subscription not found", symbol, now)
                continue
            subscription.channel.leave(self._line)
            result = _result(params, symbol, snapshot=None)
            self._answer({"method": "unsubscribe", "result": result, "success": True}, request, now)

    def _start_heartbeats(self, now: int) -> None:
        if not self._beats:
            self._beats = True
            self._line.every(NS_PER_SECOND, now + NS_PER_SECOND, self._beat)

    def _beat(self, now: int) -> None:
        self._line.send('{"channel":"heartbeat"}', now)

    def _refuse(self, request: _Request, words: str, symbol: str | None, now: int) -> None:
        answer: dict[str, object] = {"error": words, "method": request.method, "success": False}
        if symbol is not None:
            answer["symbol"] = symbol
        self._answer(answer, request, now)

    def _answer(self, answer: dict[str, object], request: _Request, now: int) -> None:
        if request.req_id is not None:
            answer["req_id"] = request.req_id
        answer["time_in"] = iso_micros(now)
        answer["time_out"] = iso_micros(now + self._line.rng.randrange(90_000))
        self._line.send(msgspec.json.encode(dict(sorted(answer.items()))).decode(), now)


def _result(params: _Params, symbol: str, *, snapshot: bool | None) -> dict[str, object]:
    result: dict[str, object] = {"channel": params.channel}
    if params.channel == "book":
        result["depth"] = params.depth
    if snapshot is not None:
        result["snapshot"] = snapshot
    return result | {"symbol": symbol}


def requests(symbols: Sequence[str], datasets: frozenset[Dataset], depth: int | None) -> list[str]:
    """Frames that subscribe `symbols`, one channel to a frame; the default depth is 10."""
    params: list[dict[str, object]] = []
    if Dataset.ORDERBOOKS in datasets:
        params.append({"channel": "book", "symbol": list(symbols), "depth": depth or DEPTHS[0]})
    if Dataset.TRADES in datasets:
        params.append({"channel": "trade", "symbol": list(symbols)})
    return [
        msgspec.json.encode({"method": "subscribe", "params": part, "req_id": number}).decode()
        for number, part in enumerate(params, start=1)
    ]
