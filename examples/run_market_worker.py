"""A MarketWorker: the market at every tick of a grid, into Parquet files and the terminal.

Needs `atelier simulate` in another terminal, or a manifest of your own:
`python examples/run_market_worker.py [--config MANIFEST] [--dir LAKE] [--ticks N]`
"""

import argparse
from pathlib import Path

from rich.console import Console

from atelier_pipeline.manifest import SHIPPED, load_manifest
from atelier_pipeline.workers import (
    MarketWorker,
    ParquetSink,
    SnapshotBatch,
    TerminalSink,
    print_report,
)


class StopAfter:
    """A sink of our own: anything with these three names is one."""

    name = "stop after enough ticks"

    def __init__(self, ticks: int) -> None:
        self.left = ticks
        self.worker: MarketWorker | None = None

    def receive(self, batch: SnapshotBatch) -> None:
        """Count ticks."""
        self.left -= batch.count
        if self.left <= 0 and self.worker is not None:
            self.worker.stop()

    def close(self) -> None:
        """Nothing to give back."""


def main() -> None:
    """Run for at most a minute; `read_market_worker.py` reads the files back."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, default=SHIPPED / "demo" / "bybit.toml")
    parser.add_argument("--dir", type=Path, default=Path("data/examples"))
    parser.add_argument("--ticks", type=int, default=100)
    words = parser.parse_args()

    files = ParquetSink(words.dir, source=load_manifest(words.config).collect.source)
    stop = StopAfter(words.ticks)
    worker = MarketWorker.from_file(
        words.config, sinks=[files, TerminalSink(), stop], duration_secs=60
    )
    stop.worker = worker
    print_report(worker.run(), Console())
    print(f"{len(files.files)} files in {words.dir}")


if __name__ == "__main__":
    main()
