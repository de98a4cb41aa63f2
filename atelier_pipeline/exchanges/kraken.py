"""Kraken spot, WebSocket v2: order books with a checksum of their top 10 levels, and trades.

https://docs.kraken.com/api/docs/websocket-v2/book
"""

from collections.abc import Sequence
from functools import partial
from typing import Literal

import msgspec
from msgspec import Raw, field

from atelier_pipeline.exchanges.contract import (
    Acknowledged,
    Event,
    Exchange,
    Heartbeat,
    RateLimit,
    Refused,
    Request,
    Topic,
)
from atelier_pipeline.exchanges.inexact import inexact_counter
from atelier_pipeline.exchanges.shapes import BookShape
from atelier_pipeline.exchanges.subscriptions import frame_text, in_chunks, request_number
from atelier_pipeline.exchanges.wire import (
    LARGEST,
    Crc32,
    Decode,
    Ordinal,
    Price,
    Size,
    decoder,
    utc_ns,
)
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.events import Level, NormalizedDelta, Trade

_NAME = "kraken"
_CHANNELS = {Dataset.ORDERBOOKS: "book", Dataset.TRADES: "trade"}
_SYMBOLS_PER_REQUEST = 50
_DIGITS_LIMIT = 2**64


class _Level(msgspec.Struct, gc=False):
    """Numbers as they were sent: the checksum is of their digits, trailing zeros included."""

    price: Raw
    qty: Raw


class _Book(msgspec.Struct, gc=False):
    symbol: str
    bids: list[_Level] = []
    asks: list[_Level] = []
    checksum: Crc32 | None = None
    timestamp: str = ""


class _BookFrame(msgspec.Struct, gc=False):
    type: Literal["snapshot", "update"]
    data: list[_Book]


class _Trade(msgspec.Struct, gc=False):
    symbol: str
    side: Literal["buy", "sell"]
    price: Price
    qty: Size
    trade_id: Ordinal
    timestamp: str


class _TradeFrame(msgspec.Struct, gc=False):
    type: Literal["snapshot", "update"]
    data: list[_Trade]


class _SignOfLife(msgspec.Struct, gc=False):
    """A heartbeat or a status, of which only the arrival counts."""

    channel: str


class _Result(msgspec.Struct, gc=False):
    channel: str = ""
    symbol: str = ""
    depth: Ordinal | None = None


class _Reply(msgspec.Struct, gc=False):
    channel: str = ""
    method: str = ""
    success: bool | None = None
    error: str = ""
    rate_error: str = field(name="Error", default="")
    req_id: int | None = None
    result: _Result | None = None
    time_out: str = ""


_BOOK = msgspec.json.Decoder(_BookFrame)
_TRADE = msgspec.json.Decoder(_TradeFrame)
_SIGN_OF_LIFE = msgspec.json.Decoder(_SignOfLife)
_REPLY = msgspec.json.Decoder(_Reply)


def _book(payload: bytes, ts_recv: int) -> list[Event]:
    frame = _BOOK.decode(payload)
    return [_delta(book, ts_recv, is_snapshot=frame.type == "snapshot") for book in frame.data]


def _delta(book: _Book, ts_recv: int, *, is_snapshot: bool) -> NormalizedDelta:
    ts_event = utc_ns(book.timestamp)
    bids, bid_digits = _levels(book.bids)
    asks, ask_digits = _levels(book.asks)
    return NormalizedDelta(
        exchange=_NAME,
        symbol=book.symbol,
        ts_event=ts_event,
        ts_recv=ts_recv or ts_event,
        is_snapshot=is_snapshot,
        bids=bids,
        asks=asks,
        checksum=book.checksum,
        digits=bid_digits + ask_digits,
    )


def _levels(sent: list[_Level]) -> tuple[list[Level], list[tuple[int, int]]]:
    levels: list[Level] = []
    digits: list[tuple[int, int]] = []
    for level in sent:
        price_text, size_text = bytes(level.price), bytes(level.qty)
        price, size = float(price_text), float(size_text)
        if not 0.0 < price < LARGEST or not 0.0 <= size < LARGEST:
            raise ValueError(f"a level of {size} at {price}")
        levels.append((price, size))
        digits.append((_digits(price_text), _digits(size_text)))
    return levels, digits


def _digits(number: bytes) -> int:
    """The number without its decimal point; 0 where that has no 64 bits or is not all digits."""
    try:
        digits = int(number.replace(b".", b""))
    except ValueError:
        return 0
    return digits if digits < _DIGITS_LIMIT else 0


def _trades(payload: bytes, ts_recv: int) -> list[Event]:
    frame = _TRADE.decode(payload)
    is_history = frame.type == "snapshot"
    return [_trade(trade, ts_recv, is_history=is_history) for trade in frame.data]


def _trade(trade: _Trade, ts_recv: int, *, is_history: bool) -> Trade:
    ts_event = utc_ns(trade.timestamp)
    return Trade(
        exchange=_NAME,
        symbol=trade.symbol,
        side=trade.side,
        price=trade.price,
        amount=trade.qty,
        id=str(trade.trade_id),
        ts_event=ts_event,
        ts_recv=ts_recv or ts_event,
        is_history=is_history,
    )


def _sign_of_life(payload: bytes, _ts_recv: int) -> list[Event]:
    _SIGN_OF_LIFE.decode(payload)
    return [Heartbeat()]


def _reply(payload: bytes, _ts_recv: int) -> list[Event]:
    reply = _REPLY.decode(payload)
    if reply.error or reply.rate_error or reply.success is False:
        return _not_done(reply)
    if reply.method == "pong":
        return [Heartbeat(ts_event=utc_ns(reply.time_out))]
    if reply.method == "subscribe" and reply.result is not None:
        return [_acknowledged(reply, reply.result)]
    if reply.channel or reply.method:
        return []
    raise ValueError("neither a channel nor a reply")


def _not_done(reply: _Reply) -> list[Event]:
    if reply.error.startswith("Already subscribed"):
        return [Acknowledged(request_id=_request_id(reply))]
    if reply.method == "unsubscribe" and not reply.rate_error:
        return []
    # The refusal of a symbol names it in `error`, but not its channel.
    return [Refused(reason=reply.error or reply.rate_error, request_id=_request_id(reply))]


def _acknowledged(reply: _Reply, result: _Result) -> Acknowledged:
    topic = Topic(result.channel, result.symbol)
    return Acknowledged(request_id=_request_id(reply), topics=(topic,), depth=result.depth)


def _request_id(reply: _Reply) -> str | None:
    return None if reply.req_id is None else str(reply.req_id)


def _requests(
    operation: Literal["subscribe", "unsubscribe"],
    symbols: Sequence[str],
    datasets: frozenset[Dataset],
    depth: int | None,
) -> list[Request]:
    """Frames of one channel and at most 50 symbols; each symbol is acknowledged by itself."""
    return [
        _request(operation, channel, chunk, depth)
        for dataset, channel in _CHANNELS.items()
        if dataset in datasets
        for chunk in in_chunks(symbols, _SYMBOLS_PER_REQUEST)
    ]


def _request(operation: str, channel: str, symbols: Sequence[str], depth: int | None) -> Request:
    topics = tuple(Topic(channel, symbol) for symbol in symbols)
    number = request_number(operation, topics)
    params: dict[str, object] = {"channel": channel, "symbol": list(symbols)}
    if channel == "book":
        params["depth"] = depth
    if operation == "subscribe":
        # The opening book is wanted; the last 50 trades are history that nothing here needs.
        params["snapshot"] = channel == "book"
    payload = frame_text({"method": operation, "params": params, "req_id": number})
    return Request(payload=payload, topics=topics, request_id=str(number))


def _ping(request_id: str) -> str:
    """A ping; Kraken's ids are integers, so that a text id becomes one."""
    return frame_text({"method": "ping", "req_id": request_number(request_id, ())})


_BOOK_SHAPES = tuple(
    BookShape(
        frame=f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"<symbol>",'
        f'"bids":[<bids>],"asks":[<asks>],{end}}}]}}',
        level='{"price":<price>,"qty":<size>}',
        is_snapshot=kind == "snapshot",
    )
    for kind in ("snapshot", "update")
    for end in (
        '"checksum":<checksum>,"timestamp":"<iso>"',
        '"checksum":<checksum>',
        '"timestamp":"<iso>"',
    )
)

_READERS: dict[bytes, Decode] = {
    b"book": _book,
    b"trade": _trades,
    b"heartbeat": _sign_of_life,
    b"status": _sign_of_life,
}

EXCHANGE = Exchange(
    name=_NAME,
    url="wss://ws.kraken.com/v2",
    datasets=frozenset(_CHANNELS),
    depths=(10, 25, 100, 500, 1000),
    cuts_to_depth=True,
    book_integrity="checksum_top10",
    trade_ids_contiguous=True,
    ping=_ping,
    ping_interval_secs=30.0,
    # No limit is documented: https://docs.kraken.com/api/docs/guides/spot-ratelimits
    max_topics=500,
    # Cloudflare's, in front of Kraken: about so many attempts, then a ban of ten minutes.
    connect_limit=RateLimit(150, 600),
    subscribe=partial(_requests, "subscribe"),
    unsubscribe=partial(_requests, "unsubscribe"),
    decode=decoder(_NAME, "channel", _READERS.get, _reply),
    inexact=inexact_counter(
        key="channel",
        symbol_keys=("symbol",),
        values={
            "book": dict.fromkeys(("price", "qty"), Dataset.ORDERBOOKS),
            "trade": dict.fromkeys(("price", "qty"), Dataset.TRADES),
        },
    ),
    book_shapes=_BOOK_SHAPES,
)
