"""Recorded frames, repeated until there is something to measure, and files that hold them.

A recording lasts seconds. It is repeated lap by lap with everything moved on that must not come
twice: times, trade ids and the numbers of a connection. A lap begins with the recording's own
snapshots. Without recordings, frames come from the simulator.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TypeAlias

from atelier_pipeline.lake.recordings import read_recording
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.simulator import frames as simulated_frames

Frame: TypeAlias = tuple[int, bytes]
"""(ts_recv in UTC ns, payload)."""

RECORDINGS = {
    "bybit": "bybit/reshaped_2021.frames.gz",
    "bybit_spot": "bybit_spot/btcusdt_book50_trades.frames.gz",
    "coinbase": "coinbase/reshaped_2021.frames.gz",
    "coinbase_exchange": "coinbase_exchange/ten_products_2021.frames.gz",
    "kraken": "kraken/reshaped_2021.frames.gz",
}
DEPTHS = {"bybit": 200, "bybit_spot": 50, "coinbase": 50, "coinbase_exchange": 50, "kraken": 1000}
"""The book depths of the recordings' feeds; 50 levels are kept where the book is whole."""

_WITH_DEPTHS = frozenset({"bybit", "bybit_spot", "kraken"})

NS_PER_SEC = 1_000_000_000
_SIMULATED = {
    "bybit": ("BTCUSDT", "ETHUSDT", "SOLUSDT"),
    "bybit_spot": ("BTCUSDT", "ETHUSDT", "SOLUSDT"),
    "coinbase": ("BTC-USD", "ETH-USD", "SOL-USD"),
    "coinbase_exchange": ("BTC-USD", "ETH-USD", "SOL-USD"),
    "kraken": ("BTC/USD", "ETH/USD", "SOL/USD"),
}
_ISO = re.compile(rb'"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)((?:\.\d+)?Z)"')
_BYBIT_MS = re.compile(rb'"(ts|cts|T)":(\d{13})')
_UUID = re.compile(rb'"i":"([0-9a-f]{8})-')
_NUMBER = re.compile(rb'"i":"(\d+)"')
_SEQUENCE = re.compile(rb'"sequence_num":(\d+)')
_COINBASE_ID = re.compile(rb'("trade_id":")(\d+)(","product_id":"([^"]+)")')
_EXCHANGE_ID = re.compile(rb'("trade_id":)(\d+)(.*?"product_id":"([^"]+)")')
_KRAKEN_ID = re.compile(rb'("symbol":"([^"]+)"[^{}]*"trade_id":)(\d+)')

Moved: TypeAlias = Callable[[bytes, int], bytes]
"""(payload, lap) → the payload as it would have been in that lap."""


def recordings() -> Path | None:
    """The folder of recordings: ATELIER_RECORDINGS or ../shared/recordings; None without one."""
    promised = os.environ.get("ATELIER_RECORDINGS")
    folder = Path(promised) if promised else Path(__file__).parents[3] / "shared" / "recordings"
    return folder if folder.is_dir() else None


def frames_of(exchange: str, count: int, folder: Path | None) -> list[Frame]:
    """At least `count` frames of an exchange, in order of arrival."""
    if folder is None:
        return _simulated(exchange, count)
    recorded = list(read_recording(folder / RECORDINGS[exchange]))
    moved, step_secs = _mover(exchange, recorded)
    laps = -(-count // len(recorded))
    return [
        (ts_recv and ts_recv + lap * step_secs * NS_PER_SEC, moved(payload, lap))
        for lap in range(laps)
        for ts_recv, payload in recorded
    ]


def write_frames(path: Path, frames: Iterable[Frame]) -> None:
    """Frames as text, a line `<ts_recv_ns> <payload>` each, which peers can read as well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(b"%d %s\n" % frame for frame in frames))


def read_frames(path: Path) -> Iterator[Frame]:
    """What `write_frames` has written."""
    for line in path.read_bytes().splitlines():
        time, _, payload = line.partition(b" ")
        yield int(time), payload


def _simulated(exchange: str, count: int) -> list[Frame]:
    frames = simulated_frames(
        exchange,
        _SIMULATED[exchange],
        datasets=(Dataset.ORDERBOOKS, Dataset.TRADES),
        depth=DEPTHS[exchange] if exchange in _WITH_DEPTHS else None,
        duration_s=1e6,
        rate=50,
    )
    return list(islice(frames, count))


def _mover(exchange: str, recorded: Sequence[Frame]) -> tuple[Moved, int]:
    """How a payload moves by laps, and how many seconds a lap takes."""
    step_secs = 60
    if exchange.startswith("bybit"):
        return lambda payload, lap: _bybit(payload, lap, step_secs), step_secs
    pattern = {
        "coinbase": _COINBASE_ID,
        "coinbase_exchange": _EXCHANGE_ID,
        "kraken": _KRAKEN_ID,
    }[exchange]
    owner, number = (2, 3) if exchange == "kraken" else (4, 2)
    trades = Counter(m[owner] for _, payload in recorded for m in pattern.finditer(payload))

    def moved(payload: bytes, lap: int) -> bytes:
        def next_id(match: re.Match[bytes]) -> bytes:
            start, end = (place - match.start() for place in match.span(number))
            renumbered = b"%d" % (int(match[number]) + lap * trades[match[owner]])
            return match[0][:start] + renumbered + match[0][end:]

        payload = _ISO.sub(lambda m: _later(m, lap * step_secs), payload)
        payload = _SEQUENCE.sub(
            lambda m: b'"sequence_num":%d' % (int(m[1]) + lap * len(recorded)), payload
        )
        return pattern.sub(next_id, payload)

    return moved, step_secs


def _later(match: re.Match[bytes], secs: int) -> bytes:
    return b'"%s%s"' % (_second_later(match[1], secs), match[2])


@lru_cache(maxsize=1 << 16)
def _second_later(text: bytes, secs: int) -> bytes:
    time = datetime.fromisoformat(text.decode()).replace(tzinfo=UTC) + timedelta(seconds=secs)
    return time.strftime("%Y-%m-%dT%H:%M:%S").encode()


def _bybit(payload: bytes, lap: int, step_secs: int) -> bytes:
    if not lap:
        return payload
    step_ms = lap * step_secs * 1000
    payload = _BYBIT_MS.sub(lambda m: b'"%s":%d' % (m[1], int(m[2]) + step_ms), payload)
    payload = _UUID.sub(lambda m: b'"i":"%08x-' % ((int(m[1], 16) + lap) % (1 << 32)), payload)
    return _NUMBER.sub(lambda m: b'"i":"%d"' % (int(m[1]) + lap * 1_000_000_000_000), payload)
