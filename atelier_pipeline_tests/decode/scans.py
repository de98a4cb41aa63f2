"""What the scanner reads, held against what each exchange's own decoder reads."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from atelier_pipeline.decode.scanner import Scanned, Scanner
from atelier_pipeline.exchanges.contract import ConnectionSequence, Event, Exchange
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.events import NormalizedDelta

RECV = 1_800_000_000_000_000_000


def scanned(exchange: Exchange, symbols: Sequence[str], payloads: Sequence[bytes]) -> Scanned:
    """What the scanner reads of some frames, cut out of a longer column."""
    column = pa.array([b"before", *payloads, b"behind"], pa.binary())[1:-1]
    return Scanner(exchange.book_shapes, symbols).scan(column, np.ones(len(payloads), np.bool_))


def events_of(found: Scanned, at: int, exchange: Exchange, symbol: str) -> list[Event]:
    """The events of one scanned frame, as a decoder would have told them."""
    columns = found.columns
    start, end = columns.offsets[at : at + 2].tolist()
    levels = list(
        zip(columns.price[start:end].tolist(), columns.size[start:end].tolist(), strict=True)
    )
    bids = int(columns.is_bid[start:end].sum())
    assert columns.is_bid[start:end].tolist() == [True] * bids + [False] * (len(levels) - bids)
    numbers = {"update_id": columns.update_id, "checksum": columns.checksum, "depth": found.depth}
    delta = NormalizedDelta(
        exchange=exchange.name,
        symbol=symbol,
        ts_event=int(columns.ts_event[at]),
        ts_recv=RECV,
        is_snapshot=bool(columns.is_snapshot[at]),
        bids=levels[:bids],
        asks=levels[bids:],
        digits=[(p, s) for p, s in columns.digits[start:end].tolist()]
        if len(columns.digits) or exchange.name == "kraken"
        else None,
        **{name: None if each[at] < 0 else int(each[at]) for name, each in numbers.items()},
    )
    number = int(found.number[at])
    return [delta] if number < 0 else [ConnectionSequence(number), delta]


def assert_less_and_never_else(
    exchange: Exchange, symbols: Sequence[str], payloads: Sequence[bytes]
) -> set[int]:
    """Every scanned frame is as `decode` reads it; returns which ones were scanned."""
    found = scanned(exchange, symbols, payloads)
    for at, row in enumerate(found.row.tolist()):
        decoded = exchange.decode(payloads[row], RECV)
        symbol = decoded[-1].symbol
        assert found.symbol[at] == (symbols.index(symbol) if symbol in symbols else -1)
        assert events_of(found, at, exchange, symbol) == decoded, payloads[row]
        inexact = exchange.inexact(payloads[row])
        assert found.inexact[at] == inexact[Dataset.ORDERBOOKS, symbol], payloads[row]
    return set(found.row.tolist())
