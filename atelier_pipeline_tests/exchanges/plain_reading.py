"""A slow, obvious reading of the exchanges' documents, to hold the codecs against.

It shares nothing with them but the event types: text numbers go through Decimal, times through
datetime, JSON through the standard library.
"""

import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from atelier_pipeline.exchanges.contract import (
    Acknowledged,
    ConnectionSequence,
    Event,
    Heartbeat,
    Refused,
    Topic,
)
from atelier_pipeline.market.events import Liquidation, NormalizedDelta, TickerUpdate, Trade

TAKER_OF_MAKER = {"BUY": "sell", "SELL": "buy"}


def ns(text: str) -> int:
    if text < "1971":
        return 0
    day, _, fraction = text.removesuffix("Z").partition(".")
    seconds = datetime.fromisoformat(day + "+00:00").timestamp()
    return int(Decimal(seconds) * 10**9) + int(Decimal(f"0.{fraction or 0}") * 10**9)


def number(text: str) -> float:
    return float(Decimal(text))


def levels(pairs: list[Any]) -> list[tuple[float, float]]:
    return [(number(price), number(size)) for price, size in pairs]


def bybit(exchange: str, text: bytes, ts_recv: int) -> list[Event]:
    frame = json.loads(text)
    if "topic" not in frame:
        return bybit_reply(frame)
    channel, _, symbol = frame["topic"].rpartition(".")
    data, ts = frame["data"], frame["ts"] * 10**6
    name = {"exchange": exchange, "symbol": symbol}
    if channel.startswith("orderbook."):
        ts = frame["cts"] * 10**6
        return [
            NormalizedDelta(
                **name,
                ts_event=ts,
                ts_recv=ts_recv or ts,
                is_snapshot=frame["type"] == "snapshot" or data["u"] == 1,
                bids=levels(data["b"]),
                asks=levels(data["a"]),
                update_id=data["u"],
                depth=int(channel.split(".")[1]),
            )
        ]
    if channel == "publicTrade":
        return [
            Trade(
                **name,
                side=trade["S"].lower(),
                price=number(trade["p"]),
                amount=number(trade["v"]),
                id=trade["i"],
                ts_event=trade["T"] * 10**6,
                ts_recv=ts_recv or trade["T"] * 10**6,
            )
            for trade in data
        ]
    if channel == "allLiquidation":
        return [
            Liquidation(
                **name,
                side=item["S"].lower(),
                price=number(item["p"]),
                amount=number(item["v"]),
                ts_event=item["T"] * 10**6,
                ts_recv=ts_recv or item["T"] * 10**6,
            )
            for item in data
        ]
    if channel != "tickers" or exchange != "bybit":
        return []

    def given(field: str) -> float | None:
        return number(data[field]) if data.get(field) else None

    next_funding = given("nextFundingTime")
    return [
        TickerUpdate(
            **name,
            ts_event=ts,
            ts_recv=ts_recv or ts,
            is_snapshot=frame["type"] == "snapshot",
            funding_rate=given("fundingRate"),
            next_funding_ts=None if next_funding is None else int(next_funding),
            interval_hours=given("fundingIntervalHour"),
            open_interest=given("openInterest"),
            open_interest_value=given("openInterestValue"),
        )
    ]


def bybit_reply(frame: dict[str, Any]) -> list[Event]:
    if frame["ret_msg"] == "pong":
        return [Heartbeat()]
    if frame["success"]:
        return [Acknowledged(request_id=frame.get("req_id"))]
    named = frame["ret_msg"].replace("[", ":").rstrip("]").rsplit(":", 1)[1]
    topic, request_id = Topic(*named.rsplit(".", 1)), frame.get("req_id")
    if frame["ret_msg"].startswith("error:already subscribed"):
        return [Acknowledged(request_id=request_id, topics=(topic,))]
    return [Refused(reason=frame["ret_msg"], request_id=request_id, topic=topic)]


def coinbase(text: bytes, ts_recv: int) -> list[Event]:
    frame = json.loads(text)
    if "channel" not in frame:
        return [Refused(reason=frame["message"])]
    events: list[Event] = [ConnectionSequence(frame["sequence_num"])]
    for event in frame["events"]:
        if frame["channel"] == "l2_data":
            changes = event["updates"]
            is_snapshot = event["type"] == "snapshot"
            ts = ns(frame["timestamp"])
            if not is_snapshot:
                ts = max(ns(change["event_time"]) for change in changes)
            sides = {
                side: levels(
                    [(c["price_level"], c["new_quantity"]) for c in changes if c["side"] == side]
                )
                for side in ("bid", "offer")
            }
            events.append(
                NormalizedDelta(
                    exchange="coinbase",
                    symbol=event["product_id"],
                    ts_event=ts,
                    ts_recv=ts_recv or ts,
                    is_snapshot=is_snapshot,
                    bids=sides["bid"],
                    asks=sides["offer"],
                )
            )
        elif frame["channel"] == "market_trades":
            is_history = event["type"] == "snapshot"
            events += [
                Trade(
                    exchange="coinbase",
                    symbol=trade["product_id"],
                    side=TAKER_OF_MAKER[trade["side"]],
                    price=number(trade["price"]),
                    amount=number(trade["size"]),
                    id=trade["trade_id"],
                    ts_event=ns(trade["time"]),
                    ts_recv=ts_recv or ns(trade["time"]),
                    is_history=is_history,
                )
                for trade in event["trades"][:: -1 if is_history else 1]
            ]
        elif frame["channel"] == "heartbeats":
            events.append(Heartbeat(ts_event=ns(frame["timestamp"])))
        elif frame["channel"] == "subscriptions":
            topics = [
                Topic(channel, product if product != channel else "")
                for channel, products in event["subscriptions"].items()
                for product in products
            ]
            events.append(Acknowledged(topics=tuple(topics)))
    return events


def coinbase_exchange(text: bytes, ts_recv: int) -> list[Event]:
    frame = json.loads(text)
    if frame["type"] == "ticker":
        return []
    if frame["type"] == "error":
        reason = f"{frame['message']}: {frame['reason']}"
        product, is_named, _ = frame["reason"].partition(" is not a valid product")
        return [Refused(reason=reason, topic=Topic("", product) if is_named else None)]
    if frame["type"] == "subscriptions":
        topics = [
            Topic("level2_batch" if channel["name"] == "level2_50" else channel["name"], product)
            for channel in frame["channels"]
            for product in channel["product_ids"]
        ]
        return [Acknowledged(topics=tuple(topics))]
    symbol = frame["product_id"]
    ts = ns(frame["time"]) if "time" in frame else 0
    if frame["type"] == "heartbeat":
        return [Heartbeat(ts_event=ts, symbol=symbol, last_trade_id=frame["last_trade_id"])]
    if frame["type"] in {"match", "last_match"}:
        return [
            Trade(
                exchange="coinbase_exchange",
                symbol=symbol,
                side=TAKER_OF_MAKER[frame["side"].upper()],
                price=number(frame["price"]),
                amount=number(frame["size"]),
                id=str(frame["trade_id"]),
                ts_event=ts,
                ts_recv=ts_recv or ts,
                is_history=frame["type"] == "last_match",
            )
        ]
    changes = frame.get("changes", [])
    return [
        NormalizedDelta(
            exchange="coinbase_exchange",
            symbol=symbol,
            ts_event=ts,
            ts_recv=ts_recv or ts,
            is_snapshot=frame["type"] == "snapshot",
            bids=levels(frame.get("bids", [c[1:] for c in changes if c[0] == "buy"])),
            asks=levels(frame.get("asks", [c[1:] for c in changes if c[0] == "sell"])),
        )
    ]


def kraken(text: bytes, ts_recv: int) -> list[Event]:
    frame = json.loads(text, parse_float=str, parse_int=str)
    if "method" in frame:
        return kraken_reply(frame)
    if frame["channel"] in {"heartbeat", "status"}:
        return [Heartbeat()]
    if frame["channel"] == "instrument":
        return []
    read = {"book": kraken_book, "trade": kraken_trade}[frame["channel"]]
    is_snapshot = frame["type"] == "snapshot"
    return [read(item, ts_recv, is_snapshot=is_snapshot) for item in frame["data"]]


def kraken_reply(frame: dict[str, Any]) -> list[Event]:
    request_id = frame.get("req_id")
    if frame["method"] == "pong":
        return [Heartbeat(ts_event=ns(frame["time_out"]))]
    if "error" in frame:
        return [Refused(reason=frame["error"], request_id=request_id)]
    if frame["method"] == "unsubscribe":
        return []
    result = frame["result"]
    topics = (Topic(result["channel"], result["symbol"]),)
    depth = int(result["depth"]) if "depth" in result else None
    return [Acknowledged(request_id=request_id, topics=topics, depth=depth)]


def kraken_book(item: dict[str, Any], ts_recv: int, *, is_snapshot: bool) -> NormalizedDelta:
    ts = ns(item["timestamp"]) if "timestamp" in item else 0
    sent = [[(level["price"], level["qty"]) for level in item[side]] for side in ("bids", "asks")]
    return NormalizedDelta(
        exchange="kraken",
        symbol=item["symbol"],
        ts_event=ts,
        ts_recv=ts_recv or ts,
        is_snapshot=is_snapshot,
        bids=levels(sent[0]),
        asks=levels(sent[1]),
        checksum=int(item["checksum"]) if "checksum" in item else None,
        digits=[
            (int(price.replace(".", "")), int(size.replace(".", "")))
            for price, size in sent[0] + sent[1]
        ],
    )


def kraken_trade(item: dict[str, Any], ts_recv: int, *, is_snapshot: bool) -> Trade:
    ts = ns(item["timestamp"])
    return Trade(
        exchange="kraken",
        symbol=item["symbol"],
        side=item["side"],
        price=number(item["price"]),
        amount=number(item["qty"]),
        id=item["trade_id"],
        ts_event=ts,
        ts_recv=ts_recv or ts,
        is_history=is_snapshot,
    )


READINGS: dict[str, Callable[[bytes, int], list[Event]]] = {
    "bybit": lambda text, ts_recv: bybit("bybit", text, ts_recv),
    "bybit_spot": lambda text, ts_recv: bybit("bybit_spot", text, ts_recv),
    "coinbase": coinbase,
    "coinbase_exchange": coinbase_exchange,
    "kraken": kraken,
}
