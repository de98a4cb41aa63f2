"""When each feed was streaming, and what was lost where its connection was not whole.

The losses here are those that connections show: late starts, ends, holes in a connection's numbers,
dropped and undecodable frames, refusals. What a book's or a trade's own numbers show is found where
those are read.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from atelier_pipeline.decode.asked import Asked
from atelier_pipeline.decode.columns import Ints
from atelier_pipeline.decode.links import Answer, Break, Link, costs_books
from atelier_pipeline.decode.losses import CONNECTION, ENDS_OF_LINKS, SYMBOL, Loss
from atelier_pipeline.decode.scope import Scope
from atelier_pipeline.decode.timeline import Timeline
from atelier_pipeline.exchanges.contract import Acknowledged, Refused, Topic
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.window import Window

BATCHING_NS = 500_000_000
"""Longest that an exchange holds events back to send them together (Bybit's liquidations).

https://bybit-exchange.github.io/docs/v5/websocket/public/all-liquidation
"""

EVENTS = frozenset({Dataset.TRADES, Dataset.LIQUIDATIONS})
"""Feeds that stream once accepted, without anything to say; the others stream from a state on."""

Start: TypeAlias = tuple[int, int]
"""Frame and time from which a feed streams on a link."""


@dataclass(frozen=True, slots=True)
class Heard:
    """The events of a feed in order of arrival; arrays of one length.

    Attributes:
        frame, link: of each event.
        time: newest event time so far, UTC ns.
        begins: time from which the feed streams if the event is its first; -1 = it does not.
    """

    frame: Ints
    link: Ints
    time: Ints
    begins: Ints


def joined_heard(parts: Sequence[Heard]) -> Heard:
    """Consecutive ones, at least one, as one."""
    return Heard(
        frame=np.concatenate([part.frame for part in parts]),
        link=np.concatenate([part.link for part in parts]),
        time=np.maximum.accumulate(np.concatenate([part.time for part in parts])),
        begins=np.concatenate([part.begins for part in parts]),
    )


def feed_topics(scope: Scope, symbol: str, dataset: Dataset) -> frozenset[Topic]:
    """The topics under which the exchange accepts or refuses a feed."""
    requests = scope.exchange.subscribe([symbol], frozenset({dataset}), scope.depth_of(symbol))
    return frozenset(topic for request in requests for topic in request.topics if topic.symbol)


def note_least_delays(delays: dict[int, int], heard: Heard, ts_recv: Ints) -> None:
    """Keeps, by ordinal of a link, the least time that an event on it took to the local clock, ns.

    Below 0 that clock is behind the exchange's. All feeds are to be noted: one with few events may
    have heard nothing but late ones. `ts_recv`: of each event.
    """
    took = ts_recv - heard.time
    for link in np.unique(heard.link).tolist():
        least = int(took[heard.link == link].min())
        delays[link] = min(least, delays.get(link, least))


class Coverage:
    """When one feed streamed, and what its connections cost it.

    Attributes:
        starts: by ordinal of a link, where the feed began to stream on it.
    """

    def __init__(
        self,
        scope: Scope,
        symbol: str,
        dataset: Dataset,
        heard: Heard,
        timeline: Timeline,
        asked: Asked,
        delays: Mapping[int, int],
    ) -> None:
        self._scope = scope
        self._dataset = dataset
        self._heard = heard
        self._timeline = timeline
        self._asked = asked
        self._feed_symbol = scope.exchange.feed_symbol(symbol)
        self._topics = feed_topics(scope, symbol, dataset)
        self._links = timeline.of_symbol(symbol)
        self._delays = delays
        self.starts: dict[int, Start] = {}
        for link in self._links:
            start = min(self._starts_on(link), default=None)
            if start is not None:
                self.starts[link.ordinal] = start

    @property
    def first_start(self) -> Start | None:
        """Where the feed first streamed."""
        return min(self.starts.values(), default=None)

    def _starts_on(self, link: Link) -> Iterator[Start]:
        begins = np.flatnonzero((self._heard.link == link.ordinal) & (self._heard.begins >= 0))
        if len(begins):
            first = begins[0]
            yield int(self._heard.frame[first]), int(self._heard.begins[first])
        if self._dataset in EVENTS:
            for answer in self._timeline.answers:
                if answer.link == link.ordinal and self._is_accepted_by(answer.event, link):
                    # Clocks that are apart: what it accepts begins later by the exchange's own.
                    yield answer.frame, answer.ts - min(self._delays.get(link.ordinal, 0), 0)

    def _is_accepted_by(self, event: Acknowledged | Refused, link: Link) -> bool:
        """Whether it accepts this feed.

        An answer without topics accepts those of its request; where nobody knows the request, as in
        a recording, whatever was asked.
        """
        if not isinstance(event, Acknowledged):
            return False
        topics = event.topics or self._asked.topics(link, event.request_id)
        return not topics or not self._topics.isdisjoint(topics)

    def losses(self, window: Window, threshold_ns: int, *, is_whole: bool) -> Iterator[Loss]:
        """All of these losses; `is_whole`: where the frames begin late nothing is missing."""
        yield from self.connection_losses(threshold_ns)
        yield from self.silences(threshold_ns)
        cut_short = None if is_whole else self.cut_short(window)
        if cut_short is not None:
            yield cut_short
        rejections = list(self.rejections())
        late = None if is_whole else self.late_start(window)
        if late is not None and self.first_start is None and rejections:
            # It never streamed because it was refused: one loss, not two.
            rejections[0] = replace(rejections[0], start=min(rejections[0].start, late.start))
            late = None
        yield from rejections
        if late is not None:
            yield late

    def connection_losses(self, merge_ns: int) -> Iterator[Loss]:
        """What ends, holes, dropped and undecodable frames of its connections cost the feed.

        Undecodable frames that follow one another within `merge_ns` make one loss.
        """
        pending: list[Loss] = []
        for link in self._links:
            start = self.starts.get(link.ordinal)
            if start is None:
                continue
            yield from (replace(p, end=start[1]) for p in pending if start[0] >= p.frame)
            pending = []
            breaks = [b for b in self._timeline.breaks_of(link.ordinal) if b.frame > start[0]]
            for first, last, count in merged(breaks, merge_ns):
                if first.cause == "ended":
                    continue
                loss = self._cost(first, last, count, start)
                if loss.end is None:
                    pending.append(loss)
                else:
                    yield loss
        yield from pending

    def _loss(self, each: Break, start: Start, end: int | None) -> Loss:
        return Loss(
            dataset=self._dataset,
            cause=each.cause,
            scope=CONNECTION,
            frame=each.frame,
            start=self._last_good(each, start),
            end=end,
            known=each.ts,
            before=each.before,
            after=each.after,
            detail=each.detail,
        )

    def _last_good(self, each: Break, start: Start) -> int:
        """Up to when the feed was surely whole before a break."""
        delay = max(self._delays.get(each.link, 0), 0)
        heard = self._timeline.heard_before(each.link, each.frame) - delay - BATCHING_NS
        position = int(np.searchsorted(self._heard.frame, each.frame))
        own = int(self._heard.time[position - 1]) if position else 0
        return max(heard, own, start[1])

    def _cost(self, first: Break, last: Break, count: int, start: Start) -> Loss:
        """The loss that a break makes, or several; without an end where its link tells none."""
        if first.cause in ENDS_OF_LINKS:
            return self._loss(first, start, end=None)
        is_book = self._dataset is Dataset.ORDERBOOKS
        if first.cause == "decode_error":
            first = replace(first, detail=f"{count} frames, first: {first.detail}")
        if is_book and not costs_books(first, self._scope.exchange.book_integrity):
            return replace(self._loss(first, start, last.ts), start=first.ts, lost=0)
        if is_book:
            return self._loss(first, start, self._healed_from(last.frame))
        if first.cause in {"overflow", "oversize"}:
            behind = self._timeline.heard_behind(last.link, last.frame)
            return self._loss(first, start, behind)
        return self._loss(first, start, last.ts)

    def _healed_from(self, frame: int) -> int | None:
        heals = np.flatnonzero((self._heard.frame >= frame) & (self._heard.begins >= 0))
        return int(self._heard.begins[heals[0]]) if len(heals) else None

    def cut_short(self, window: Window) -> Loss | None:
        """What a capture that ended as planned may have missed before the window's end.

        The feed's own time had not come that far, and either the exchange's clock had not, or
        nothing was heard of the connection from then on: it may have been lost long before.
        """
        last = self._links[-1] if self._links else None
        start = self.starts.get(last.ordinal) if last else None
        if last is None or start is None:
            return None
        ends = [b for b in self._timeline.breaks_of(last.ordinal) if b.cause == "ended"]
        own = self._heard.time[self._heard.link == last.ordinal]
        if not ends or (len(own) and int(own[-1]) >= window.end_ns):
            return None
        delay, end = self._delays.get(last.ordinal, 0), ends[-1]
        if self._timeline.heard_before(last.ordinal, end.frame) - delay >= window.end_ns:
            return None
        cause, detail = "disconnect", "nothing was heard any more when the capture ended"
        if end.ts - delay < window.end_ns:
            cause, detail = "shutdown", "the exchange's clock had not come to the window's end"
        return self._loss(replace(end, cause=cause, detail=detail), start, end=None)

    def late_start(self, window: Window) -> Loss | None:
        """What was missed because the feed did not stream when the window began.

        A feed that came late but told of the time before is none the worse: that is a note.
        """
        t0, frames = window.start_ns, len(self._timeline.times)
        frame, time = self.first_start or (frames, None)
        came = int(self._timeline.times[frame]) if frame < frames else window.end_ns
        if came <= t0 and (time is None or time <= t0):
            return None
        in_time = time is not None and time <= t0
        return Loss(
            dataset=self._dataset,
            cause="late_start",
            scope=CONNECTION,
            frame=frame,
            start=t0,
            end=t0 if in_time else time,
            known=t0,
            lost=0 if in_time else None,
            detail="; ".join(self._timeline.failures(frame)),
        )

    def rejections(self) -> Iterator[Loss]:
        """What refusals cost the feed; a refusal while it streams is a note."""
        for link in self._links:
            refusals = [a for a in self._refusals_on(link) if a.link not in self.starts]
            notes = [a for a in self._refusals_on(link) if a.link in self.starts]
            if refusals:
                later = [start for start in self.starts.values() if start[0] > refusals[0].frame]
                yield self._rejection(refusals, min(later, default=(0, None))[1])
            for note in notes:
                yield replace(self._rejection([note], note.ts), lost=0)

    def _refusals_on(self, link: Link) -> list[Answer]:
        return [
            answer
            for answer in self._timeline.answers
            if answer.link == link.ordinal
            and isinstance(answer.event, Refused)
            and self._is_refused_by(answer.event, link)
        ]

    def _is_refused_by(self, refused: Refused, link: Link) -> bool:
        """Whether a refusal is of this feed; one of no known topic is of what never streamed."""
        if refused.topic is None:
            return link.ordinal not in self.starts
        return refused.topic in self._topics or refused.topic == Topic("", self._feed_symbol)

    def _rejection(self, refusals: Sequence[Answer], end: int | None) -> Loss:
        reasons = [a.event.reason for a in refusals if isinstance(a.event, Refused)]
        return Loss(
            dataset=self._dataset,
            cause="rejected",
            frame=refusals[0].frame,
            start=refusals[0].ts,
            end=end,
            known=refusals[0].ts,
            detail="; ".join(dict.fromkeys(reasons)),
        )

    def silences(self, threshold_ns: int) -> Iterator[Loss]:
        """Notes on stretches of a book without a message on one connection, above the threshold.

        Books alone: nobody promises trades, liquidations, or a change of funding. Times are those
        of receipt.
        """
        heard, timeline = self._heard, self._timeline
        if self._dataset is not Dataset.ORDERBOOKS or not len(heard.frame):
            return
        times = timeline.times[heard.frame]
        quiet = (np.diff(times) > threshold_ns) & (np.diff(heard.link) == 0)
        for index in np.flatnonzero(quiet).tolist():
            frames = int(heard.frame[index]), int(heard.frame[index + 1])
            yield self._silence(int(heard.link[index]), frames, int(times[index + 1]))
        link, last = int(heard.link[-1]), int(heard.frame[-1])
        until = timeline.heard_before(link, len(timeline.times))
        if until - int(times[-1]) > threshold_ns:
            yield self._silence(link, (last, len(timeline.times)), until)

    def _silence(self, link: int, frames: tuple[int, int], until: int) -> Loss:
        """The silence of a link, or of the symbol alone, between two frames."""
        return Loss(
            dataset=self._dataset,
            cause="silence",
            scope=CONNECTION if self._timeline.is_silent(link, *frames) else SYMBOL,
            frame=frames[1],
            start=int(self._timeline.times[frames[0]]),
            end=until,
            known=until,
            lost=0,
        )


def merged(breaks: Sequence[Break], within_ns: int) -> Iterator[tuple[Break, Break, int]]:
    """(first, last, count) of each break; undecodable frames close together make one."""
    run: list[Break] = []
    for each in breaks:
        is_error = each.cause == "decode_error"
        if run and (not is_error or each.ts - run[-1].ts > within_ns):
            yield run[0], run[-1], len(run)
            run = []
        if is_error:
            run.append(each)
        else:
            yield each, each, 1
    if run:
        yield run[0], run[-1], len(run)


def bad_time_notes(dataset: Dataset, frames: Ints, times: Ints, merge_ns: int) -> Iterator[Loss]:
    """Notes on events without a usable exchange time, given the frame and time of each.

    Those within `merge_ns` of one another make one note.
    """
    if not len(times):
        return
    ends = np.append(np.flatnonzero(np.diff(times) > merge_ns), len(times) - 1)
    first = 0
    for last in ends.tolist():
        yield Loss(
            dataset=dataset,
            cause="bad_time",
            frame=int(frames[first]),
            start=int(times[first]),
            end=int(times[last]),
            known=int(times[first]),
            lost=0,
            detail=f"{last - first + 1} events without a usable exchange time",
        )
        first = last + 1
