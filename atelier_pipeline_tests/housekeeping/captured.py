"""Windows that were captured, as journals, and sealed: what redecode and prune work on."""

from pathlib import Path

from atelier_pipeline import pipeline
from atelier_pipeline.lake.journal import journal_folder
from atelier_pipeline.lake.names import FileKind, Mode, find_files, frames_path
from atelier_pipeline.manifest import Collector, parse_collector
from atelier_pipeline.market.window import Window
from atelier_pipeline.settings import Settings
from atelier_pipeline.simulator import frames

NS_PER_SEC = 1_000_000_000
T0 = 1_767_225_600 * NS_PER_SEC
"""2026-01-01 00:00 UTC."""
SECONDS = 4
MANIFEST = """
[collect]
exchange = "kraken"
source = "simulated"
[collect.datatypes]
orderbook = { enabled = true, depth = 10 }
trades = { enabled = true }
[[workers]]
symbol = "BTC/USD"
[[workers]]
symbol = "ETH/USD"
"""
COLLECTOR: Collector = parse_collector("pairs", MANIFEST, "the test")


def window(number: int = 0) -> Window:
    """One of several windows that tile the day."""
    start = T0 + number * SECONDS * NS_PER_SEC
    return Window(start, start + SECONDS * NS_PER_SEC)


def installation(folder: Path) -> Settings:
    """The settings of an installation in `folder`."""
    return Settings(
        lake=folder / "lake", journal=folder / "journal", catalog=folder / "atelier.duckdb"
    )


def journal(settings: Settings, number: int = 0, seconds: float = SECONDS) -> Path:
    """Journal what a window's capture receives in its first seconds; the journal's folder."""
    place = window(number)
    sent = frames(
        "kraken", COLLECTOR.symbols, depth=10, start_ns=place.start_ns, duration_s=seconds
    )
    pipeline.journal_frames(COLLECTOR, place, settings, sent)
    return journal_folder(settings.journal, "kraken", "pairs", place.start_ns)


def captured(folder: Path, windows: int = 1) -> Settings:
    """An installation with some sealed windows and their journals."""
    settings = installation(folder)
    for number in range(windows):
        journal(settings, number)
        pipeline.seal(COLLECTOR, window(number), settings)
    return settings


def sealed(settings: Settings, number: int = 0) -> Path:
    """Where the sealed frames of a window are."""
    return frames_path(settings.lake, "kraken", "pairs", window(number).start_ns)


def trades(settings: Settings, symbol: str = "BTC/USD") -> list[Path]:
    """The raw files of a symbol's trades."""
    found = find_files(settings.lake, FileKind.TRADES, Mode.RAW, symbol=symbol)
    return [file.path for file in found]
