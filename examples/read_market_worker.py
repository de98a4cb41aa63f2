"""What a MarketWorker stored: statistics of each symbol, and its snapshots back as objects.

Run `run_market_worker.py` first, or give another lake:
`python examples/read_market_worker.py [--dir LAKE]`
"""

import argparse
from itertools import groupby, islice
from pathlib import Path

from atelier_pipeline.lake import read_market_snapshots
from atelier_pipeline.validate.holdings import describe, holdings, stored_files


def main() -> None:
    """Print rows and figures of every file kind, then the last ticks that have a book."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, default=Path("data/examples"))
    lake = parser.parse_args().dir

    found = holdings([describe(path) for path in stored_files(lake)])
    for (exchange, symbol), held in groupby(found, key=lambda h: (h.exchange, h.symbol)):
        print(exchange, symbol)
        for each in held:
            print(f"  {each.table}: {each.rows} rows in {each.files} files, {each.figures}")

        ticks = read_market_snapshots(lake, exchange, symbol)
        for tick in islice((tick for tick in ticks if tick.quality.book_valid), 3):
            book = tick.orderbook
            best = (book.bids[0], book.asks[0]) if book is not None else None
            print(f"  {tick.ts_ns}: best {best}, {len(tick.trades)} trades")


if __name__ == "__main__":
    main()
