"""Bybit's v5 public WebSocket: requests, acks and refusals, linear and spot.

Written from the exchange's documentation (https://bybit-exchange.github.io/docs/v5/ws/connect) and
from recorded frames. Not known, and assumed: one bad topic refuses its whole request; the words for
a frame that is not JSON and for topics that are subscribed twice on spot.
"""

from collections.abc import Sequence

import msgspec

from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.simulator.bybit_topics import (
    CADENCE_MS,
    BestTopic,
    BookTopic,
    LiquidationTopic,
    TickerTopic,
    Topic,
    TradeTopic,
)
from atelier_pipeline.simulator.session import Closing, Line
from atelier_pipeline.simulator.venue import Venue
from atelier_pipeline.simulator.wire import NS_PER_SECOND

_IDLE_NS = 61 * NS_PER_SECOND
_MOST_SPOT_ARGS = 10
_LATEST_ACK_NS = 200_000_000


class _Request(msgspec.Struct):
    op: str
    args: list[str] = []
    req_id: str | None = None


class BybitDesk:
    """The topics of one category, shared by its connections."""

    def __init__(self, venue: Venue) -> None:
        self.is_linear = venue.exchange == "bybit"
        self._venue = venue
        self._topics: dict[str, Topic] = {}

    def client(self, line: Line) -> "BybitClient":
        """Begin a connection."""
        return BybitClient(self, line)

    def refusal(self, name: str) -> str | None:
        """Why there is no topic `name`, in the exchange's words; None where there is."""
        channel, _, symbol = name.rpartition(".")
        if channel in self._channels():
            if self._venue.lists(symbol):
                return None
            if not self.is_linear:
                return f"Invalid symbol :[{name}]"
        return f"error:handler not found,topic:{name}"

    def topic(self, name: str) -> Topic:
        """The running topic `name`, for which there is no refusal."""
        if name not in self._topics:
            self._topics[name] = self._start(name)
        return self._topics[name]

    def _channels(self) -> set[str]:
        channels = {"publicTrade", *(f"orderbook.{depth}" for depth in CADENCE_MS)}
        return channels | {"tickers", "allLiquidation"} if self.is_linear else channels

    def _start(self, name: str) -> Topic:
        channel, _, symbol = name.rpartition(".")
        tape = self._venue.tape(symbol)
        if channel == "publicTrade":
            return TradeTopic(self._venue, tape, is_linear=self.is_linear)
        if channel == "orderbook.1":
            return BestTopic(self._venue, tape, is_linear=self.is_linear)
        if tape.perpetual and channel == "tickers":
            return TickerTopic(tape, tape.perpetual)
        if channel == "allLiquidation":
            return LiquidationTopic(tape)
        depth = int(channel.removeprefix("orderbook."))
        return BookTopic(self._venue, tape, depth, is_linear=self.is_linear)


class BybitClient:
    """One connection: what it has subscribed, and the answers to its requests."""

    def __init__(self, desk: BybitDesk, line: Line) -> None:
        self._desk = desk
        self._line = line
        self._joined: dict[str, Topic] = {}
        self._has_asked = False
        self._connection = f"{line.rng.getrandbits(80):020x}-{line.rng.getrandbits(20):05x}"

    def opened(self, now: int) -> None:
        """Nothing is said; a connection that stays silent is dropped after a minute."""
        del now
        self._line.later(_IDLE_NS, self._drop_if_idle)

    def received(self, text: str, now: int) -> None:
        """Answer a request."""
        self._has_asked = True
        try:
            request = msgspec.json.decode(text, type=_Request)
        except msgspec.MsgspecError:
            self._answer(_Request(op=""), now, success=False, words="error:request decode failed")
            return
        if request.op == "ping":
            self._answer(request, now, success=True, words="pong")
        elif request.op == "subscribe":
            self._subscribe(request, now)
        elif request.op == "unsubscribe":
            self._unsubscribe(request, now)
        else:
            self._answer(request, now, success=False, words="error:invalid op")

    def closed(self) -> None:
        """Leave every topic."""
        for topic in self._joined.values():
            topic.leave(self._line)
        self._joined.clear()

    def restart_books(self, symbol: str | None, now: int) -> None:
        """Have the subscribed order books of `symbol` (None = all) restart, for everybody."""
        for name, topic in self._joined.items():
            if isinstance(topic, BookTopic) and symbol in {None, name.rpartition(".")[2]}:
                topic.restart(now)

    def _drop_if_idle(self, now: int) -> None:
        del now
        if not self._has_asked:
            self._line.close(Closing(None))

    def _subscribe(self, request: _Request, now: int) -> None:
        refusal = self._refusal(request.args)
        if refusal:
            self._answer(request, now, success=False, words=refusal)
            return
        self._acknowledge(request, now)
        for name in request.args:
            topic = self._desk.topic(name)
            topic.join(self._line, now)
            self._joined[name] = topic

    def _refusal(self, names: Sequence[str]) -> str | None:
        if not self._desk.is_linear and len(names) > _MOST_SPOT_ARGS:
            return f"args size >{_MOST_SPOT_ARGS}"
        for name in names:
            if name in self._joined:
                return f"error:already subscribed,topic:{name}"
            refusal = self._desk.refusal(name)
            if refusal:
                return refusal
        return None

    def _acknowledge(self, request: _Request, now: int) -> None:
        """At once, or after the first data: Bybit does both."""
        if self._line.rng.random() < 0.5:  # noqa: PLR2004 - either order, equally likely
            self._answer(request, now, success=True)
        else:
            delay = self._line.rng.randrange(_LATEST_ACK_NS)
            self._line.later(delay, lambda later: self._answer(request, later, success=True))

    def _unsubscribe(self, request: _Request, now: int) -> None:
        for name in request.args:
            topic = self._joined.pop(name, None)
            if topic:
                topic.leave(self._line)
        self._answer(request, now, success=True)

    def _answer(
        self, request: _Request, now: int, *, success: bool, words: str | None = None
    ) -> None:
        if words is None:
            words = "" if self._desk.is_linear else request.op
        answer: dict[str, str | bool] = {
            "success": success,
            "ret_msg": words,
            "conn_id": self._connection,
        }
        if request.req_id is not None and (self._desk.is_linear or success):
            answer["req_id"] = request.req_id
        answer["op"] = request.op
        self._line.send(msgspec.json.encode(answer).decode(), now)


_CHANNELS = {
    Dataset.TRADES: "publicTrade",
    Dataset.LIQUIDATIONS: "allLiquidation",
    Dataset.FUNDINGS: "tickers",
    Dataset.OPEN_INTERESTS: "tickers",
}


def requests(symbols: Sequence[str], datasets: frozenset[Dataset], depth: int | None) -> list[str]:
    """Frames that subscribe `symbols`, ten topics to a frame; the default depth is 50."""
    channels = [f"orderbook.{depth or 50}"] if Dataset.ORDERBOOKS in datasets else []
    channels += sorted({_CHANNELS[dataset] for dataset in datasets if dataset in _CHANNELS})
    topics = [f"{channel}.{symbol}" for symbol in symbols for channel in channels]
    return [
        msgspec.json.encode(
            {"req_id": f"s{start}", "op": "subscribe", "args": topics[start : start + 10]}
        ).decode()
        for start in range(0, len(topics), 10)
    ]
