"""Kraken's markets from a manifest in Python: another grid, another clock mode, a depth of ten.

Needs `atelier simulate` in another terminal; `SOURCE = "live"` is the real exchange.
`python examples/kraken_markets.py [--ticks N]`
"""

import argparse
import threading

from atelier_pipeline.manifest import parse_manifest
from atelier_pipeline.market import MarketSnapshot
from atelier_pipeline.workers import MarketWorker, Subscription

SOURCE = "simulated"
MANIFEST = f"""
[collect]
exchange = "kraken"
source = "{SOURCE}"
datatypes = {{ orderbook = {{ enabled = true, depth = 10 }}, trades = {{ enabled = true }} }}
[collect.sync]
sync_mode = "on_trade"       # the grid moves when something is traded
emission_delay_ms = 500      # rows half a second late are good enough
update_frequency = {{ value = 250, unit = "Millis" }}
[[workers]]
symbol = "BTC/USD"
"""


def show(ticks: Subscription, worker: MarketWorker, most: int) -> None:
    """Print the ticks in which something was traded, and stop the worker."""
    shown = 0
    for tick in ticks:
        if isinstance(tick, MarketSnapshot) and tick.trades and shown < most:
            volume = sum(trade.amount for trade in tick.trades)
            levels = f"{tick.quality.bid_levels} | {tick.quality.ask_levels} levels"
            print(tick.ts_ns, f"{volume:.4f} traded", levels)
            shown += 1
        if shown == most:
            worker.stop()


def main() -> None:
    """Run for at most a minute."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ticks", type=int, default=10)
    words = parser.parse_args()
    manifest = parse_manifest(MANIFEST, "kraken_markets.py")
    worker = MarketWorker(manifest, name="kraken-markets", duration_secs=60)
    ticks = worker.registry.subscribe("kraken.snapshot.250ms.BTC/USD")
    reader = threading.Thread(target=show, args=(ticks, worker, words.ticks))
    reader.start()
    report = worker.run()
    reader.join()
    print(f"{report.seconds:.0f} s, gaps: {dict(report.gaps)}, errors: {list(report.errors)}")


if __name__ == "__main__":
    main()
