"""The generated day as Bybit would have sent it: book and trade frames in order of receipt."""

from collections.abc import Iterator

import numpy as np

from atelier_pipeline_tests.benchmarks.market_day import MarketDay
from atelier_pipeline_tests.benchmarks.recorded import Frame

DEPTH = 50
"""The feed that the frames name; the book goes deeper, and its levels are deleted one by one."""

_NS_PER_MS = 1_000_000


def bybit_frames(day: MarketDay, symbol: str) -> list[Frame]:
    """The frames of one symbol."""
    frames = [*_books(day, symbol), *_trades(day, symbol)]
    return sorted(frames, key=lambda frame: frame[0])


def _books(day: MarketDay, symbol: str) -> Iterator[Frame]:
    columns = day.messages.columns
    prices = np.char.mod("%.1f", columns.price).tolist()
    sizes = np.char.mod("%.3f", columns.size).tolist()
    is_bid, offsets = columns.is_bid.tolist(), columns.offsets.tolist()
    rows = [
        f'["{price}","{"0" if size == "0.000" else size}"]'
        for price, size in zip(prices, sizes, strict=True)
    ]
    for number, (ts_event, ts_recv) in enumerate(
        zip(columns.ts_event.tolist(), columns.ts_recv.tolist(), strict=True)
    ):
        mine = range(offsets[number], offsets[number + 1])
        bids = ",".join([rows[row] for row in mine if is_bid[row]])
        asks = ",".join([rows[row] for row in mine if not is_bid[row]])
        kind, ms = "delta" if number else "snapshot", ts_event // _NS_PER_MS
        yield (
            ts_recv,
            f'{{"topic":"orderbook.{DEPTH}.{symbol}","type":"{kind}","ts":{ms},"data":{{"s":"{symbol}",'
            f'"b":[{bids}],"a":[{asks}],"u":{1_000_000 + number},"seq":{7_000_000 + number}}},'
            f'"cts":{ms}}}'.encode(),
        )


def _trades(day: MarketDay, symbol: str) -> Iterator[Frame]:
    fills = day.trades
    columns = (fills.ts_event, fills.ts_recv, fills.is_buy, fills.price, fills.amount, fills.id)
    for ts_event, ts_recv, is_buy, price, amount, name in zip(
        *(column.tolist() for column in columns), strict=True
    ):
        ms, side = ts_event // _NS_PER_MS, "Buy" if is_buy else "Sell"
        yield (
            ts_recv,
            f'{{"topic":"publicTrade.{symbol}","type":"snapshot","ts":{ms},"data":[{{"T":{ms},'
            f'"s":"{symbol}","S":"{side}","v":"{amount:.3f}","p":"{price:.1f}","L":"PlusTick",'
            f'"i":"{name}","BT":false}}]}}'.encode(),
        )
