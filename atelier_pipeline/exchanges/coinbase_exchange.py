"""Coinbase Exchange feed, spot: order books in batches, trades, heartbeats per product.

The book has no sequence number: its promise is delivery or disconnection.
https://docs.cdp.coinbase.com/exchange/websocket-feed/channels
"""

from collections.abc import Sequence
from functools import partial
from typing import Literal

import msgspec

from atelier_pipeline.exchanges.coinbase_products import feed_symbol, refused
from atelier_pipeline.exchanges.contract import (
    Acknowledged,
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

_NAME = "coinbase_exchange"
_CHANNELS = {Dataset.ORDERBOOKS: "level2_batch", Dataset.TRADES: "matches"}
_HEARTBEAT_CHANNEL = "heartbeat"
_ACKNOWLEDGED_AS = {"level2_50": "level2_batch"}
_TAKER_SIDE = {"buy": "sell", "sell": "buy"}
"""The feed gives the maker's side of a match (of a ticker it gives the taker's)."""


class _Snapshot(msgspec.Struct, gc=False):
    product_id: str
    bids: list[tuple[Price, Size]]
    asks: list[tuple[Price, Size]]
    time: str = ""


class _Update(msgspec.Struct, gc=False):
    product_id: str
    changes: list[tuple[Literal["buy", "sell"], Price, Size]]
    time: str


class _Match(msgspec.Struct, gc=False):
    type: Literal["match", "last_match"]
    trade_id: Ordinal
    product_id: str
    side: Literal["buy", "sell"]
    price: Price
    size: Size
    time: str


class _Heartbeat(msgspec.Struct, gc=False):
    product_id: str
    time: str
    last_trade_id: Ordinal | None = None


class _Channel(msgspec.Struct, gc=False):
    name: str
    product_ids: list[str] = []


class _Subscriptions(msgspec.Struct, gc=False):
    channels: list[_Channel]


class _Other(msgspec.Struct, gc=False):
    type: str
    message: str = ""
    reason: str = ""


_SNAPSHOT = msgspec.json.Decoder(_Snapshot, strict=False)
_UPDATE = msgspec.json.Decoder(_Update, strict=False)
_MATCH = msgspec.json.Decoder(_Match, strict=False)
_HEARTBEAT = msgspec.json.Decoder(_Heartbeat)
_SUBSCRIPTIONS = msgspec.json.Decoder(_Subscriptions)
_OTHER = msgspec.json.Decoder(_Other)


def _snapshot(payload: bytes, ts_recv: int) -> list[Event]:
    snapshot = _SNAPSHOT.decode(payload)
    ts_event = utc_ns(snapshot.time)
    return [
        NormalizedDelta(
            exchange=_NAME,
            symbol=snapshot.product_id,
            ts_event=ts_event,
            ts_recv=ts_recv or ts_event,
            is_snapshot=True,
            bids=snapshot.bids,
            asks=snapshot.asks,
        )
    ]


def _update(payload: bytes, ts_recv: int) -> list[Event]:
    update = _UPDATE.decode(payload)
    ts_event = utc_ns(update.time)
    return [
        NormalizedDelta(
            exchange=_NAME,
            symbol=update.product_id,
            ts_event=ts_event,
            ts_recv=ts_recv or ts_event,
            is_snapshot=False,
            bids=[(price, size) for side, price, size in update.changes if side == "buy"],
            asks=[(price, size) for side, price, size in update.changes if side == "sell"],
        )
    ]


def _match(payload: bytes, ts_recv: int) -> list[Event]:
    match = _MATCH.decode(payload)
    ts_event = utc_ns(match.time)
    return [
        Trade(
            exchange=_NAME,
            symbol=match.product_id,
            side=_TAKER_SIDE[match.side],
            price=match.price,
            amount=match.size,
            id=str(match.trade_id),
            ts_event=ts_event,
            ts_recv=ts_recv or ts_event,
            # The last trade before the subscription.
            is_history=match.type == "last_match",
        )
    ]


def _heartbeat(payload: bytes, _ts_recv: int) -> list[Event]:
    beat = _HEARTBEAT.decode(payload)
    ts_event = utc_ns(beat.time)
    return [Heartbeat(ts_event=ts_event, symbol=beat.product_id, last_trade_id=beat.last_trade_id)]


def _subscriptions(payload: bytes, _ts_recv: int) -> list[Event]:
    topics = [
        Topic(_ACKNOWLEDGED_AS.get(channel.name, channel.name), feed_symbol(product))
        for channel in _SUBSCRIPTIONS.decode(payload).channels
        for product in channel.product_ids
    ]
    return [Acknowledged(topics=tuple(topics))] if topics else []


def _other(payload: bytes, _ts_recv: int) -> list[Event]:
    other = _OTHER.decode(payload)
    if other.type != "error":
        return []
    return [refused(": ".join(part for part in (other.message, other.reason) if part))]


def _requests(
    operation: Literal["subscribe", "unsubscribe"],
    symbols: Sequence[str],
    datasets: frozenset[Dataset],
    _depth: int | None,
) -> list[Request]:
    """One frame. Heartbeats are the connection's sign of life: they are never unsubscribed."""
    channels = [channel for dataset, channel in _CHANNELS.items() if dataset in datasets]
    if operation == "subscribe":
        channels.append(_HEARTBEAT_CHANNEL)
    payload = frame_text({"type": operation, "product_ids": list(symbols), "channels": channels})
    topics = (Topic(channel, feed_symbol(s)) for channel in channels for s in symbols)
    return [Request(payload=payload, topics=tuple(topics))]


_BOOK_SHAPE = BookShape(
    frame='{"type":"l2update","product_id":"<symbol>","changes":[<changes>],"time":"<iso>"}',
    level='["<buy|sell>","<price>","<size>"]',
    is_snapshot=False,
)

_READERS: dict[bytes, Decode] = {
    b"snapshot": _snapshot,
    b"l2update": _update,
    b"match": _match,
    b"last_match": _match,
    b"heartbeat": _heartbeat,
    b"subscriptions": _subscriptions,
}

EXCHANGE = Exchange(
    name=_NAME,
    url="wss://ws-feed.exchange.coinbase.com",
    datasets=frozenset(_CHANNELS),
    depths=(),
    cuts_to_depth=False,
    book_integrity="none",
    trade_ids_contiguous=True,
    ping=None,
    ping_interval_secs=0.0,
    # No limit is documented: https://docs.cdp.coinbase.com/exchange/websocket-feed/rate-limits
    max_topics=100,
    # https://docs.cdp.coinbase.com/exchange/websocket-feed/rate-limits
    connect_limit=RateLimit(8, 1),
    subscribe=partial(_requests, "subscribe"),
    unsubscribe=partial(_requests, "unsubscribe"),
    decode=decoder(_NAME, "type", _READERS.get, _other),
    inexact=inexact_counter(
        key="type",
        symbol_keys=("product_id",),
        values={
            "snapshot": dict.fromkeys(("bids", "asks"), Dataset.ORDERBOOKS),
            "l2update": {"changes": Dataset.ORDERBOOKS},
            "match": dict.fromkeys(("price", "size"), Dataset.TRADES),
            "last_match": dict.fromkeys(("price", "size"), Dataset.TRADES),
        },
    ),
    feed_symbol=feed_symbol,
    book_shapes=(_BOOK_SHAPE,),
)
