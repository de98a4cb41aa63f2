"""Bybit's public v5 protocol, which its linear and spot feeds share.

One category per connection: spot and linear topics have the same names, so the caller says whose
frames it decodes. https://bybit-exchange.github.io/docs/v5/ws/connect
"""

import re
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Literal, TypeVar

import msgspec
from msgspec import field

from atelier_pipeline.exchanges.contract import (
    Acknowledged,
    Event,
    Heartbeat,
    RateLimit,
    Refused,
    Request,
    Topic,
)
from atelier_pipeline.exchanges.inexact import Inexact, inexact_counter
from atelier_pipeline.exchanges.shapes import BookShape
from atelier_pipeline.exchanges.subscriptions import frame_text, in_chunks, request_number
from atelier_pipeline.exchanges.wire import Decode, Millis, Ordinal, Price, Rate, Size, decoder
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.events import (
    NS_PER_MS,
    Liquidation,
    NormalizedDelta,
    TickerUpdate,
    Trade,
)

DEPTHS = (1, 50, 200, 1000)
PING_INTERVAL_SECS = 20.0
MAX_TOPICS = 500
"""So many of the longest topics stay below 21,000 characters of args, the limit of a connection."""

CONNECT_LIMIT = RateLimit(500, 300)
"""https://bybit-exchange.github.io/docs/v5/ws/connect"""

_ARGS_PER_REQUEST = 10
"""The limit on spot. Linear has none; 172 topics were acknowledged there in requests of 10."""

_DEPTHS_EVER = (*DEPTHS, 500)
"""500 was offered until 2025-09-11: frames recorded before hold it."""

_RESTARTED = 1
"""Update id of the first book after a restart of the service, whatever the message's type says.

https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook
"""

_BOOK_FRAME = (
    '{{"topic":"orderbook.{depth}.<word>",{order},'
    '"data":{{"s":"<symbol>","b":[<bids>],"a":[<asks>],"u":<update_id>,"seq":<integer>}},'
    '"cts":<ms>}}'
)
BOOK_SHAPES = tuple(
    BookShape(
        frame=_BOOK_FRAME.format(depth=depth, order=order.format(kind)),
        level='["<price>","<size>"]',
        is_snapshot=kind == "snapshot",
        restarted_id=_RESTARTED,
        depth=depth,
    )
    # Spot writes the time before the type.
    for order in ('"type":"{}","ts":<ms>', '"ts":<ms>,"type":"{}"')
    for depth in _DEPTHS_EVER
    for kind in ("snapshot", "delta")
)

_CHANNELS = {
    Dataset.TRADES: "publicTrade",
    Dataset.LIQUIDATIONS: "allLiquidation",
    Dataset.FUNDINGS: "tickers",
    Dataset.OPEN_INTERESTS: "tickers",
}
_N = TypeVar("_N", int, float)
_SIDES = {"Buy": "buy", "Sell": "sell"}
_REFUSED_TOPIC = re.compile(r"(?:topic:|\[)([\w.]+)\.([^.\]]+)\]?$")


class _Book(msgspec.Struct, gc=False):
    symbol: str = field(name="s")
    bids: list[tuple[Price, Size]] = field(name="b")
    asks: list[tuple[Price, Size]] = field(name="a")
    update_id: Ordinal = field(name="u")


class _BookFrame(msgspec.Struct, gc=False):
    type: Literal["snapshot", "delta"]
    data: _Book
    ts: Millis
    cts: Millis = 0


class _Trade(msgspec.Struct, gc=False):
    time_ms: Millis = field(name="T")
    symbol: str = field(name="s")
    taker_side: Literal["Buy", "Sell"] = field(name="S")
    size: Size = field(name="v")
    price: Price = field(name="p")
    id: str = field(name="i")


class _TradeFrame(msgspec.Struct, gc=False):
    data: list[_Trade]


class _Liquidation(msgspec.Struct, gc=False):
    time_ms: Millis = field(name="T")
    symbol: str = field(name="s")
    position_side: Literal["Buy", "Sell"] = field(name="S")
    size: Size = field(name="v")
    bankruptcy_price: Price = field(name="p")


class _LiquidationFrame(msgspec.Struct, gc=False):
    data: list[_Liquidation] | _Liquidation


class _OldLiquidation(msgspec.Struct, gc=False):
    time_ms: Millis = field(name="updatedTime")
    symbol: str
    position_side: Literal["Buy", "Sell"] = field(name="side")
    size: Size
    bankruptcy_price: Price = field(name="price")


class _OldLiquidationFrame(msgspec.Struct, gc=False):
    data: _OldLiquidation


class _Ticker(msgspec.Struct, gc=False):
    """The fields of interest: absent = unchanged, "" = there is no such value."""

    symbol: str
    funding_rate: Rate | Literal[""] | None = field(name="fundingRate", default=None)
    next_funding_ms: Millis | Literal[""] | None = field(name="nextFundingTime", default=None)
    interval_hours: Size | Literal[""] | None = field(name="fundingIntervalHour", default=None)
    open_interest: Size | Literal[""] | None = field(name="openInterest", default=None)
    open_interest_value: Size | Literal[""] | None = field(name="openInterestValue", default=None)


class _TickerFrame(msgspec.Struct, gc=False):
    type: Literal["snapshot", "delta"]
    data: _Ticker
    ts: Millis


class _Reply(msgspec.Struct, gc=False):
    topic: str = ""
    op: str = ""
    success: bool | None = None
    ret_msg: str = ""
    req_id: str = ""


_BOOK = msgspec.json.Decoder(_BookFrame, strict=False)
_TRADES = msgspec.json.Decoder(_TradeFrame, strict=False)
_LIQUIDATIONS = msgspec.json.Decoder(_LiquidationFrame, strict=False)
_OLD_LIQUIDATION = msgspec.json.Decoder(_OldLiquidationFrame, strict=False)
_TICKER = msgspec.json.Decoder(_TickerFrame, strict=False)
_REPLY = msgspec.json.Decoder(_Reply)


def _book(exchange: str, depth: int, payload: bytes, ts_recv: int) -> list[Event]:
    frame = _BOOK.decode(payload)
    book = frame.data
    ts_event = (frame.cts or frame.ts) * NS_PER_MS
    return [
        NormalizedDelta(
            exchange=exchange,
            symbol=book.symbol,
            ts_event=ts_event,
            ts_recv=ts_recv or ts_event,
            is_snapshot=frame.type == "snapshot" or book.update_id == _RESTARTED,
            bids=book.bids,
            asks=book.asks,
            update_id=book.update_id,
            depth=depth,
        )
    ]


def _trades(exchange: str, payload: bytes, ts_recv: int) -> list[Event]:
    return [
        Trade(
            exchange=exchange,
            symbol=trade.symbol,
            side=_SIDES[trade.taker_side],
            price=trade.price,
            amount=trade.size,
            id=trade.id,
            ts_event=trade.time_ms * NS_PER_MS,
            ts_recv=ts_recv or trade.time_ms * NS_PER_MS,
        )
        for trade in _TRADES.decode(payload).data
    ]


def _liquidations(exchange: str, payload: bytes, ts_recv: int) -> list[Event]:
    data = _LIQUIDATIONS.decode(payload).data
    items = data if isinstance(data, list) else [data]
    return [_liquidation(exchange, item, ts_recv) for item in items]


def _old_liquidation(exchange: str, payload: bytes, ts_recv: int) -> list[Event]:
    return [_liquidation(exchange, _OLD_LIQUIDATION.decode(payload).data, ts_recv)]


def _liquidation(exchange: str, item: _Liquidation | _OldLiquidation, ts_recv: int) -> Liquidation:
    ts_event = item.time_ms * NS_PER_MS
    return Liquidation(
        exchange=exchange,
        symbol=item.symbol,
        # The side of the position: Buy = a long was liquidated, by a forced sell.
        side=_SIDES[item.position_side],
        price=item.bankruptcy_price,
        amount=item.size,
        ts_event=ts_event,
        ts_recv=ts_recv or ts_event,
    )


def _ticker(exchange: str, payload: bytes, ts_recv: int) -> list[Event]:
    frame = _TICKER.decode(payload)
    ticker = frame.data
    ts_event = frame.ts * NS_PER_MS
    return [
        TickerUpdate(
            exchange=exchange,
            symbol=ticker.symbol,
            ts_event=ts_event,
            ts_recv=ts_recv or ts_event,
            is_snapshot=frame.type == "snapshot",
            funding_rate=_given(ticker.funding_rate),
            # 0 on contracts without funding.
            next_funding_ts=_given(ticker.next_funding_ms) or None,
            interval_hours=_given(ticker.interval_hours) or None,
            open_interest=_given(ticker.open_interest),
            open_interest_value=_given(ticker.open_interest_value),
        )
    ]


def _given(value: _N | Literal[""] | None) -> _N | None:
    return None if isinstance(value, str) else value


def _reply(payload: bytes, _ts_recv: int) -> list[Event]:
    reply = _REPLY.decode(payload)
    # On spot and linear a pong has the op "ping".
    if reply.ret_msg == "pong" or reply.op == "pong":
        return [Heartbeat()]
    if reply.success is False:
        return [_not_done(reply)]
    if reply.op == "subscribe" and reply.success:
        return [Acknowledged(request_id=reply.req_id or None)]
    if reply.topic or reply.op:
        return []
    raise ValueError("neither a topic nor a reply")


def _not_done(reply: _Reply) -> Acknowledged | Refused:
    named = _REFUSED_TOPIC.search(reply.ret_msg)
    topic = None if named is None else Topic(*named.groups())
    if topic is not None and "already subscribed" in reply.ret_msg:
        return Acknowledged(request_id=reply.req_id or None, topics=(topic,))
    return Refused(reason=reply.ret_msg, request_id=reply.req_id or None, topic=topic)


def decoder_of(exchange: str, datasets: frozenset[Dataset]) -> Decode:
    """The decode function of a v5 feed that offers `datasets`; other topics give no events."""
    readers: dict[str, Decode] = {
        f"orderbook.{depth}": partial(_book, exchange, depth) for depth in _DEPTHS_EVER
    }
    readers["publicTrade"] = partial(_trades, exchange)
    if Dataset.LIQUIDATIONS in datasets:
        readers["allLiquidation"] = partial(_liquidations, exchange)
        readers["liquidation"] = partial(_old_liquidation, exchange)
    if Dataset.FUNDINGS in datasets:
        readers["tickers"] = partial(_ticker, exchange)

    @lru_cache(maxsize=4096)
    def reader_of(topic: bytes) -> Decode | None:
        return readers.get(topic.rpartition(b".")[0].decode())

    return decoder(exchange, "topic", reader_of, _reply)


def requests(
    operation: Literal["subscribe", "unsubscribe"],
    symbols: Sequence[str],
    datasets: frozenset[Dataset],
    depth: int | None,
) -> list[Request]:
    """Frames that subscribe to, or unsubscribe from, the datasets of the symbols."""
    channels = dict.fromkeys(
        f"orderbook.{depth}" if dataset is Dataset.ORDERBOOKS else _CHANNELS[dataset]
        for dataset in Dataset
        if dataset in datasets
    )
    topics = [Topic(channel, symbol) for channel in channels for symbol in symbols]
    return [_request(operation, chunk) for chunk in in_chunks(topics, _ARGS_PER_REQUEST)]


def _request(operation: str, topics: Sequence[Topic]) -> Request:
    request_id = str(request_number(operation, topics))
    args = [f"{topic.channel}.{topic.symbol}" for topic in topics]
    payload = frame_text({"req_id": request_id, "op": operation, "args": args})
    return Request(payload=payload, topics=tuple(topics), request_id=request_id)


def ping(request_id: str) -> str:
    """The text of an application ping."""
    return frame_text({"req_id": request_id, "op": "ping"})


inexact: Inexact = inexact_counter(
    key="topic",
    symbol_keys=("s", "symbol"),
    values={
        "orderbook": {"b": Dataset.ORDERBOOKS, "a": Dataset.ORDERBOOKS},
        "publicTrade": {"p": Dataset.TRADES, "v": Dataset.TRADES},
        "allLiquidation": {"p": Dataset.LIQUIDATIONS, "v": Dataset.LIQUIDATIONS},
        "liquidation": {"price": Dataset.LIQUIDATIONS, "size": Dataset.LIQUIDATIONS},
        "tickers": {
            "fundingRate": Dataset.FUNDINGS,
            "openInterest": Dataset.OPEN_INTERESTS,
            "openInterestValue": Dataset.OPEN_INTERESTS,
        },
    },
)
