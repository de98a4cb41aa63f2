"""From simulated frames to features without a socket: ten seconds of Kraken, through every stage.

Run it anywhere: `python examples/simulated_features.py`
"""

import tempfile
from pathlib import Path

from atelier_pipeline import pipeline
from atelier_pipeline.lake.names import FileKind, Mode
from atelier_pipeline.lake.reader import read_kind
from atelier_pipeline.manifest import load_manifests
from atelier_pipeline.market.window import Window
from atelier_pipeline.settings import Settings
from atelier_pipeline.simulator import frames

T0_NS = 1_767_225_600 * 1_000_000_000
WINDOW = Window(T0_NS, T0_NS + 10 * 1_000_000_000)


def main() -> None:
    """Journal, seal, synchronise, aggregate, and show the last ticks."""
    manifests = Path(pipeline.__file__).parent / "manifests" / "demo"
    collector = load_manifests(manifests)["kraken"]
    received = frames("kraken", collector.symbols, depth=100, start_ns=T0_NS, duration_s=10)
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(lake=Path(folder) / "lake", journal=Path(folder) / "journal")
        pipeline.journal_frames(collector, WINDOW, settings, received)
        pipeline.seal(collector, WINDOW, settings, whole=True)
        pipeline.synchronise(collector, WINDOW, settings)
        pipeline.aggregate(collector, WINDOW, settings)
        features = read_kind(settings.lake, FileKind.AGGREGATES, Mode.SYNC, symbol="BTC/USD")
    shown = features.select(["ts_ns", "ob_mid_price", "ob_imbalance", "trade_count"])
    for tick in shown.slice(shown.num_rows - 5).to_pylist():
        print(*tick.values())


if __name__ == "__main__":
    main()
