"""Coinbase Advanced Trade, spot: order books and trades, numbered over the whole connection.

https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels
"""

from collections.abc import Sequence
from functools import partial
from typing import Literal

import msgspec

from atelier_pipeline.exchanges.coinbase_products import feed_symbol, refused
from atelier_pipeline.exchanges.contract import (
    Acknowledged,
    ConnectionSequence,
    Event,
    Exchange,
    Heartbeat,
    RateLimit,
    Request,
    Topic,
)
from atelier_pipeline.exchanges.inexact import inexact_counter
from atelier_pipeline.exchanges.shapes import BookShape
from atelier_pipeline.exchanges.subscriptions import frame_text
from atelier_pipeline.exchanges.wire import Decode, Ordinal, Price, Size, decoder, utc_ns
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.events import NormalizedDelta, Trade

_NAME = "coinbase"
_CHANNELS = {Dataset.ORDERBOOKS: "level2", Dataset.TRADES: "market_trades"}
_HEARTBEATS = "heartbeats"
_TAKER_SIDE = {"BUY": "sell", "SELL": "buy"}
"""The feed gives the maker's side."""


class _Message(msgspec.Struct, gc=False):
    sequence_num: Ordinal
    timestamp: str


class _Change(msgspec.Struct, gc=False):
    side: Literal["bid", "offer"]
    price_level: Price
    new_quantity: Size
    event_time: str


class _BookEvent(msgspec.Struct, gc=False):
    type: Literal["snapshot", "update"]
    product_id: str
    updates: list[_Change]


class _BookMessage(_Message, gc=False):
    events: list[_BookEvent]


class _Trade(msgspec.Struct, gc=False):
    trade_id: Ordinal
    product_id: str
    price: Price
    size: Size
    time: str
    side: Literal["BUY", "SELL"]


class _TradesEvent(msgspec.Struct, gc=False):
    type: Literal["snapshot", "update"]
    trades: list[_Trade]


class _TradesMessage(_Message, gc=False):
    events: list[_TradesEvent]


class _SubscriptionsEvent(msgspec.Struct, gc=False):
    subscriptions: dict[str, list[str]]


class _SubscriptionsMessage(_Message, gc=False):
    events: list[_SubscriptionsEvent]


class _Other(msgspec.Struct, gc=False):
    channel: str = ""
    sequence_num: Ordinal | None = None
    type: str = ""
    message: str = ""


_BOOK = msgspec.json.Decoder(_BookMessage, strict=False)
_TRADES = msgspec.json.Decoder(_TradesMessage, strict=False)
_SUBSCRIPTIONS = msgspec.json.Decoder(_SubscriptionsMessage)
_HEARTBEAT = msgspec.json.Decoder(_Message)
_OTHER = msgspec.json.Decoder(_Other)


def _book(payload: bytes, ts_recv: int) -> list[Event]:
    message = _BOOK.decode(payload)
    events: list[Event] = [ConnectionSequence(message.sequence_num)]
    for event in message.events:
        is_snapshot = event.type == "snapshot"
        # The levels of a snapshot carry no common time, in examples not even a true one.
        ts_event = utc_ns(message.timestamp) if is_snapshot else _newest(event.updates)
        delta = NormalizedDelta(
            exchange=_NAME,
            symbol=event.product_id,
            ts_event=ts_event,
            ts_recv=ts_recv or ts_event,
            is_snapshot=is_snapshot,
            bids=[(c.price_level, c.new_quantity) for c in event.updates if c.side == "bid"],
            asks=[(c.price_level, c.new_quantity) for c in event.updates if c.side == "offer"],
        )
        events.append(delta)
    return events


def _newest(changes: list[_Change]) -> int:
    times = {change.event_time for change in changes}
    # Mostly there is one; the texts can't be compared, since their fractions differ in length.
    return utc_ns(times.pop()) if len(times) == 1 else max(map(utc_ns, times), default=0)


def _trades(payload: bytes, ts_recv: int) -> list[Event]:
    message = _TRADES.decode(payload)
    events: list[Event] = [ConnectionSequence(message.sequence_num)]
    for event in message.events:
        is_history = event.type == "snapshot"
        # History comes newest first, updates in order.
        trades = reversed(event.trades) if is_history else event.trades
        events.extend(_trade(trade, ts_recv, is_history=is_history) for trade in trades)
    return events


def _trade(trade: _Trade, ts_recv: int, *, is_history: bool) -> Trade:
    ts_event = utc_ns(trade.time)
    return Trade(
        exchange=_NAME,
        symbol=trade.product_id,
        side=_TAKER_SIDE[trade.side],
        price=trade.price,
        amount=trade.size,
        id=str(trade.trade_id),
        ts_event=ts_event,
        ts_recv=ts_recv or ts_event,
        is_history=is_history,
    )


def _subscriptions(payload: bytes, _ts_recv: int) -> list[Event]:
    message = _SUBSCRIPTIONS.decode(payload)
    subscribed = (_topics(event.subscriptions) for event in message.events)
    acknowledged = [Acknowledged(topics=topics) for topics in subscribed if topics]
    return [ConnectionSequence(message.sequence_num), *acknowledged]


def _topics(subscriptions: dict[str, list[str]]) -> tuple[Topic, ...]:
    return tuple(
        # {"heartbeats": ["heartbeats"]}: a channel without products.
        Topic(channel) if channel == _HEARTBEATS else Topic(channel, feed_symbol(product))
        for channel, products in subscriptions.items()
        for product in products
    )


def _heartbeat(payload: bytes, _ts_recv: int) -> list[Event]:
    message = _HEARTBEAT.decode(payload)
    return [ConnectionSequence(message.sequence_num), Heartbeat(ts_event=utc_ns(message.timestamp))]


def _other(payload: bytes, _ts_recv: int) -> list[Event]:
    other = _OTHER.decode(payload)
    events: list[Event] = []
    if other.sequence_num is not None:
        events.append(ConnectionSequence(other.sequence_num))
    if other.type == "error":
        events.append(refused(other.message))
    elif not other.channel:
        raise ValueError("neither a channel nor an error")
    return events


def _requests(
    operation: Literal["subscribe", "unsubscribe"],
    symbols: Sequence[str],
    datasets: frozenset[Dataset],
    _depth: int | None,
) -> list[Request]:
    """One frame per channel. Heartbeats keep the connection open: they are never unsubscribed."""
    requests = [
        Request(
            payload=frame_text(
                {"type": operation, "product_ids": list(symbols), "channel": channel}
            ),
            topics=tuple(Topic(channel, feed_symbol(symbol)) for symbol in symbols),
        )
        for dataset, channel in _CHANNELS.items()
        if dataset in datasets
    ]
    if operation == "subscribe":
        payload = frame_text({"type": operation, "channel": _HEARTBEATS})
        requests.append(Request(payload=payload, topics=(Topic(_HEARTBEATS),)))
    return requests


_ENVELOPE = '{{"channel":"l2_data",{}"timestamp":"{}","sequence_num":<number>,'
_BOOK_EVENT = '"events":[{{"type":"{}","product_id":"<symbol>","updates":[<changes>]}}]}}'
_LEVEL = (
    '{{"side":"<bid|offer>","event_time":"{}","price_level":"<price>","new_quantity":"<size>"}}'
)
_BOOK_SHAPES = tuple(
    BookShape(
        frame=_ENVELOPE.format(client, envelope_time) + _BOOK_EVENT.format(kind),
        level=_LEVEL.format(level_time),
        is_snapshot=kind == "snapshot",
    )
    for client in ("", '"client_id":"",')
    for kind, envelope_time, level_time in (
        ("update", "<text>", "<iso>"),
        ("snapshot", "<iso>", "<text>"),
    )
)
"""The time of an update is that of its newest level, the time of a snapshot its envelope's."""

_READERS: dict[bytes, Decode] = {
    b"l2_data": _book,
    b"market_trades": _trades,
    b"subscriptions": _subscriptions,
    b"heartbeats": _heartbeat,
}

EXCHANGE = Exchange(
    name=_NAME,
    url="wss://advanced-trade-ws.coinbase.com",
    datasets=frozenset(_CHANNELS),
    depths=(),
    cuts_to_depth=False,
    book_integrity="connection_sequence",
    trade_ids_contiguous=True,
    ping=None,
    ping_interval_secs=0.0,
    # No limit is documented; one lost message makes every book of its connection doubtful.
    max_topics=100,
    # https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-rate-limits
    connect_limit=RateLimit(8, 1),
    subscribe=partial(_requests, "subscribe"),
    unsubscribe=partial(_requests, "unsubscribe"),
    decode=decoder(_NAME, "channel", _READERS.get, _other),
    inexact=inexact_counter(
        key="channel",
        symbol_keys=("product_id",),
        values={
            "l2_data": dict.fromkeys(("price_level", "new_quantity"), Dataset.ORDERBOOKS),
            "market_trades": dict.fromkeys(("price", "size"), Dataset.TRADES),
        },
    ),
    feed_symbol=feed_symbol,
    book_shapes=_BOOK_SHAPES,
)
