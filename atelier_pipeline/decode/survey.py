"""What a recording holds, found by reading it once: times, symbols, datasets, book depths."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa

from atelier_pipeline.decode.frame_rows import frame_rows
from atelier_pipeline.decode.times import NEWEST_NS, OLDEST_LIVE_NS
from atelier_pipeline.errors import DecodeError
from atelier_pipeline.exchanges.contract import Acknowledged, Event, Exchange
from atelier_pipeline.lake.journal import FrameKind
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.events import Liquidation, NormalizedDelta, TickerUpdate, Trade

_RECEIVED = frozenset({FrameKind.TEXT.value, FrameKind.BINARY.value})

_NEVER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Survey:
    """What some frames hold.

    Attributes:
        first, last: earliest and latest time of an event or of its receipt, UTC ns, past trades
            left out; 0 = there is none.
        datasets: what was seen of each symbol, under the feed's own spelling.
        depths: book depths that acknowledgements or messages name.
        undecodable: frames that are not as documented.
    """

    first: int
    last: int
    datasets: Mapping[str, frozenset[Dataset]]
    depths: frozenset[int]
    undecodable: int


def survey(frames: Iterable[pa.RecordBatch], exchange: Exchange) -> Survey:
    """Reads frames, schema FRAMES, and tells what they hold."""
    first, last, undecodable = _NEVER, 0, 0
    seen: dict[str, set[Dataset]] = {}
    depths: set[int] = set()
    for recv, payload in _received(frames):
        try:
            events = exchange.decode(payload, recv)
        except DecodeError:
            undecodable += 1
            continue
        for event in events:
            times = _times(event, recv)
            first, last = min(first, *times, _NEVER), max(last, *times, 0)
            depths |= _depths(event)
            for symbol, dataset in _feeds(event):
                seen.setdefault(symbol, set()).add(dataset)
    return Survey(
        first=first if last else 0,
        last=last,
        datasets={symbol: frozenset(datasets) for symbol, datasets in sorted(seen.items())},
        depths=frozenset(depths),
        undecodable=undecodable,
    )


def _received(frames: Iterable[pa.RecordBatch]) -> Iterator[tuple[int, bytes]]:
    for batch in frames:
        rows = frame_rows(batch)
        for recv, kind, payload in zip(rows.ts_recv, rows.kind, rows.payload, strict=True):
            if kind in _RECEIVED:
                yield recv, payload


def _times(event: Event, recv: int) -> list[int]:
    """The usable times of a market event that is no history."""
    if not isinstance(event, (NormalizedDelta, Trade, Liquidation, TickerUpdate)):
        return []
    if isinstance(event, Trade) and event.is_history:
        return []
    own = event.ts_event
    is_usable = own > 0 and (not recv or recv - OLDEST_LIVE_NS <= own <= recv + NEWEST_NS)
    return [time for time in (own if is_usable else 0, recv) if time]


def _depths(event: Event) -> set[int]:
    depth = event.depth if isinstance(event, (NormalizedDelta, Acknowledged)) else None
    return set() if depth is None else {depth}


def _feeds(event: Event) -> Iterator[tuple[str, Dataset]]:
    if isinstance(event, NormalizedDelta):
        yield event.symbol, Dataset.ORDERBOOKS
    elif isinstance(event, Trade):
        yield event.symbol, Dataset.TRADES
    elif isinstance(event, Liquidation):
        yield event.symbol, Dataset.LIQUIDATIONS
    elif isinstance(event, TickerUpdate):
        if event.funding_rate is not None:
            yield event.symbol, Dataset.FUNDINGS
        if event.open_interest is not None:
            yield event.symbol, Dataset.OPEN_INTERESTS
