"""The known losses of a capture that still runs, by the rules of sealing.

What sealing learns from all frames at the end is asked here again and again. So of the frames and
events that are past, only those are remembered that a loss may still be measured by: memory grows
with the losses, not with the frames.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
import pyarrow as pa

from atelier_pipeline.decode.asked import Asked
from atelier_pipeline.decode.book_sealer import losses_of_book
from atelier_pipeline.decode.columns import Fills, Ints, ints, nothing_of
from atelier_pipeline.decode.coverage import (
    Coverage,
    Heard,
    bad_time_notes,
    joined_heard,
    note_least_delays,
)
from atelier_pipeline.decode.decoder import Decoded, Feed
from atelier_pipeline.decode.id_runs import IdRuns
from atelier_pipeline.decode.keeper import BookLoss
from atelier_pipeline.decode.links import NO_LINK, Alive, Link
from atelier_pipeline.decode.live import live_events
from atelier_pipeline.decode.losses import Loss, Place, gaps_table
from atelier_pipeline.decode.scope import Scope, capture_id
from atelier_pipeline.decode.timeline import Timeline
from atelier_pipeline.decode.watch import Sight
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.window import Window

KEPT_FRAMES = 50_000
"""Frames that are remembered one by one before the past is thinned."""

_NONE = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class _Late:
    """Late events that happened close to one another."""

    start: int
    end: int
    known: int
    count: int

    def as_loss(self, dataset: Dataset) -> Loss:
        return Loss(
            dataset=dataset,
            cause="late",
            frame=0,
            start=self.start,
            end=self.end,
            known=self.known,
            lost=0,
            detail=f"{self.count} events came after the emission delay and are in no live row",
        )


@dataclass(slots=True)
class _Feed:
    """What is remembered of one feed."""

    heard: list[Heard] = field(default_factory=lambda: [Heard(_NONE, _NONE, _NONE, _NONE)])
    bad: list[tuple[Ints, Ints]] = field(default_factory=list[tuple[Ints, Ints]])
    settled: list[Loss] = field(default_factory=list[Loss])
    ids: IdRuns = field(default_factory=IdRuns)
    late: list[_Late] = field(default_factory=list[_Late])

    def joined(self) -> Heard:
        self.heard = [joined_heard(self.heard)]
        return self.heard[0]


class LiveLedger:
    """The losses of every symbol of a scope in a window, sight by sight."""

    def __init__(
        self, scope: Scope, window: Window, threshold_ns: int, kept_frames: int = KEPT_FRAMES
    ) -> None:
        self._scope = scope
        self._window = window
        self._threshold_ns = threshold_ns
        self._kept_frames = kept_frames
        self._asked = Asked(scope)
        self._delays: dict[int, int] = {}
        self._past = _Past()
        self._feeds = {
            (symbol, dataset): _Feed()
            for symbol, datasets in scope.datasets.items()
            for dataset in Dataset
            if dataset in datasets
        }
        self._book_losses: dict[str, Sequence[BookLoss]] = {}
        self._tables: dict[str, pa.Table] = {}
        self._open = set(scope.datasets)

    def take(self, sight: Sight) -> None:
        """Takes in a sight."""
        decoded = sight.decoded
        self._note_book_losses(sight)
        if decoded is None or not len(decoded.times):
            return
        shift = self._past.add(decoded, sight.links)
        for events in live_events(sight):
            mine, arrivals, heard = self._feeds[events.feed], events.arrivals, events.heard
            mine.heard.append(replace(heard, frame=heard.frame - shift))
            note_least_delays(self._delays, heard, arrivals.ts_recv)
            if arrivals.bad_time.any():
                bad = arrivals.bad_time
                mine.bad.append((arrivals.frame[bad] - shift, arrivals.ts_event[bad]))
            if isinstance(arrivals, Fills) and self._has_chain(events.feed):
                mine.ids.add(arrivals, ())
        self._note_beats(decoded.alive)
        self._note_changes(decoded)
        if self._past.fresh > self._kept_frames:
            self._thin()

    def gaps(self, symbol: str) -> pa.Table:
        """What is known by now to be missing of a symbol, schema GAPS; notes of silence too."""
        if symbol not in self._tables:
            timeline = self._past.timeline()
            losses = [
                loss
                for feed in self._feeds
                if feed[0] == symbol
                for loss in self._losses(feed, timeline)
            ]
            is_open = any(loss.end is None for loss in losses)
            (self._open.add if is_open else self._open.discard)(symbol)
            self._tables[symbol] = gaps_table(losses, self._place(symbol))
        return self._tables[symbol]

    def note_late(self, feed: Feed, times: Ints, known_ns: int) -> None:
        """Notes events, at least one, that came too late for their live row: int64[n], UTC ns."""
        notes, start, end = self._feeds[feed].late, int(times.min()), int(times.max())
        late = _Late(start, end, known_ns, len(times))
        if notes and start - notes[-1].end <= self._threshold_ns:
            last = notes.pop()
            count = last.count + late.count
            late = _Late(min(start, last.start), max(end, last.end), last.known, count)
        notes.append(late)
        self._tables.pop(feed[0], None)

    def finish(self, end_ns: int) -> None:
        """Tells that nothing more comes, and when the window ended if it was cut short."""
        self._window = Window(self._window.start_ns, min(self._window.end_ns, end_ns))
        self._tables.clear()

    def _has_chain(self, feed: Feed) -> bool:
        return feed[1] is Dataset.TRADES and self._scope.exchange.trade_ids_contiguous

    def _note_beats(self, alive: Sequence[Alive]) -> None:
        for symbol in {beat.symbol for beat in alive}:
            feed = symbol, Dataset.TRADES
            if feed in self._feeds and self._has_chain(feed):
                beats = [beat for beat in alive if beat.symbol == symbol]
                self._feeds[feed].ids.add(cast("Fills", nothing_of(Dataset.TRADES)), beats)

    @property
    def remembered(self) -> int:
        """Frames and events that are remembered one by one."""
        events = sum(len(part.frame) for mine in self._feeds.values() for part in mine.heard)
        return self._past.thinned + self._past.fresh + events

    def _note_book_losses(self, sight: Sight) -> None:
        for symbol, losses in sight.book_losses.items():
            if losses != self._book_losses.get(symbol, ()):
                self._book_losses[symbol] = losses
                self._tables.pop(symbol, None)

    def _note_changes(self, decoded: Decoded) -> None:
        if decoded.breaks or decoded.answers:
            self._tables.clear()
        for symbol in {symbol for symbol, _ in decoded.feeds} & self._open:
            self._tables.pop(symbol, None)

    def _losses(self, feed: Feed, timeline: Timeline) -> Iterator[Loss]:
        mine = self._feeds[feed]
        if feed[1] is Dataset.ORDERBOOKS:
            yield from losses_of_book(self._book_losses.get(feed[0], ()))
        yield from mine.ids.holes()
        coverage = self._coverage(feed, timeline)
        for loss in coverage.losses(self._window, self._threshold_ns, is_whole=False):
            # Between events that are past and thinned, nothing can be said of silences any more.
            if loss.cause != "silence" or loss.frame >= self._past.thinned:
                yield loss
        yield from mine.settled
        yield from (late.as_loss(feed[1]) for late in mine.late)
        if mine.bad:
            frames, times = (np.concatenate(each) for each in zip(*mine.bad, strict=True))
            yield from bad_time_notes(feed[1], frames, times, self._threshold_ns)

    def _coverage(self, feed: Feed, timeline: Timeline) -> Coverage:
        heard = self._feeds[feed].joined()
        return Coverage(self._scope, *feed, heard, timeline, self._asked, self._delays)

    def _place(self, symbol: str) -> Place:
        exchange = self._scope.exchange.name
        window_id = capture_id(exchange, self._scope.collector, self._window.start_ns)
        return Place(exchange, symbol, window_id, self._window)

    def _thin(self) -> None:
        """Forgets all frames and events that no loss can be measured by any more."""
        timeline = self._past.timeline()
        for feed, mine in self._feeds.items():
            coverage = self._coverage(feed, timeline)
            mine.settled += [
                loss
                for loss in coverage.silences(self._threshold_ns)
                if self._past.thinned <= loss.frame < len(timeline.times)
            ]
            mine.heard = [_thinned(mine.joined(), self._past.break_frames())]
        kept = [mine.joined().frame for mine in self._feeds.values()]
        place = self._past.thin(np.unique(np.concatenate(kept)))
        for mine in self._feeds.values():
            heard = mine.joined()
            mine.heard = [replace(heard, frame=np.searchsorted(place, heard.frame))]


def _thinned(heard: Heard, breaks: Ints) -> Heard:
    """The first event on each link from which it streams, those around breaks, and the last."""
    begins = np.flatnonzero(heard.begins >= 0)
    if not len(heard.frame):
        return heard
    firsts = begins[np.unique(heard.link[begins], return_index=True)[1]]
    before = np.searchsorted(heard.frame, breaks) - 1
    healing = np.searchsorted(heard.frame[begins], breaks)
    healed = begins[healing[healing < len(begins)]]
    wanted = np.concatenate([firsts, before[before >= 0], healed, [len(heard.frame) - 1]])
    kept = np.unique(wanted)
    return Heard(heard.frame[kept], heard.link[kept], heard.time[kept], heard.begins[kept])


class _Past:
    """The frames so far, renumbered whenever some are forgotten.

    Attributes:
        thinned: how many frames are left of those that were thinned; they are the first ones.
        fresh: frames since.
    """

    def __init__(self) -> None:
        self.thinned = 0
        self.fresh = 0
        self._shift = 0
        self._times, self._links_of, self._ours = [_NONE], [_NONE], [_NONE]
        self._timeline = Timeline()

    def add(self, decoded: Decoded, links: Sequence[Link]) -> int:
        """Takes in a stretch; returns what to take off its frames' numbers."""
        shift, past = self._shift, self._timeline
        known = len(past.links)
        past.links += [replace(k, opened_frame=k.opened_frame - shift) for k in links[known:]]
        past.breaks += [replace(b, frame=b.frame - shift) for b in decoded.breaks]
        past.answers += [replace(a, frame=a.frame - shift) for a in decoded.answers]
        self._times.append(decoded.times)
        self._links_of.append(decoded.links)
        self._ours.append(decoded.ours - shift)
        self.fresh += len(decoded.times)
        return shift

    def timeline(self) -> Timeline:
        """The frames so far, to be asked."""
        self._times = [np.concatenate(self._times)]
        self._links_of = [np.concatenate(self._links_of)]
        self._ours = [np.concatenate(self._ours)]
        past = self._timeline
        asked = Timeline(links=past.links, breaks=past.breaks, answers=past.answers)
        asked.add_frames(self._times[0], self._links_of[0], self._ours[0])
        return asked

    def break_frames(self) -> Ints:
        """Frames that tell of a break, in order."""
        return np.unique(ints([each.frame for each in self._timeline.breaks]))

    def thin(self, wanted: Ints) -> Ints:
        """Keeps the wanted frames and those that losses are measured by; returns which those are.

        A frame's new number is its place among them.
        """
        timeline = self.timeline()
        total = len(timeline.times)
        kept = np.unique(np.concatenate([wanted, self._measures(timeline), [total - 1]]))
        kept = kept[(kept >= 0) & (kept < total)]

        def moved(frame: int) -> int:
            return int(np.searchsorted(kept, frame))

        past = self._timeline
        past.links[:] = [replace(k, opened_frame=moved(k.opened_frame)) for k in past.links]
        past.breaks[:] = [replace(b, frame=moved(b.frame)) for b in past.breaks]
        past.answers[:] = [replace(a, frame=moved(a.frame)) for a in past.answers]
        self._times, self._links_of = [timeline.times[kept]], [timeline.link_of_frame[kept]]
        self._ours = [np.searchsorted(kept, np.intersect1d(timeline.ours, kept))]
        self._shift += total - len(kept)
        self.thinned, self.fresh = len(kept), 0
        return kept

    def _measures(self, timeline: Timeline) -> Ints:
        """Each break, answer and beginning of a link, and its neighbours on the links."""
        told = [each.frame for each in (*timeline.breaks, *timeline.answers)]
        told += [link.opened_frame for link in timeline.links]
        marks, near = np.unique(ints(told)), [ints(told)]
        for link in range(NO_LINK, len(timeline.links)):
            for frames in (timeline.frames_of(link), timeline.heard_on(link)):
                at = np.searchsorted(frames, marks)
                behind = np.searchsorted(frames, marks, "right")
                near += [frames[at[at > 0] - 1], frames[behind[behind < len(frames)]], frames[-1:]]
        return np.concatenate(near)
