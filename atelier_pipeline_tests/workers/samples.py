"""Manifests and batches for tests of workers."""

import pyarrow as pa

from atelier_pipeline.lake.names import FileKind, Mode
from atelier_pipeline.lake.structs import event_table
from atelier_pipeline.manifest import Manifest, parse_manifest
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.events import Trade
from atelier_pipeline.settings import Settings
from atelier_pipeline.workers import EventBatch

TOPIC = "bybit.trade.all.BTCUSDT"
PERPETUAL = """
[collect.datatypes]
orderbook = { enabled = true, depth = 50 }
trades = { enabled = true }
liquidations = { enabled = true }
funding_rates = { enabled = true }
open_interest = { enabled = true }
"""


def manifest(tables: str = "", *, collect: str = "", workers: str = "") -> Manifest:
    """BTCUSDT on the simulated Bybit, all datasets."""
    text = (
        f'[collect]\nexchange = "bybit"\nsource = "simulated"\n{collect}\n{PERPETUAL}\n{tables}\n'
        f"{workers or '[[workers]]'}\n" + ("" if workers else 'symbol = "BTCUSDT"\n')
    )
    return parse_manifest(text, "mine.toml")


def settings(folder, url: str = "ws://127.0.0.1:1") -> Settings:
    """An installation in `folder` whose simulated exchanges are at `url`."""
    return Settings(
        journal=folder / "journal", simulator_url=url, window_disk_mib=1, disk_floor_mib=1
    )


def a_trade(number: int) -> Trade:
    """The trade of that number."""
    return Trade(
        exchange="bybit",
        symbol="BTCUSDT",
        side="buy",
        price=100.0 + number,
        amount=1.0,
        id=str(number),
        ts_event=1_000_000_000 + number,
        ts_recv=2_000_000_000 + number,
    )


def trades(first: int, count: int, topic: str = TOPIC) -> EventBatch:
    """Trades numbered from `first` on."""
    rows = [a_trade(number) for number in range(first, first + count)]
    table: pa.Table = event_table(rows, FileKind.TRADES, Mode.RAW)
    return EventBatch(topic, "bybit", "BTCUSDT", Dataset.TRADES, table, count)
