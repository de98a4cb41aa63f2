"""From frames to events by feed: what every frame says, with its place in the order of arrival.

A `Decoder` reads frames in any batches and hands out, flush by flush, what they held as columns. It
remembers between frames only what the exchanges leave to memory: which connection is which, merged
tickers, the last number of a connection. Judging books and cutting windows come later.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar

import numpy as np
import pyarrow as pa

from atelier_pipeline.decode.columns import COLUMNS_OF, Arrivals, Ints, ints, past_of
from atelier_pipeline.decode.control import read_closed, read_dropped, read_opened
from atelier_pipeline.decode.frame_rows import frame_rows, rows_with_long_numbers
from atelier_pipeline.decode.links import NO_LINK, Alive, Answer, Break, Link
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

_RECEIVED = frozenset({FrameKind.TEXT.value, FrameKind.BINARY.value})


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
        inexact: (frame, feed, values of more digits than a float64 holds).
    """

    first_frame: int
    times: Ints
    links: Ints
    sizes: Ints
    feeds: Mapping[Feed, Arrivals]
    held: Ints
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
        self._crashes = {torn.after_seq: torn.reason for torn in damage}
        self._trays = {
            symbol: Trays(datasets, scope.depth_of(symbol))
            for symbol, datasets in sorted(scope.datasets.items())
        }
        self._stations: dict[int, Station] = {}
        self._named_on_link: list[Mapping[str, Sequence[str]]] = []
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
        self._controls: dict[str, Callable[[int, int, bytes], None]] = {
            FrameKind.OPENED.value: self._open,
            FrameKind.CLOSED.value: self._close,
            FrameKind.DROPPED.value: self._drop,
        }
        self._start_stretch()

    def _start_stretch(self) -> None:
        self._first_frame = self._frame
        self._recvs: list[Ints] = [np.empty(0, np.int64)]
        self._sizes: list[Ints] = [np.empty(0, np.int64)]
        self._link_of_frame: list[int] = []
        self._held: list[int] = []
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
        rows = frame_rows(batch)
        first = self._frame
        self._recvs.append(np.array(rows.ts_recv, np.int64))
        self._sizes.append(np.fromiter(map(len, rows.payload), np.int64, len(rows.payload)))
        for seq, recv, connection, kind, payload in zip(*rows, strict=True):
            if kind in _RECEIVED:
                station = self._stations.get(connection) or self._begin(connection)
                self._receive(station, recv, payload)
            else:
                station = self._control(kind, connection, recv, payload)
            self._link_of_frame.append(NO_LINK if station is None else station.ordinal)
            self._frame += 1
            if seq in self._crashes:
                self._crash(recv, self._crashes[seq])
        for row in rows_with_long_numbers(rows.payload):
            if rows.kind[row] in _RECEIVED:
                self._count_inexact(first + row, rows.payload[row])

    def _receive(self, station: Station, recv: int, payload: bytes) -> None:
        try:
            events = self._decode(payload, recv)
        except DecodeError as error:
            self._undecoded.add(self._frame)
            self._note(station, recv, "decode_error", str(error))
            return
        for event in events:
            self._handlers[type(event)](station, event, recv)

    def _control(self, kind: str, connection: int, recv: int, payload: bytes) -> Station | None:
        control = self._controls.get(kind)
        if control is not None:
            control(connection, recv, payload)
        return self._stations.get(connection)

    def _crash(self, recv: int, reason: str) -> None:
        """Ends every connection behind the frame just read."""
        for station in self._stations.values():
            self._note(station, recv, "crash", reason)
        self._stations.clear()

    def _count_inexact(self, frame: int, payload: bytes) -> None:
        if frame in self._undecoded:
            return
        named = self._named_on_link[self._link_of_frame[frame - self._first_frame]]
        for (dataset, feed_symbol), count in self._scope.exchange.inexact(payload).items():
            for symbol in named.get(feed_symbol, ()):
                self._inexact.append((frame, (symbol, dataset), count))

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

    def _on_number(self, station: Station, event: ConnectionSequence, recv: int) -> None:
        last, station.last_number = station.last_number, event.number
        if last is None:
            return
        if event.number == last + 1:
            self._held.append(self._frame)
            return
        lost = event.number - last - 1 if event.number > last else None
        numbers = {"before": last, "after": event.number, "lost": lost}
        self._note(station, recv, "sequence", "frame numbers of the connection", **numbers)

    def _on_answer(self, station: Station, event: Acknowledged | Refused, recv: int) -> None:
        self._answers.append(Answer(station.ordinal, self._frame, recv, event))

    def _on_heartbeat(self, station: Station, event: Heartbeat, recv: int) -> None:
        if event.last_trade_id is None or event.symbol is None:
            return
        for symbol in station.named.get(event.symbol, ()):
            time = event.ts_event or recv
            self._alive.append(Alive(symbol, self._frame, time, event.last_trade_id))

    def _begin(self, connection: int, symbols: tuple[str, ...] = ()) -> Station:
        """A new link; one that says no symbols carries every symbol of the scope."""
        known = tuple(symbol for symbol in symbols if symbol in self._trays)
        link = Link(
            ordinal=len(self.links),
            connection=connection,
            symbols=known or tuple(self._trays),
            opened_frame=self._frame,
        )
        station = self._stations[connection] = Station(link, self._scope, self._trays)
        self.links.append(link)
        self._named_on_link.append(station.named)
        return station

    def _open(self, connection: int, _recv: int, payload: bytes) -> None:
        self._begin(connection, read_opened(payload).symbols)

    def _close(self, connection: int, recv: int, payload: bytes) -> None:
        closed = read_closed(payload)
        station = self._stations.get(connection)
        self._note(station, recv, closed.cause, closed.reason)

    def _drop(self, connection: int, recv: int, payload: bytes) -> None:
        dropped = read_dropped(payload)
        count = str(dropped.frames or "unknown number of")
        detail = f"{count} frames: {dropped.reason}" if dropped.reason else f"{count} frames"
        station = self._stations.get(connection) or self._begin(connection)
        self._note(station, recv, dropped.cause, detail)

    def _note(
        self,
        station: Station | None,
        recv: int,
        cause: str,
        detail: str,
        *,
        before: int | None = None,
        after: int | None = None,
        lost: int | None = None,
    ) -> None:
        link = NO_LINK if station is None else station.ordinal
        self._breaks.append(Break(link, self._frame, recv, cause, detail, before, after, lost))

    def flush(self) -> Decoded:
        """What the frames since the last flush held."""
        recvs, links = np.concatenate(self._recvs), ints(self._link_of_frame)
        first, trays = self._first_frame, self._full_trays()
        frames = {feed: ints(tray.frames) for feed, tray in trays}
        own = {feed: ints([event.ts_event for event in tray.events]) for feed, tray in trays}
        told = [(frames[feed] - first, own[feed]) for feed in own]
        times, self._newest = frame_times(recvs, told, self._newest)
        feeds: dict[Feed, Arrivals] = {}
        for feed, tray in trays:
            at, past = frames[feed] - first, past_of(tray.events)
            clock = {"recv": recvs[at], "frame_time": times[at]}
            arrivals = timed(frames[feed], links[at], own[feed], past, **clock)
            feeds[feed] = COLUMNS_OF[feed[1]](arrivals, tray.events)
            tray.frames, tray.events = [], []
        decoded = Decoded(
            first_frame=first,
            times=times,
            links=links,
            sizes=np.concatenate(self._sizes),
            feeds=feeds,
            held=ints(self._held),
            breaks=[self._dated(each, times) for each in self._breaks],
            answers=[self._dated(each, times) for each in self._answers],
            alive=self._alive,
            inexact=self._inexact,
        )
        self._start_stretch()
        return decoded

    def _full_trays(self) -> list[tuple[Feed, Tray]]:
        return [
            ((symbol, dataset), tray)
            for symbol, trays in self._trays.items()
            for dataset, tray in trays.by_dataset.items()
            if tray.events
        ]

    def _dated(self, each: D, times: Ints) -> D:
        """The same with the time of its frame, where that was not known when it was read."""
        if each.ts:
            return each
        return replace(each, ts=int(times[min(each.frame - self._first_frame, len(times) - 1)]))
