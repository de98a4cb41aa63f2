"""Raw streams of three exchanges at once into Parquet files: what `atelier fetch` does.

Needs `atelier simulate` in another terminal, or `--source live`:
`python examples/market_fetch.py [EXCHANGE[:SYMBOL]…] [--dir LAKE] [--seconds S]`
"""

import argparse
from pathlib import Path

from rich.console import Console

from atelier_pipeline.workers import DataWorker, print_report
from atelier_pipeline.workers.fetch import fetch_manifest


def main() -> None:
    """Fetch, then say which files there are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("markets", nargs="*", help="default: bybit, coinbase and kraken")
    parser.add_argument("--source", choices=["live", "simulated"], default="simulated")
    parser.add_argument("--dir", type=Path, default=Path("data/fetched"))
    parser.add_argument("--seconds", type=float, default=10)
    words = parser.parse_args()

    manifest = fetch_manifest(words.markets, words.source, words.dir, terminal=False)
    report = DataWorker(manifest, name="fetch", duration_secs=words.seconds).run()
    print_report(report, Console())
    for sink in report.sinks:
        for path in sink.files:
            print(path)


if __name__ == "__main__":
    main()
