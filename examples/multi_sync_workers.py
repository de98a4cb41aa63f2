"""Several workers at once, one for each manifest, and one view over all of their ticks.

Needs `atelier simulate` in another terminal, or manifests of your own:
`python examples/multi_sync_workers.py [MANIFEST…] [--ticks N]`
"""

import argparse
import asyncio
from pathlib import Path

from rich.console import Console

from atelier_pipeline.manifest import SHIPPED
from atelier_pipeline.market import MarketSnapshot
from atelier_pipeline.workers import MarketWorker, print_report

EXCHANGES = ("bybit", "coinbase", "kraken")


async def follow(worker: MarketWorker, topic: str, seen: dict[str, int], most: int) -> None:
    """Count the ticks of one market and stop its worker when there are enough."""
    async for tick in worker.registry.subscribe(topic):
        if isinstance(tick, MarketSnapshot):
            seen[topic] = seen.get(topic, 0) + 1
        if seen.get(topic) == most:
            print(f"{topic}: {most} ticks")
            worker.stop()


async def run_all(workers: list[MarketWorker], most: int) -> None:
    """Run all workers side by side; one that fails stops none of the others."""
    seen: dict[str, int] = {}
    topics = [(worker, topic) for worker in workers for topic in worker.topics]
    followers = [asyncio.create_task(follow(*each, seen, most)) for each in topics]
    reports = await asyncio.gather(*(worker.run_async() for worker in workers))
    await asyncio.gather(*followers)
    for report in reports:
        print_report(report, Console())


def main() -> None:
    """Run for at most a minute."""
    shipped = [SHIPPED / "demo" / f"{name}.toml" for name in EXCHANGES]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifests", type=Path, nargs="*", default=shipped)
    parser.add_argument("--ticks", type=int, default=30)
    words = parser.parse_args()
    workers = [MarketWorker.from_file(path, duration_secs=60) for path in words.manifests]
    asyncio.run(run_all(workers, words.ticks))


if __name__ == "__main__":
    main()
