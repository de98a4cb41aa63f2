"""Order book messages for tests: random ones, recorded ones, and their way into columns."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from atelier_pipeline.market import NormalizedDelta
from atelier_pipeline.market.book import BookColumns

EXCHANGE, SYMBOL = "kraken", "BTC/USD"


def message(
    bids=(), asks=(), *, ts_event=0, ts_recv=0, is_snapshot=False, checksum=None, digits=None
) -> NormalizedDelta:
    return NormalizedDelta(
        exchange=EXCHANGE,
        symbol=SYMBOL,
        ts_event=ts_event,
        ts_recv=ts_recv,
        is_snapshot=is_snapshot,
        bids=list(bids),
        asks=list(asks),
        checksum=checksum,
        digits=digits,
    )


def columns_of(messages: list[NormalizedDelta]) -> BookColumns:
    levels = [
        (is_bid, price, size)
        for m in messages
        for is_bid, side in ((True, m.bids), (False, m.asks))
        for price, size in side
    ]
    digits = [pair for m in messages for pair in m.digits or []]
    counts = [len(m.bids) + len(m.asks) for m in messages]
    return BookColumns(
        ts_event=np.array([m.ts_event for m in messages], np.int64),
        ts_recv=np.array([m.ts_recv for m in messages], np.int64),
        update_id=np.full(len(messages), -1, np.int64),
        is_snapshot=np.array([m.is_snapshot for m in messages], np.bool_),
        checksum=np.array([-1 if m.checksum is None else m.checksum for m in messages], np.int64),
        offsets=np.concatenate(([0], np.cumsum(counts, dtype=np.int64))),
        is_bid=np.array([is_bid for is_bid, _, _ in levels], np.bool_),
        price=np.array([price for _, price, _ in levels], np.float64),
        size=np.array([size for _, _, size in levels], np.float64),
        digits=np.array(digits, np.uint64).reshape(-1, 2),
    )


def levels_strategy(highest: int) -> st.SearchStrategy:
    """Few prices and sizes, so that levels meet, vanish and come again."""
    level = st.tuples(
        st.integers(1, highest).map(float), st.sampled_from([0.0, 0.0, 0.25, 1.0, 2.5])
    )
    return st.lists(level, max_size=8)


def messages_strategy(highest: int = 12) -> st.SearchStrategy:
    return st.lists(
        st.builds(
            message,
            levels_strategy(highest),
            levels_strategy(highest),
            is_snapshot=st.sampled_from([False, False, False, True]),
        ),
        max_size=12,
    )


def kraken_messages(path: Path) -> dict[str, list[NormalizedDelta]]:
    """Every book message of a Kraken v2 recording by symbol, read with the standard library."""
    by_symbol: dict[str, list[NormalizedDelta]] = {}
    for kind, book in _kraken_books(path):
        sides = [[(level["price"], level["qty"]) for level in book[side]] for side in _SIDES]
        by_symbol.setdefault(book["symbol"], []).append(
            message(
                *[[(float(price), float(size)) for price, size in side] for side in sides],
                is_snapshot=kind == "snapshot",
                checksum=int(book["checksum"]) if "checksum" in book else None,
                digits=[(_digits(price), _digits(size)) for side in sides for price, size in side],
            )
        )
    return by_symbol


_SIDES = ("bids", "asks")


def _kraken_books(path: Path) -> Iterator[tuple[str, dict]]:
    with gzip.open(path) as lines:
        for line in lines:
            frame = json.loads(line.split(b" ", 1)[1], parse_float=str, parse_int=str)
            if frame.get("channel") == "book" and "data" in frame:
                yield from ((frame["type"], book) for book in frame["data"])


def _digits(number: str) -> int:
    return int(number.replace(".", ""))
