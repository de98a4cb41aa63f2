"""From frames to events by feed: what every frame says, with its place in the order of arrival.

A `Decoder` reads frames in any batches and hands out, flush by flush, what they held as columns. It
remembers between frames only what the exchanges leave to memory: which connection is which, merged
tickers, the last number of a connection. Judging books and cutting windows come later.

Order book frames that have one of the exchange's known shapes are scanned a batch at once; every
other frame is decoded by itself. Which way a frame takes makes no difference to what comes out.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar

import numpy as np
import pyarrow as pa

from atelier_pipeline.decode.book_parts import BookPart, places_of
from atelier_pipeline.decode.columns import Arrivals, Ints, columns_taken, ints
from atelier_pipeline.decode.control import read_closed, read_dropped, read_opened
from atelier_pipeline.decode.frame_rows import (
    RECEIVED,
    FrameColumns,
    frame_rows,
    rows_with_long_numbers,
)
from atelier_pipeline.decode.links import NO_LINK, Alive, Answer, Break, Link
from atelier_pipeline.decode.numbering import Numbering
from atelier_pipeline.decode.scanner import Scanned, Scanner
from atelier_pipeline.decode.scope import Scope
from atelier_pipeline.decode.stations import Station, Tray, Trays
from atelier_pipeline.decode.times import frame_times, timed
from atelier_pipeline.errors import DecodeError
from atelier_pipeline.exchanges.contract import (
    Acknowledged,
    ConnectionSequence,
    Heartbeat,
    Refused,
)
from atelier_pipeline.lake.journal import Damage, FrameKind
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.events import Liquidation, NormalizedDelta, TickerUpdate, Trade

D = TypeVar("D", Break, Answer)

Feed: TypeAlias = tuple[str, Dataset]
"""A symbol as subscribed, and a dataset."""

_OURS = frozenset({FrameKind.SENT.value, FrameKind.CLOSED.value, FrameKind.CLOCK.value})


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a stretch of consecutive frames held.

    Attributes:
        first_frame: ordinal of the first of the `n` frames.
        times: int64[n], receive time in UTC ns; the newest event time so far where not known.
        links: int64[n], the link that each frame belongs to.
        sizes: int64[n], payload bytes.
        feeds: the events of every feed that had any.
        held: frames whose number follows that of the frame before them on their link.
        ours: frames in which nothing was heard: what was sent, ends, the local clock.
        inexact: (frame, feed, values of more digits than a float64 holds).
    """

    first_frame: int
    times: Ints
    links: Ints
    sizes: Ints
    feeds: Mapping[Feed, Arrivals]
    held: Ints
    ours: Ints
    breaks: Sequence[Break]
    answers: Sequence[Answer]
    alive: Sequence[Alive]
    inexact: Sequence[tuple[int, Feed, int]]


class Decoder:
    """Turns the frames of a scope into columns; frames must come in order of arrival.

    `links` are the connections seen so far. `damage` tells where the journal is torn: whatever was
    connected there crashed.
    """

    def __init__(self, scope: Scope, damage: Sequence[Damage] = ()) -> None:
        self.links: list[Link] = []
        self._scope = scope
        self._decode = scope.exchange.decode
        self._crashes = {
            torn.after_seq: torn.reason for torn in damage if torn.after_seq is not None
        }
        self._trays = {
            symbol: Trays(datasets, scope.depth_of(symbol))
            for symbol, datasets in sorted(scope.datasets.items())
        }
        self._stations: dict[int, Station] = {}
        self._on_link: list[Station] = []
        self._numbering = Numbering()
        self._feed_symbols = sorted({scope.exchange.feed_symbol(each) for each in scope.datasets})
        self._scanner = Scanner(scope.exchange.book_shapes, self._feed_symbols)
        self._frame = 0
        self._newest = 0
        self._handlers: dict[type, Callable[[Station, Any, int], None]] = {
            NormalizedDelta: self._on_book,
            Trade: self._on_trade,
            Liquidation: self._on_liquidation,
            TickerUpdate: self._on_ticker,
            ConnectionSequence: self._on_number,
            Acknowledged: self._on_answer,
            Refused: self._on_answer,
            Heartbeat: self._on_heartbeat,
        }
        self._controls: dict[str, Callable[[int, int, bytes], object]] = {
            FrameKind.OPENED.value: self._open,
            FrameKind.CLOSED.value: self._close,
            FrameKind.DROPPED.value: self._drop,
        }
        self._start_stretch()

    def _start_stretch(self) -> None:
        self._first_frame = self._frame
        self._recvs: list[Ints] = [np.empty(0, np.int64)]
        self._sizes: list[Ints] = [np.empty(0, np.int64)]
        self._link_of_frame: list[Ints] = [np.empty(0, np.int64)]
        self._ours: list[int] = []
        self._breaks: list[Break] = []
        self._answers: list[Answer] = []
        self._alive: list[Alive] = []
        self._inexact: list[tuple[int, Feed, int]] = []
        self._undecoded: set[int] = set()

    @property
    def pending(self) -> int:
        """Frames read since the last flush."""
        return self._frame - self._first_frame

    def read(self, batch: pa.RecordBatch) -> None:
        """Takes in a batch of frames, schema FRAMES."""
        first, columns = self._frame, FrameColumns.of(batch)
        is_torn = np.isin(columns.seq, list(self._crashes))
        scanned = self._scanner.scan(batch["payload"], columns.is_received & ~is_torn)
        self._read_singly(batch, columns, np.delete(np.arange(batch.num_rows), scanned.row))
        self._frame = first + batch.num_rows
        self._take(scanned, first + scanned.row, columns.link[scanned.row])
        self._recvs.append(columns.ts_recv)
        self._sizes.append(columns.size)
        self._link_of_frame.append(columns.link)

    def _read_singly(self, batch: pa.RecordBatch, columns: FrameColumns, places: Ints) -> None:
        """Reads the rows at some places one by one, and fills in the links of all rows.

        Connections are what the rows before have made them: the links of these are filled in before
        a row that may change them is read.
        """
        first, linked = self._frame, 0
        rows = frame_rows(batch.take(pa.array(places, pa.int64())))
        for place, seq, recv, connection, kind, payload in zip(places.tolist(), *rows, strict=True):
            self._frame = first + place
            is_received = kind in RECEIVED
            if not is_received or seq in self._crashes or connection not in self._stations:
                self._link(columns, linked, place + is_received, first)
                linked = place + 1
            if is_received:
                self._receive(self._stations[connection], recv, payload)
            else:
                columns.link[place] = self._control(kind, connection, recv, payload)
            if seq in self._crashes:
                self._frame += 1
                self._crash(recv, self._crashes[seq])
        self._link(columns, linked, batch.num_rows, first)
        for index in rows_with_long_numbers(rows.payload):
            place = int(places[index])
            if columns.is_received[place]:
                self._count_inexact(first + place, columns.link[place], rows.payload[index])

    def _link(self, columns: FrameColumns, start: int, stop: int, first_frame: int) -> None:
        """Fills in the links of the received rows start:stop; new connections begin with them."""
        rows = start + np.flatnonzero(columns.is_received[start:stop])
        connections, firsts, which = np.unique(
            columns.connection[rows], return_index=True, return_inverse=True
        )
        for at in np.sort(firsts).tolist():
            connection = int(columns.connection[rows[at]])
            if connection not in self._stations:
                self._begin(connection, first_frame + int(rows[at]))
        ordinals = [self._stations[connection].ordinal for connection in connections.tolist()]
        columns.link[rows] = ints(ordinals)[which]

    def _receive(self, station: Station, recv: int, payload: bytes) -> None:
        try:
            events = self._decode(payload, recv)
        except DecodeError as error:
            self._undecoded.add(self._frame)
            self._note(station, recv, "decode_error", str(error))
            return
        for event in events:
            self._handlers[type(event)](station, event, recv)

    def _control(self, kind: str, connection: int, recv: int, payload: bytes) -> int:
        """Reads a frame of our own; returns its link."""
        if kind in _OURS:
            self._ours.append(self._frame)
        control = self._controls.get(kind)
        if control is not None:
            control(connection, recv, payload)
        station = self._stations.get(connection)
        return NO_LINK if station is None else station.ordinal

    def _crash(self, recv: int, reason: str) -> None:
        """Ends every connection behind the frame just read."""
        for station in self._stations.values():
            self._note(station, recv, "crash", reason)
        self._stations.clear()

    def _count_inexact(self, frame: int, link: int, payload: bytes) -> None:
        if frame in self._undecoded:
            return
        named = self._on_link[link].named
        for (dataset, feed_symbol), count in self._scope.exchange.inexact(payload).items():
            for symbol in named.get(feed_symbol, ()):
                self._inexact.append((frame, (symbol, dataset), count))

    def _take(self, scanned: Scanned, frame: Ints, link: Ints) -> None:
        """Takes in the frames that were scanned, each with one book message."""
        self._numbering.add_run(frame, link, scanned.number)
        for at in np.flatnonzero((scanned.inexact > 0) & (scanned.symbol >= 0)).tolist():
            named = self._on_link[link[at]].named
            for symbol in named.get(self._feed_symbols[scanned.symbol[at]], ()):
                feed = symbol, Dataset.ORDERBOOKS
                self._inexact.append((int(frame[at]), feed, int(scanned.inexact[at])))
        for ordinal in np.unique(link).tolist():
            symbols = np.where(link == ordinal, scanned.symbol, -1)
            for number, places in places_of(symbols):
                for trays in self._on_link[ordinal].routes.get(self._feed_symbols[number], ()):
                    depth = scanned.depth[places]
                    mine = places[(depth < 0) | (depth == trays.depth)]
                    if trays.books is not None and len(mine):
                        columns = columns_taken(scanned.columns, mine)
                        trays.books.parts.append(BookPart(frame[mine], columns))

    def _on_book(self, station: Station, event: NormalizedDelta, _recv: int) -> None:
        for trays in station.routes.get(event.symbol, ()):
            tray = trays.books
            if tray is not None and (event.depth is None or event.depth == trays.depth):
                tray.frames.append(self._frame)
                tray.events.append(event)

    def _on_trade(self, station: Station, event: Trade, _recv: int) -> None:
        for trays in station.routes.get(event.symbol, ()):
            self._put(trays.trades, event)

    def _on_liquidation(self, station: Station, event: Liquidation, _recv: int) -> None:
        for trays in station.routes.get(event.symbol, ()):
            self._put(trays.liquidations, event)

    def _on_ticker(self, station: Station, event: TickerUpdate, _recv: int) -> None:
        state = station.merged(event)
        for trays in station.routes.get(event.symbol, ()):
            self._put(trays.fundings, state.funding(event))
            self._put(trays.interests, state.interest(event))

    def _put(self, tray: Tray | None, event: object) -> None:
        if tray is not None and event is not None:
            tray.frames.append(self._frame)
            tray.events.append(event)

    def _on_number(self, station: Station, event: ConnectionSequence, _recv: int) -> None:
        self._numbering.add(self._frame, station.ordinal, event.number)

    def _on_answer(self, station: Station, event: Acknowledged | Refused, recv: int) -> None:
        self._answers.append(Answer(station.ordinal, self._frame, recv, event))

    def _on_heartbeat(self, station: Station, event: Heartbeat, recv: int) -> None:
        if event.last_trade_id is None or event.symbol is None:
            return
        for symbol in station.named.get(event.symbol, ()):
            time = event.ts_event or recv
            self._alive.append(Alive(symbol, self._frame, time, event.last_trade_id))

    def _begin(self, connection: int, frame: int, symbols: tuple[str, ...] = ()) -> Station:
        """A new link from a frame on; one that says no symbols carries every one of the scope."""
        known = tuple(symbol for symbol in symbols if symbol in self._trays)
        link = Link(
            ordinal=len(self.links),
            connection=connection,
            symbols=known or tuple(self._trays),
            opened_frame=frame,
        )
        station = self._stations[connection] = Station(link, self._scope, self._trays)
        self.links.append(link)
        self._on_link.append(station)
        return station

    def _open(self, connection: int, _recv: int, payload: bytes) -> None:
        self._begin(connection, self._frame, read_opened(payload).symbols)

    def _close(self, connection: int, recv: int, payload: bytes) -> None:
        closed = read_closed(payload)
        station = self._stations.get(connection)
        self._note(station, recv, closed.cause, closed.reason)

    def _drop(self, connection: int, recv: int, payload: bytes) -> None:
        dropped = read_dropped(payload)
        count = str(dropped.frames or "unknown number of")
        detail = f"{count} frames: {dropped.reason}" if dropped.reason else f"{count} frames"
        station = self._stations.get(connection) or self._begin(connection, self._frame)
        self._note(station, recv, dropped.cause, detail)

    def _note(self, station: Station | None, recv: int, cause: str, detail: str) -> None:
        link = NO_LINK if station is None else station.ordinal
        self._breaks.append(Break(link, self._frame, recv, cause, detail))

    def flush(self) -> Decoded:
        """What the frames since the last flush held."""
        first = self._first_frame
        recvs, links = np.concatenate(self._recvs), np.concatenate(self._link_of_frame)
        brought = {feed: tray.emptied(feed[1]) for feed, tray in self._full_trays()}
        told = [(each.frame - first, each.ts_event) for each in brought.values()]
        times, self._newest = frame_times(recvs, told, self._newest)
        feeds: dict[Feed, Arrivals] = {}
        for feed, each in brought.items():
            at = each.frame - first
            clock = {"recv": recvs[at], "frame_time": times[at]}
            arrivals = timed(each.frame, links[at], each.ts_event, each.is_past, **clock)
            feeds[feed] = each.columns_of(arrivals)
        held, holes = self._numbering.judge(recvs, first)
        breaks = sorted([*holes, *self._breaks], key=lambda each: each.frame)
        decoded = Decoded(
            first_frame=first,
            times=times,
            links=links,
            sizes=np.concatenate(self._sizes),
            feeds=feeds,
            held=held,
            ours=ints(self._ours),
            breaks=[self._dated(each, times) for each in breaks],
            answers=[self._dated(each, times) for each in self._answers],
            alive=self._alive,
            inexact=self._inexact,
        )
        self._start_stretch()
        return decoded

    def _full_trays(self) -> Iterator[tuple[Feed, Tray]]:
        for symbol, trays in self._trays.items():
            for dataset, tray in trays.by_dataset.items():
                if tray.events or tray.parts:
                    yield (symbol, dataset), tray

    def _dated(self, each: D, times: Ints) -> D:
        """The same with the time of its frame, where that was not known when it was read."""
        if each.ts:
            return each
        return replace(each, ts=int(times[min(each.frame - self._first_frame, len(times) - 1)]))
