"""The generated day as raw files of a lake, window by window, each with its opening book."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from atelier_pipeline.decode.captures import captures_table
from atelier_pipeline.decode.columns import BookMessages, messages_between, taken
from atelier_pipeline.decode.keeper import BookAt
from atelier_pipeline.decode.losses import Place, gaps_table
from atelier_pipeline.decode.scope import capture_id
from atelier_pipeline.decode.tables import (
    Named,
    message_rows,
    opening_rows,
    orderbooks_table,
    trades_table,
)
from atelier_pipeline.lake.footer import Footer
from atelier_pipeline.lake.names import FileKind, Mode, lake_path
from atelier_pipeline.lake.schemas import CAPTURES
from atelier_pipeline.lake.writer import Written, write_table
from atelier_pipeline.manifest import Collector, parse_collector
from atelier_pipeline.market.book import BookState
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.window import Window
from atelier_pipeline_tests.benchmarks.market_day import DAY_NS, START_NS, MarketDay

EXCHANGE = "bybit"
NS_PER_MINUTE = 60_000_000_000
_MANIFEST = """
[collect]
exchange = "bybit"
source = "simulated"
[collect.datatypes]
orderbook = {{ enabled = true, depth = 50 }}
trades = {{ enabled = true }}
[collect.sync.update_frequency]
value = {period_ms}
unit = "Millis"
"""


def collector(symbols: tuple[str, ...] = ("BTCUSDT",), period_ms: int = 100) -> Collector:
    """The collector that would have captured the day: top 50 on a grid of `period_ms`."""
    workers = "".join(f'[[workers]]\nsymbol = "{symbol}"\n' for symbol in symbols)
    text = _MANIFEST.format(period_ms=period_ms) + workers
    return parse_collector("bench", text, "the benchmarks")


def windows(minutes: int, span_ns: int = DAY_NS) -> list[Window]:
    """The windows that the day, or its first `span_ns`, falls into."""
    step = minutes * NS_PER_MINUTE
    return [Window(t0, t0 + step) for t0 in range(START_NS, START_NS + span_ns, step)]


def write_windows(
    lake: Path, day: MarketDay, symbol: str, wanted: Iterable[Window]
) -> list[Written]:
    """The raw files of the wanted windows, which follow each other."""
    written: list[Written] = []
    state, applied = BookState(None), 0
    for window in wanted:
        edges = [window.start_ns, window.end_ns]
        start, end = np.searchsorted(day.messages.ts_event, edges).tolist()
        state.apply(messages_between(day.messages, applied, start).columns)
        applied = start
        opening = _opening(state, day.messages, start - 1)
        books = [opening_rows(opening), message_rows(messages_between(day.messages, start, end), 1)]
        named = Named(EXCHANGE, symbol)
        inside = (day.trades.ts_event >= edges[0]) & (day.trades.ts_event < edges[1])
        trades = trades_table(named, taken(day.trades, inside))
        tables = {
            FileKind.ORDERBOOKS: orderbooks_table(named, books),
            FileKind.TRADES: trades,
            FileKind.GAPS: gaps_table([], _place(symbol, window)),
            FileKind.CAPTURES: _captures(symbol, window, end - start, trades),
        }
        written += _write(lake, symbol, window, tables)
    return written


def _opening(state: BookState, messages: BookMessages, last: int) -> BookAt:
    columns = messages.columns
    return BookAt(
        *state.levels(),
        frame=last,
        ts_event=int(columns.ts_event[last]),
        ts_recv=int(columns.ts_recv[last]),
        update_id=int(columns.update_id[last]),
        whole=True,
    )


def _place(symbol: str, window: Window) -> Place:
    return Place(EXCHANGE, symbol, capture_id(EXCHANGE, "bench", window.start_ns), window)


def _captures(symbol: str, window: Window, messages: int, trades: pa.Table) -> pa.Table:
    """The records of a capture in which nothing went wrong."""
    common: dict[str, object] = {
        **dict.fromkeys(CAPTURES.names),
        "exchange": EXCHANGE,
        "symbol": symbol,
        "window_start": window.start_ns,
        "window_end": window.end_ns,
        "opened_at": window.start_ns - NS_PER_MINUTE,
        "closed_at": window.end_ns,
        "capture_id": _place(symbol, window).capture_id,
        "source": "simulated",
        **dict.fromkeys(_COUNTS, 0),
        "pieces": 1,
        "clock_offset_ns": 2_000_000,
    }
    return captures_table(
        [
            {**common, "dataset": dataset.value, "events": events, "integrity": integrity}
            for dataset, events, integrity in (
                (Dataset.ORDERBOOKS, messages, "sequence"),
                (Dataset.TRADES, trades.num_rows, "none"),
            )
        ]
    )


_COUNTS = (
    "frames",
    "bytes",
    "rejected",
    "duplicates",
    "inexact",
    "bad_times",
    "reconnects",
    "verified",
)


def _write(
    lake: Path, symbol: str, window: Window, tables: dict[FileKind, pa.Table]
) -> Iterator[Written]:
    footer = Footer(
        exchange=EXCHANGE,
        symbol=symbol,
        collector="bench",
        window_start=window.start_ns,
        window_end=window.end_ns,
        source="simulated",
    )
    for kind, table in tables.items():
        path = lake_path(lake, EXCHANGE, symbol, kind, Mode.RAW, window.start_ns)
        yield write_table(table, path, footer)
