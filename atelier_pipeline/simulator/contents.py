"""What a message of a simulated exchange is about: for faults that pick some messages of many."""

from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

import msgspec

Channel: TypeAlias = Literal[
    "book", "trades", "ticker", "liquidations", "heartbeat", "ack", "refusal", "other"
]


class Content(NamedTuple):
    """A message's channel, the symbol it is of ("" = none or several), and if it starts a book."""

    channel: Channel
    symbol: str = ""
    is_snapshot: bool = False


class _Bybit(msgspec.Struct):
    topic: str = ""
    type: str = ""
    success: bool = True
    ret_msg: str = ""


class _Event(msgspec.Struct):
    type: str = ""
    product_id: str = ""
    trades: list[dict[str, str]] = []


class _Coinbase(msgspec.Struct):
    channel: str = ""
    events: list[_Event] = []


class _CoinbaseExchange(msgspec.Struct):
    type: str
    product_id: str = ""


class _Data(msgspec.Struct):
    symbol: str = ""


class _Kraken(msgspec.Struct):
    channel: str = ""
    type: str = ""
    data: list[_Data] = []
    method: str = ""
    success: bool = True


_BYBIT_CHANNELS: dict[str, Channel] = {
    "orderbook": "book",
    "publicTrade": "trades",
    "tickers": "ticker",
    "allLiquidation": "liquidations",
}
_COINBASE_CHANNELS: dict[str, Channel] = {
    "l2_data": "book",
    "market_trades": "trades",
    "heartbeats": "heartbeat",
    "subscriptions": "ack",
    "": "refusal",
}
_EXCHANGE_CHANNELS: dict[str, Channel] = {
    "snapshot": "book",
    "l2update": "book",
    "match": "trades",
    "last_match": "trades",
    "heartbeat": "heartbeat",
    "subscriptions": "ack",
    "error": "refusal",
}
_KRAKEN_CHANNELS: dict[str, Channel] = {
    "book": "book",
    "trade": "trades",
    "heartbeat": "heartbeat",
    "status": "heartbeat",
}


def _of_bybit(payload: str) -> Content:
    message = msgspec.json.decode(payload, type=_Bybit)
    if message.topic:
        channel = _BYBIT_CHANNELS[message.topic.partition(".")[0]]
        symbol = message.topic.rpartition(".")[2]
        return Content(channel, symbol, channel == "book" and message.type == "snapshot")
    if message.ret_msg == "pong":
        return Content("heartbeat")
    return Content("ack" if message.success else "refusal")


def _of_coinbase(payload: str) -> Content:
    message = msgspec.json.decode(payload, type=_Coinbase)
    channel = _COINBASE_CHANNELS[message.channel]
    event = message.events[0] if message.events else _Event()
    symbol = event.trades[0]["product_id"] if event.trades else event.product_id
    return Content(channel, symbol, channel == "book" and event.type == "snapshot")


def _of_coinbase_exchange(payload: str) -> Content:
    message = msgspec.json.decode(payload, type=_CoinbaseExchange)
    channel = _EXCHANGE_CHANNELS[message.type]
    return Content(channel, message.product_id, message.type == "snapshot")


def _of_kraken(payload: str) -> Content:
    message = msgspec.json.decode(payload, type=_Kraken)
    if message.method == "pong":
        return Content("heartbeat")
    if message.method or not message.channel:
        return Content("ack" if message.success else "refusal")
    channel = _KRAKEN_CHANNELS[message.channel]
    symbol = message.data[0].symbol if message.data else ""
    return Content(channel, symbol, channel == "book" and message.type == "snapshot")


_READERS: dict[str, Callable[[str], Content]] = {
    "bybit": _of_bybit,
    "bybit_spot": _of_bybit,
    "coinbase": _of_coinbase,
    "coinbase_exchange": _of_coinbase_exchange,
    "kraken": _of_kraken,
}


def content_of(exchange: str, payload: str | bytes) -> Content:
    """What a message is about; one that a fault has made unreadable is "other"."""
    try:
        text = payload if isinstance(payload, str) else payload.decode()
        return _READERS[exchange](text)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Content("other")
