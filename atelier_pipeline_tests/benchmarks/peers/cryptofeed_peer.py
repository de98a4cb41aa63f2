"""cryptofeed on the same frames: its own message handlers, and a sink to Parquet behind them.

The handlers are those that its connections call, one awaited call for each message, with books kept
and sequences and checksums checked as it does by default. It has no Parquet backend: the sink here
appends to columns and writes them in row groups, without the queue that its own backends have
between. Run by the Python of the environment that `make bench` builds for it.
"""

import asyncio
import json
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from cryptofeed.defines import ASK, BID, L2_BOOK, TRADES
from cryptofeed.exchanges import Bybit, Coinbase, Kraken
from cryptofeed.feed import Feed
from cryptofeed.symbols import Symbols

sys.path.insert(0, str(Path(__file__).parents[1]))
from stopwatch import Stopwatch, one_core

FEEDS: dict[str, tuple[type[Feed], str]] = {
    "bybit": (Bybit, "wss://stream.bybit.com/v5/public/linear"),
    "bybit_spot": (Bybit, "wss://stream.bybit.com/v5/public/spot"),
    "coinbase": (Coinbase, "wss://advanced-trade-ws.coinbase.com"),
    "kraken": (Kraken, "wss://ws.kraken.com/v2"),
}
NAMED = re.compile(rb'"(?:s|product_id|symbol)":"([^"]+)"')
ROWS_PER_GROUP = 1 << 20
WARM_UP = 2_000
_DIGITS = re.compile(r"(USDT|USDC|EUR|BTC|ETH|DAI|BRZ)$")


class Connection:
    """As much of a connection as a message handler looks at."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.uuid = address


class Columns:
    """Rows of one Parquet file, a list for each column, written in groups."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema = schema
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")
        self.start()

    def start(self) -> None:
        self.values: list[list[object]] = [[] for _ in self._schema]

    def flush(self, least: int) -> None:
        if len(self.values[0]) >= least:
            self._writer.write_table(pa.table(self.values, schema=self._schema))
            self.start()

    def close(self) -> None:
        self.flush(1)
        self._writer.close()


BOOKS = pa.schema(
    [
        ("timestamp", pa.float64()),
        ("receipt", pa.float64()),
        ("symbol", pa.string()),
        ("side", pa.string()),
        ("price", pa.float64()),
        ("size", pa.float64()),
        ("snapshot", pa.bool_()),
    ]
)
FILLS = pa.schema(
    [
        ("timestamp", pa.float64()),
        ("receipt", pa.float64()),
        ("symbol", pa.string()),
        ("side", pa.string()),
        ("price", pa.float64()),
        ("amount", pa.float64()),
        ("id", pa.string()),
    ]
)


class Sink:
    """A file of level changes and a file of trades."""

    def __init__(self, folder: Path) -> None:
        self._books = Columns(folder / "books.parquet", BOOKS)
        self._fills = Columns(folder / "trades.parquet", FILLS)

    async def book(self, book, receipt: float) -> None:
        is_snapshot = book.delta is None
        sides = book.book.to_dict() if is_snapshot else book.delta
        times, receipts, symbols, names, prices, sizes, snapshots = self._books.values
        for side in (BID, ASK):
            levels = sides[side].items() if is_snapshot else sides[side]
            count = len(levels)
            times.extend([book.timestamp] * count)
            receipts.extend([receipt] * count)
            symbols.extend([book.symbol] * count)
            names.extend([side] * count)
            prices.extend([float(level[0]) for level in levels])
            sizes.extend([float(level[1]) for level in levels])
            snapshots.extend([is_snapshot] * count)
        self._books.flush(ROWS_PER_GROUP)

    async def trade(self, trade, receipt: float) -> None:
        row = (
            trade.timestamp,
            receipt,
            trade.symbol,
            trade.side,
            float(trade.price),
            float(trade.amount),
            trade.id,
        )
        for column, value in zip(self._fills.values, row, strict=True):
            column.append(value)
        self._fills.flush(ROWS_PER_GROUP)

    def close(self) -> None:
        self._books.close()
        self._fills.close()


async def ignore(_event: object, _receipt: float) -> None:
    """A callback that keeps nothing: what is left is decoding and keeping books."""


def feed_of(exchange: str, names: list[str], callbacks: dict[str, Callable]) -> Feed:
    kind, _ = FEEDS[exchange]
    native = [_DIGITS.sub(r"/\1", name) if exchange == "bybit_spot" else name for name in names]
    Symbols.set(kind.id, {name: name for name in native}, {"instrument_type": {}})
    depth = {"max_depth": 1000} if exchange == "kraken" else {}
    return kind(symbols=native, channels=[L2_BOOK, TRADES], callbacks=callbacks, **depth)


async def handle(feed: Feed, address: str, frames: list[tuple[float, bytes]]) -> None:
    connection, handler = Connection(address), feed.message_handler
    for receipt, payload in frames:
        await handler(payload, connection, receipt)


def run(exchange: str, frames: str, folder: str, *, sink: bool) -> dict[str, float]:
    lines = [line.partition(b" ") for line in Path(frames).read_bytes().splitlines()]
    received = [(int(time) / 1e9, payload) for time, _, payload in lines]
    names = sorted({m.decode() for _, p in received[:20_000] for m in NAMED.findall(p)})
    address = FEEDS[exchange][1]
    quiet = {L2_BOOK: ignore, TRADES: ignore}
    asyncio.run(handle(feed_of(exchange, names, quiet), address, received[:WARM_UP]))
    watch = Stopwatch()
    with tempfile.TemporaryDirectory(dir=folder) as place:
        with watch:
            kept = Sink(Path(place)) if sink else None
            callbacks = quiet if kept is None else {L2_BOOK: kept.book, TRADES: kept.trade}
            asyncio.run(handle(feed_of(exchange, names, callbacks), address, received))
            if kept is not None:
                kept.close()
        rows = 0
        if sink:
            rows = pq.read_metadata(Path(place) / "books.parquet").num_rows
    return watch.sample(len(received), book_rows=rows)


if __name__ == "__main__":
    one_core()
    print(json.dumps(run(**json.loads(sys.argv[1]))))  # noqa: T201 - the sample
