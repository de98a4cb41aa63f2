"""Bybit's markets tick by tick, with funding and open interest, in asyncio code.

Needs `atelier simulate` in another terminal, or a manifest of your own:
`python examples/bybit_markets.py [--config MANIFEST] [--ticks N]`
"""

import argparse
import asyncio
from pathlib import Path

from atelier_pipeline.manifest import SHIPPED
from atelier_pipeline.market import MarketSnapshot
from atelier_pipeline.workers import MarketWorker


def told(tick: MarketSnapshot) -> str:
    """One line of a tick; what is not known yet is left out."""
    words = [tick.symbol, str(tick.ts_ns)]
    if tick.orderbook is not None and tick.quality.book_valid:
        (bid, _), (ask, _) = tick.orderbook.bids[0], tick.orderbook.asks[0]
        words.append(f"{bid} | {ask}")
    words.append(f"{len(tick.trades)} trades, {len(tick.liquidations)} liquidations")
    if tick.funding_rate is not None:
        words.append(f"funding {tick.funding_rate.funding_rate:.4%}")
    if tick.open_interest is not None:
        words.append(f"{tick.open_interest.open_interest} open")
    return "  ".join(words)


async def show(worker: MarketWorker, most: int) -> None:
    """Print the ticks of the first symbol while the worker runs, and stop it."""
    ticks = worker.registry.subscribe(worker.topics[0])
    running = asyncio.create_task(worker.run_async())
    shown = 0
    async for tick in ticks:
        if isinstance(tick, MarketSnapshot) and shown < most:
            print(told(tick))
            shown += 1
        if shown == most:
            worker.stop()
    report = await running
    print(f"{report.seconds:.0f} s, {report.rate:.0f} events/s, errors: {list(report.errors)}")


def main() -> None:
    """Run for at most a minute."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, default=SHIPPED / "demo" / "bybit.toml")
    parser.add_argument("--ticks", type=int, default=20)
    words = parser.parse_args()
    asyncio.run(show(MarketWorker.from_file(words.config, duration_secs=60), words.ticks))


if __name__ == "__main__":
    main()
