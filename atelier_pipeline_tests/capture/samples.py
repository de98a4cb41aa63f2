"""A small Kraken collector and the frames that a scripted exchange answers it with."""

import json
import time
import zlib
from pathlib import Path
from typing import Any

from atelier_pipeline.lake.journal_reader import read_journal
from atelier_pipeline.manifest import Collector, parse_collector
from atelier_pipeline.market.window import Window

NS_PER_SEC = 1_000_000_000
BOOK = (
    '{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD",'
    '"bids":[{"price":1.0,"qty":2.0}],"asks":[],'
)
CHECKSUM = zlib.crc32(b"1020")


def collector(*symbols: str, collect: str = "", exchange: str = "kraken") -> Collector:
    """Books of `symbols`, with short waits; `collect` adds keys."""
    workers = "".join(f"[[workers]]\nsymbol = {symbol!r}\n" for symbol in symbols or ("BTC/USD",))
    text = (
        f"[collect]\nexchange = {exchange!r}\n"
        'source = "simulated"\n'
        "datatypes.orderbook = { enabled = true, depth = 10 }\n"
        "window = { lead_secs = 0.5, linger_secs = 0.3 }\n"
        "reconnect.initial_delay_ms = 10\n"
        f"{collect}\n{workers}"
    )
    return parse_collector("mine", text, "mine.toml")


def window(secs: float = 1, begins_in_secs: float = 0) -> Window:
    """A window that begins soon, by this machine's clock, at a whole microsecond."""
    start_ns = time.time_ns() // 1000 * 1000 + int(begins_in_secs * NS_PER_SEC)
    return Window(start_ns, start_ns + int(secs * NS_PER_SEC))


def book(time_ns: int | None = None) -> str:
    """A Kraken book snapshot of that time, else of now."""
    stamp = utc(time_ns or time.time_ns())
    return f'{BOOK}"checksum":{CHECKSUM},"timestamp":"{stamp}"}}]}}'


def utc(time_ns: int) -> str:
    """UTC ns as Kraken writes it."""
    seconds, rest = divmod(time_ns, NS_PER_SEC)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest // 1000:06d}Z"


def accepted(request: str) -> list[str]:
    """What Kraken answers to a subscription: one acknowledgement per symbol."""
    message = json.loads(request)
    params = message["params"]
    return [
        json.dumps(
            {
                "method": message["method"],
                "result": {**params, "symbol": symbol},
                "success": True,
                "req_id": message["req_id"],
            }
        )
        for symbol in params["symbol"]
    ]


def rows(journal: Path) -> list[tuple[int, str, bytes]]:
    """The (connection, kind, payload) of a journal that was closed without damage."""
    read = read_journal(journal)
    assert read.damage == []
    columns = ("connection", "kind", "payload")
    return [
        row
        for batch in read.batches
        for row in zip(*(batch.column(name).to_pylist() for name in columns), strict=True)
    ]


def of_kind(journal: Path, *kinds: str) -> list[Any]:
    """The payloads of some kinds of frames, as JSON."""
    return [json.loads(payload) for _, kind, payload in rows(journal) if kind in kinds]
