"""The newest files of a market, proved and loaded: what `atelier load` does, and the rows as well.

Run `run_market_worker.py` first, or give another lake:
`python examples/market_load.py [--dir LAKE] [--exchange NAME] [--symbol SYMBOL]`
"""

import argparse
from pathlib import Path

from atelier_pipeline.lake import read_ob_parquet, read_trades_parquet
from atelier_pipeline.lake.names import FileKind
from atelier_pipeline.lake.verify import newest_files, verify_file, verify_ticks

READERS = {FileKind.ORDERBOOKS: read_ob_parquet, FileKind.TRADES: read_trades_parquet}


def main() -> None:
    """Verify every file, load books and trades, and check the ticks against their index."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, default=Path("data/examples"))
    parser.add_argument("--exchange", default="bybit")
    parser.add_argument("--symbol", default="BTCUSDT")
    words = parser.parse_args()

    files = newest_files(words.dir, words.exchange, words.symbol)
    for file in files:
        print(f"{file.path.name}: {verify_file(file.path)} rows, whole and in order")
        if file.kind in READERS:
            rows = READERS[file.kind](file.path)
            print(f"  {len(rows)} objects, the last one: {rows[-1] if rows else None!r:.160}")
        if file.kind is FileKind.SNAPSHOTS:
            ticks = verify_ticks(words.dir, words.exchange, words.symbol, file.path)
            print(f"  {ticks} ticks have the rows that they count")
    print(f"{len(files)} files of {words.exchange} {words.symbol}")


if __name__ == "__main__":
    main()
