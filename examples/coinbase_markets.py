"""Coinbase's markets as columns: whole batches of ticks in polars, no object for each one.

Needs `atelier simulate` in another terminal, or a manifest of your own:
`python examples/coinbase_markets.py [--config MANIFEST] [--ticks N]`
"""

import argparse
import threading
from pathlib import Path

import polars as pl

from atelier_pipeline.aggregate import aggregate
from atelier_pipeline.manifest import SHIPPED
from atelier_pipeline.workers import MarketWorker, SnapshotBatch, Subscription


def gather(ticks: Subscription, worker: MarketWorker, most: int, frames: list) -> None:
    """Compute the 15 features of each batch as it comes, until there are enough rows."""
    rows = 0
    for batch in ticks:
        if isinstance(batch, SnapshotBatch):
            frames.append(pl.from_arrow(aggregate(batch.rows)))
            rows += batch.count
        if rows >= most:
            worker.stop()


def main() -> None:
    """Run for at most a minute and show features by second."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, default=SHIPPED / "demo" / "coinbase.toml")
    parser.add_argument("--ticks", type=int, default=50)
    words = parser.parse_args()

    worker = MarketWorker.from_file(words.config, duration_secs=60)
    ticks = worker.registry.subscribe_columns(worker.topics[0])
    frames: list[pl.DataFrame] = []
    reader = threading.Thread(target=gather, args=(ticks, worker, words.ticks, frames))
    reader.start()
    report = worker.run()
    reader.join()

    second = (pl.col("ts_ns") // 1_000_000_000 * 1_000_000_000).cast(pl.Datetime("ns"))
    features = pl.concat(frames).group_by(second.alias("second"), maintain_order=True)
    print(
        features.agg(
            pl.col("symbol").first(),
            pl.col("ob_mid_price").last().alias("mid"),
            pl.col("ob_imbalance").mean().round(3).alias("imbalance"),
            pl.col("trade_volume").sum().round(4).alias("volume"),
        )
    )
    print(f"errors: {list(report.errors)}")


if __name__ == "__main__":
    main()
