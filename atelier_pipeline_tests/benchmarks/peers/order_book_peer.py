"""The C package `order-book` on one window of the generated day, read from its raw file.

Level changes are applied one by one, as its users do, and at every tick of the grid the top levels
are taken as a dictionary. Run by the Python of the environment that `make bench` builds for peers.
"""

import json
import sys
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from order_book import OrderBook

sys.path.insert(0, str(Path(__file__).parents[1]))
from stopwatch import Stopwatch

COLUMNS = ["ts_event", "side", "price", "size"]


def ticks_of(path: str, period_ns: int) -> list[tuple[int, list[tuple[bool, float, float]]]]:
    """The level changes of every period that has some, with the number of the period."""
    times, sides, prices, sizes = (pq.read_table(path, columns=[name])[name] for name in COLUMNS)
    periods = [time // period_ns for time in times.cast(pa.int64()).to_pylist()]
    bids = [side == "bid" for side in sides.to_pylist()]
    rows = zip(periods, bids, prices.to_pylist(), sizes.to_pylist(), strict=True)
    return [(k, [row[1:] for row in group]) for k, group in groupby(rows, lambda row: row[0])]


def walk(ticks: list[tuple[int, list[tuple[bool, float, float]]]], depth: int) -> int:
    """Apply everything and take the book at every tick, those between changes included."""
    book = OrderBook(max_depth=depth)
    bids, asks = book.bids, book.asks
    taken, due = 0, ticks[0][0]
    for period, changes in ticks:
        for _ in range(period - due):
            book.to_dict()
            taken += 1
        due = period
        for is_bid, price, size in changes:
            side = bids if is_bid else asks
            if size:
                side[price] = size
            elif price in side:
                del side[price]
    book.to_dict()
    return taken + 1


def run(path: str, period_ns: int, depth: int) -> dict[str, float]:
    ticks = ticks_of(path, period_ns)
    watch = Stopwatch()
    with watch:
        taken = walk(ticks, depth)
    return watch.sample(sum(len(changes) for _, changes in ticks), ticks=taken)


if __name__ == "__main__":
    print(json.dumps(run(**json.loads(sys.argv[1]))))  # noqa: T201 - the sample
