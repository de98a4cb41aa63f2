"""A DataWorker: events as they are received. This one ends with the twentieth trade.

Needs `atelier simulate` in another terminal, or a manifest of your own:
`python examples/run_data_worker.py [--config MANIFEST] [--trades N]`
"""

import argparse
import threading
from pathlib import Path

from rich.console import Console

from atelier_pipeline.manifest import SHIPPED
from atelier_pipeline.market import Trade
from atelier_pipeline.workers import DataWorker, Lagged, Subscription, print_report


def show(trades: Subscription, worker: DataWorker, most: int) -> None:
    """Print trades as they come, in a thread beside the worker, and stop it."""
    shown = 0
    for item in trades:
        if isinstance(item, Lagged):
            print(f"too slow: {item.missed} trades were missed")
        elif isinstance(item, Trade) and shown < most:
            print(item.exchange, item.symbol, item.side, item.amount, "at", item.price)
            shown += 1
        if shown == most:
            worker.stop()


def main() -> None:
    """Run the manifest for at most a minute and print what became of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, default=SHIPPED / "demo" / "kraken.toml")
    parser.add_argument("--trades", type=int, default=20)
    words = parser.parse_args()

    worker = DataWorker.from_file(words.config, duration_secs=60)
    print("topics:", *worker.topics)
    topic = next(topic for topic in worker.topics if ".trade." in topic)
    trades = worker.registry.subscribe(topic)
    reader = threading.Thread(target=show, args=(trades, worker, words.trades))
    reader.start()
    report = worker.run()
    reader.join()
    print_report(report, Console())


if __name__ == "__main__":
    main()
