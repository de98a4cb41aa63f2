"""Frames by script: an exchange without a wire format, for rules that no wire format decides.

A frame's payload is the number of its events in the script. Real codecs are joined in by the tests
on recordings.
"""

from collections.abc import Sequence

import pyarrow as pa

from atelier_pipeline.decode.control import (
    CloseCause,
    Closed,
    DropCause,
    Dropped,
    Opened,
    control_payload,
)
from atelier_pipeline.decode.scope import Scope
from atelier_pipeline.errors import DecodeError
from atelier_pipeline.exchanges.contract import (
    Acknowledged,
    Event,
    Exchange,
    RateLimit,
    Refused,
    Request,
    Topic,
)
from atelier_pipeline.exchanges.inexact import inexact_counter
from atelier_pipeline.lake.schemas import FRAMES
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.events import Liquidation, NormalizedDelta, TickerUpdate, Trade
from atelier_pipeline.market.window import Window

T0 = 1_700_000_000_000_000_000
SEC = 1_000_000_000
WINDOW = Window(T0, T0 + 10 * SEC)
BOOKS = frozenset({Dataset.ORDERBOOKS})
TRADES = frozenset({Dataset.TRADES})
EVERYTHING = frozenset(Dataset)

Levels = Sequence[tuple[float, float]]


def at(seconds: float) -> int:
    """UTC ns so many seconds after the window's start."""
    return T0 + round(seconds * SEC)


def book(  # noqa: PLR0913 - one argument for each field
    seconds: float,
    bids: Levels = (),
    asks: Levels = (),
    *,
    symbol: str = "A",
    snapshot: bool = False,
    number: int | None = None,
    checksum: int | None = None,
    digits: bool = False,
    depth: int | None = None,
    ts_event: int | None = None,
) -> NormalizedDelta:
    levels = [*bids, *asks]
    return NormalizedDelta(
        exchange="toy",
        symbol=symbol,
        ts_event=at(seconds) if ts_event is None else ts_event,
        ts_recv=0,
        is_snapshot=snapshot,
        bids=list(bids),
        asks=list(asks),
        update_id=number,
        checksum=checksum,
        digits=[(int(price), int(size)) for price, size in levels] if digits else None,
        depth=depth,
    )


def trade(  # noqa: PLR0913 - one argument for each field
    seconds: float,
    number: int | str,
    *,
    symbol: str = "A",
    side: str = "buy",
    price: float = 100.0,
    amount: float = 1.0,
    history: bool = False,
    ts_event: int | None = None,
) -> Trade:
    return Trade(
        exchange="toy",
        symbol=symbol,
        side=side,
        price=price,
        amount=amount,
        id=str(number),
        ts_event=at(seconds) if ts_event is None else ts_event,
        ts_recv=0,
        is_history=history,
    )


def liquidation(seconds: float, price: float = 100.0, *, side: str = "buy") -> Liquidation:
    return Liquidation(
        exchange="toy",
        symbol="A",
        side=side,
        price=price,
        amount=1.0,
        ts_event=at(seconds),
        ts_recv=0,
    )


def ticker(
    seconds: float,
    *,
    snapshot: bool = False,
    rate: float | None = None,
    next_ms: int | None = None,
    hours: float | None = None,
    interest: float | None = None,
    value: float | None = None,
) -> TickerUpdate:
    return TickerUpdate(
        exchange="toy",
        symbol="A",
        ts_event=at(seconds),
        ts_recv=0,
        is_snapshot=snapshot,
        funding_rate=rate,
        next_funding_ts=next_ms,
        interval_hours=hours,
        open_interest=interest,
        open_interest_value=value,
    )


def accepted(dataset: Dataset, symbol: str = "A") -> Acknowledged:
    return Acknowledged(topics=(Topic(dataset.value, symbol),))


def refused(reason: str, topic: Topic | None = None) -> Refused:
    return Refused(reason=reason, topic=topic)


def _requests(
    symbols: Sequence[str], datasets: frozenset[Dataset], _depth: int | None
) -> list[Request]:
    topics = tuple(Topic(dataset.value, symbol) for dataset in datasets for symbol in symbols)
    return [Request(payload="subscribe", topics=topics)]


class Script:
    """Frames in the order in which they are added, and the exchange that reads them."""

    def __init__(
        self,
        integrity: str = "none",
        *,
        ids_grow: bool = False,
        cuts: bool = False,
        renamed: dict[str, str] | None = None,
    ) -> None:
        self.rows: list[tuple[int, int, str, bytes]] = []
        self._events: list[list[Event]] = []
        names = renamed or {}
        self.exchange = Exchange(
            name="toy",
            url="ws://127.0.0.1:1",
            datasets=EVERYTHING,
            depths=(1, 5),
            cuts_to_depth=cuts,
            book_integrity=integrity,
            trade_ids_contiguous=ids_grow,
            ping=None,
            ping_interval_secs=0.0,
            max_topics=10,
            connect_limit=RateLimit(10, 1),
            subscribe=_requests,
            unsubscribe=_requests,
            decode=self._decode,
            inexact=inexact_counter("channel", ("symbol",), {}),
            feed_symbol=lambda symbol: names.get(symbol, symbol),
        )

    def scope(
        self,
        datasets: frozenset[Dataset],
        *symbols: str,
        depth: int | None = None,
        source: str = "simulated",
    ) -> Scope:
        feeds = dict.fromkeys(symbols or ("A",), datasets)
        return Scope(self.exchange, "toys", source, feeds, depth)

    def _decode(self, payload: bytes, _ts_recv: int) -> list[Event]:
        if not payload.isdigit():
            raise DecodeError(f"toy does not document {payload!r}")
        return self._events[int(payload)]

    def says(self, seconds: float, *events: Event, connection: int = 0) -> "Script":
        self._events.append(list(events))
        payload = b"%d" % (len(self._events) - 1)
        return self.frame(at(seconds), "text", payload, connection)

    def untimed(self, *events: Event) -> "Script":
        self._events.append(list(events))
        return self.frame(0, "text", b"%d" % (len(self._events) - 1), 0)

    def garbage(self, seconds: float, connection: int = 0) -> "Script":
        return self.frame(at(seconds), "text", b"garbage", connection)

    def opened(self, seconds: float, connection: int = 0, *symbols: str) -> "Script":
        payload = control_payload(Opened(url="ws://127.0.0.1:1", symbols=symbols))
        return self.frame(at(seconds), "opened", payload, connection)

    def closed(
        self, seconds: float, cause: CloseCause = "ended", connection: int = 0, reason: str = ""
    ) -> "Script":
        """The end; a capture that ended as planned has heard that the exchange was still there."""
        if cause == "ended":
            self.says(seconds, connection=connection)
        return self.gone(seconds, cause, connection, reason)

    def gone(
        self, seconds: float, cause: CloseCause = "ended", connection: int = 0, reason: str = ""
    ) -> "Script":
        """The end, and nothing heard before it."""
        payload = control_payload(Closed(cause=cause, reason=reason))
        return self.frame(at(seconds), "closed", payload, connection)

    def dropped(self, seconds: float, frames: int, cause: DropCause = "overflow") -> "Script":
        payload = control_payload(Dropped(cause=cause, frames=frames, reason="full"))
        return self.frame(at(seconds), "dropped", payload, 0)

    def frame(self, ts_recv: int, kind: str, payload: bytes, connection: int) -> "Script":
        self.rows.append((ts_recv, connection, kind, payload))
        return self

    def batches(self, size: int | None = None) -> list[pa.RecordBatch]:
        """The frames in batches of `size`, numbered from 0 on."""
        size = size or max(len(self.rows), 1)
        return [
            frames_batch(self.rows[start : start + size], start)
            for start in range(0, len(self.rows), size)
        ]


def frames_batch(rows: Sequence[tuple[int, int, str, bytes]], first_seq: int) -> pa.RecordBatch:
    """Rows of (ts_recv, connection, kind, payload) as a batch of schema FRAMES."""
    times, connections, kinds, payloads = zip(*rows, strict=True)
    columns = [range(first_seq, first_seq + len(rows)), times, connections, kinds, payloads]
    arrays = [
        pa.array(values, pa.int64()).cast(field.type)
        if pa.types.is_timestamp(field.type)
        else pa.array(values, field.type)
        for values, field in zip(columns, FRAMES, strict=True)
    ]
    return pa.record_batch(arrays, schema=FRAMES)


def plain(table: pa.Table, *columns: str) -> list[dict[str, object]]:
    """Rows as dicts, times as UTC ns; all columns, or those named."""
    table = table.select(columns) if columns else table
    for index, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            table = table.set_column(index, field.name, table[field.name].cast(pa.int64()))
    return table.to_pylist()


def losses(table: pa.Table) -> list[tuple[object, ...]]:
    """(dataset, cause, scope, start, end, known, before, after, lost) in seconds of the window."""
    return [
        (
            row["dataset"],
            row["cause"],
            row["scope"],
            seconds(row["ts_start"]),
            seconds(row["ts_end"]),
            seconds(row["ts_known"]),
            row["update_id_before"],
            row["update_id_after"],
            row["lost"],
        )
        for row in plain(table)
    ]


def seconds(time: object) -> float | None:
    return (time - T0) / SEC if isinstance(time, int) else None
