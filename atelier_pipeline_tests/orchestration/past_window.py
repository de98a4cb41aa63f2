"""An installation with a window in the past, and the journal that its capture has left."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq

from atelier_pipeline import pipeline
from atelier_pipeline.decode.control import Closed, Opened, control_payload
from atelier_pipeline.definitions import house
from atelier_pipeline.lake.journal import FrameKind, JournalMeta, journal_folder
from atelier_pipeline.lake.journal_writer import JournalWriter
from atelier_pipeline.lake.names import FileKind, Mode, find_files
from atelier_pipeline.manifest import Collector
from atelier_pipeline.market.window import Window
from atelier_pipeline.orchestration.installation import Installation
from atelier_pipeline.orchestration.partitions import NS_PER_MINUTE, partition_key
from atelier_pipeline.settings import Settings
from atelier_pipeline.simulator import frames

Seal: TypeAlias = Callable[[Collector, Window, Settings], pipeline.StageResult]
T0 = int(dt.datetime(2026, 2, 26, 15, tzinfo=dt.UTC).timestamp()) * 1_000_000_000
WINDOW = Window(T0, T0 + NS_PER_MINUTE)
NS_PER_SEC = 1_000_000_000
MANIFEST = """
[collect]
exchange = "{exchange}"
source = "simulated"
[collect.datatypes]
orderbook = {{ enabled = true, depth = 10 }}
trades = {{ enabled = true }}
[[workers]]
symbol = "{symbol}"
"""
SYMBOLS = {"bybit": "BTCUSDT", "kraken": "BTC/USD"}
QUIET = {"console": {"config": {"log_level": "CRITICAL"}}}


def installation(folder: Path, *, now_ns: int = WINDOW.end_ns + NS_PER_MINUTE) -> Installation:
    """Two collectors, bybit and kraken, at the time `now_ns`."""
    manifests = folder / "manifests"
    manifests.mkdir(exist_ok=True)
    for exchange, symbol in SYMBOLS.items():
        text = MANIFEST.format(exchange=exchange, symbol=symbol)
        (manifests / f"{exchange}.toml").write_text(text)
    settings = Settings(
        lake=folder / "lake",
        journal=folder / "journal",
        catalog=folder / "atelier.duckdb",
        manifests=manifests,
        window_minutes=1,
        dagster_home=folder / "home",
    )
    collectors = Installation.of(settings).collectors
    return Installation(settings, collectors, lambda: now_ns)


def journal(collector: Collector, settings: Settings, seconds: float = 3) -> None:
    """Leave the journal of a capture that began 2 s before the window and was then stopped."""
    began = WINDOW.start_ns - 2 * NS_PER_SEC
    meta = JournalMeta(
        exchange=collector.exchange.name,
        collector=collector.name,
        url="ws://127.0.0.1",
        source=collector.source,
        manifest=collector.text,
        window=WINDOW,
    )
    folder = journal_folder(settings.journal, meta.exchange, meta.collector, WINDOW.start_ns)
    with JournalWriter.open(folder, meta) as writer:
        writer.append(began, 0, FrameKind.OPENED, control_payload(Opened(url=meta.url)))
        last = began
        for last, payload in _received(collector, began, seconds + 2):
            writer.append(last, 0, FrameKind.TEXT, payload)
        writer.append(last, 0, FrameKind.CLOSED, control_payload(Closed(cause="shutdown")))


def _received(collector: Collector, began: int, seconds: float) -> Iterator[tuple[int, bytes]]:
    yield from frames(
        collector.exchange.name,
        collector.symbols,
        datasets=frozenset().union(*collector.datasets.values()),
        depth=collector.subscribed_depth,
        start_ns=began,
        duration_s=seconds,
    )


def sealing_damage(
    collector: Collector, window: Window, settings: Settings, seal: Seal = pipeline.seal
) -> pipeline.StageResult:
    """Seal a window, then make its first price negative, which decoder and writer would refuse."""
    result = seal(collector, window, settings)
    (file,) = find_files(settings.lake, FileKind.TRADES, Mode.RAW)
    trades = pq.read_table(file.path, partitioning=None)
    prices = pa.array([-1.0, *trades["price"].to_pylist()[1:]])
    damaged = trades.set_column(trades.column_names.index("price"), "price", prices)
    pq.write_table(damaged, file.path)
    return result


def run(
    installed: Installation,
    instance: dg.DagsterInstance,
    collector: str,
    selected: Sequence[dg.AssetKey] | None = None,
) -> dg.ExecuteInProcessResult:
    """`window_job` for the window, in a Dagster that believes in the installation's clock."""
    now = dt.datetime.fromtimestamp(installed.now_ns() / NS_PER_SEC, dt.UTC)
    with dg.partition_loading_context(now, instance):
        return (
            house(installed)
            .resolve_job_def("window_job")
            .execute_in_process(
                partition_key=partition_key(collector, WINDOW),
                instance=instance,
                run_config={"loggers": QUIET},
                asset_selection=selected,
                raise_on_error=False,
            )
        )
