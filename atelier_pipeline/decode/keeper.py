"""One order book, kept as its exchange's rules want it, and judged message by message.

A book is whole from a snapshot on, until something shows a loss: a hole in the update ids, a
checksum that fails, bid and ask crossed for over a second, or a break of its connection. Messages
come in any stretches: every split gives the same judgement.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from atelier_pipeline.decode.columns import BookMessages, Flags, Floats, Ints, messages_between
from atelier_pipeline.decode.links import Break
from atelier_pipeline.decode.stretch import Carry, Stretch, chained, without_repeats
from atelier_pipeline.market.book import BookState, BookTrace

_Stop: TypeAlias = tuple[int, int, tuple[Floats, Floats]]
"""A stop, the position of the first message behind it, the bids and asks before it."""

CROSSED_NS = 1_000_000_000
"""A book that is crossed for longer than this has lost something."""


@dataclass(frozen=True, slots=True)
class BookLoss:
    """A loss that the book's own messages show.

    Attributes:
        cause: sequence, checksum or crossed.
        frame: ordinal of the frame that shows it.
        start, end: book times of the last good message and of the snapshot that heals; `end` is
            None while none has come.
        known: receive time of the message that shows it.
        before, after: update ids on both sides of a hole.
        lost: messages missing, None where not known.
    """

    cause: str
    frame: int
    start: int
    known: int
    end: int | None = None
    before: int | None = None
    after: int | None = None
    lost: int | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """The book messages that count, each with what is known of the book after it.

    Attributes:
        messages: without those that repeat a snapshot or come from a connection already replaced.
        time: int64[n], book time: the newest `ts_event` so far.
        whole: bool[n], the book is known after the message.
        held: bool[n], the message's number or checksum was checked, and held.
        repeats: int64[k], own times of the messages left out.
    """

    messages: BookMessages
    time: Ints
    whole: Flags
    held: Flags
    repeats: Ints


@dataclass(frozen=True, slots=True)
class BookAt:
    """The book after the last message before some book time.

    Attributes:
        bids, asks: float64[levels, 2] of price and size, best first.
        frame: ordinal of that message's frame, -1 where there was no message.
        ts_event, ts_recv, update_id: of that message; update_id -1 = none.
        whole: whether the book was known after it, whatever came behind.
    """

    bids: Floats
    asks: Floats
    frame: int
    ts_event: int
    ts_recv: int
    update_id: int
    whole: bool


class BookKeeper:
    """Keeps the book of one symbol.

    Args:
        depth: levels per side to which the book is cut after each message, None = never.
        integrity: the exchange's `book_integrity`.
        stops: book times, ascending, before which the book is wanted: see `before`.

    Attributes:
        losses: those found so far.
    """

    def __init__(self, depth: int | None, integrity: str, stops: Sequence[int] = ()) -> None:
        self.losses: list[BookLoss] = []
        self._numbered = integrity == "update_id"
        self._stops = list(stops)
        self._stopped: dict[int, BookAt] = {}
        self._state = BookState(depth)
        self._carry = Carry()
        self._unhealed: list[int] = []
        self._crossed_since: int | None = None
        self._crossed_recv = 0
        self._good_until = 0

    @property
    def whole(self) -> bool:
        """Whether the book is known after everything so far."""
        return self._carry.whole

    @property
    def begun(self) -> bool:
        """Whether its connection has sent a snapshot."""
        return self._carry.begun

    @property
    def link(self) -> int:
        """The link of the last message; NO_LINK before the first."""
        return self._carry.link

    def take(self, messages: BookMessages, breaks: Sequence[Break]) -> Judged:
        """Judges a stretch of messages, and applies them.

        `breaks` are those among the frames of the stretch that cost the books of their link.
        """
        kept, repeats = without_repeats(messages, self._carry, breaks, numbered=self._numbered)
        stretch = Stretch.of(kept, self._carry, breaks)
        self._heal(stretch)
        linked = self._judge_numbers(stretch)
        trace, stops = self._apply(stretch)
        matched = self._judge_books(stretch, trace)
        for stop, position, levels in stops:
            self._stopped[stop] = self._book_at(stretch, position, levels)
        self._carry = stretch.carry(self._carry)
        if stretch.broken_at_end:
            self._crossed_since = None
        held = (linked | matched) & stretch.whole
        return Judged(kept, stretch.time, stretch.whole, held, repeats)

    def finish(self, time: int, frame: int) -> None:
        """Judges what only time shows: a book that stays crossed until book time `time`.

        `frame` is the ordinal behind the last frame.
        """
        since = self._crossed_since
        if since is not None and self._carry.whole and time - since > CROSSED_NS:
            self._lose(BookLoss("crossed", frame, self._good_until, time))
            self._carry = replace(self._carry, whole=False)

    def before(self, stop: int) -> BookAt:
        """The book after the last message whose book time is before `stop`, one of the stops."""
        return self._stopped.get(stop) or self._carried(self._state.levels())

    def _heal(self, stretch: Stretch) -> None:
        """Ends the losses that a snapshot of this stretch heals."""
        heal = stretch.heal_from(0)
        if heal == len(stretch.time):
            return
        for index in self._unhealed:
            self.losses[index] = replace(self.losses[index], end=int(stretch.time[heal]))
        self._unhealed = []

    def _lose(self, loss: BookLoss) -> None:
        if loss.end is None:
            self._unhealed.append(len(self.losses))
        self.losses.append(loss)

    def _lose_at(self, stretch: Stretch, cause: str, position: int, heal: int, start: int) -> None:
        """A loss that the message at `position` shows and the snapshot at `heal` ends."""
        stretch.lose(position, heal)
        loss = BookLoss(
            cause=cause,
            frame=int(stretch.messages.frame[position]),
            start=start or int(stretch.time[position]),
            known=int(stretch.messages.ts_recv[position]),
            end=int(stretch.time[heal]) if heal < len(stretch.time) else None,
        )
        self._lose(loss)

    def _judge_numbers(self, stretch: Stretch) -> Flags:
        """Which messages follow on the one before by number; the others may be losses."""
        if not self._numbered:
            return np.zeros(len(stretch.time), np.bool_)
        ids = stretch.messages.columns.update_id
        linked, holes = chained(stretch)
        for hole in holes.tolist():
            before, after = int(stretch.previous_id[hole]), int(ids[hole])
            heal, start = stretch.heal_from(hole), int(stretch.previous_time[hole])
            self._lose_at(stretch, "sequence", hole, heal, start)
            lost = after - before - 1 if after > before else None
            numbers = {"before": before, "after": after, "lost": lost}
            self.losses[-1] = replace(self.losses[-1], **numbers)
        return linked

    def _judge_books(self, stretch: Stretch, trace: BookTrace) -> Flags:
        """Finds the losses that books themselves show, in order; a loss hides those behind it.

        Returns which messages leave a book with the checksum they carry. A book without levels has
        nothing to check.
        """
        has_levels = ~(np.isnan(trace.best_bid) & np.isnan(trace.best_ask))
        failed = (trace.checksum_ok == 0) & has_levels
        crossed = trace.best_bid >= trace.best_ask
        was_crossed = np.append(self._crossed_since is not None, crossed)[:-1]
        suspects = np.flatnonzero((failed | crossed | was_crossed) & stretch.whole | was_crossed)
        for position in suspects.tolist():
            if failed[position] and stretch.whole[position]:
                heal, start = stretch.heal_from(position + 1), stretch.previous_time[position]
                self._lose_at(stretch, "checksum", position, heal, int(start))
            self._judge_crossing(stretch, position, is_crossed=bool(crossed[position]))
        return (trace.checksum_ok == 1) & has_levels

    def _judge_crossing(self, stretch: Stretch, position: int, *, is_crossed: bool) -> None:
        """Whether the book had been crossed for too long before a message, and is crossed now."""
        if not stretch.unbroken[position]:
            self._crossed_since = None
        since, time = self._crossed_since, int(stretch.time[position])
        if since is not None and stretch.whole[position] and time - since > CROSSED_NS:
            self._lose_crossed(stretch, position)
            since = None
        if not is_crossed or not stretch.whole[position]:
            since = None
        elif since is None:
            since = time
            self._crossed_recv = int(stretch.messages.ts_recv[position])
            self._good_until = int(stretch.previous_time[position])
        self._crossed_since = since

    def _lose_crossed(self, stretch: Stretch, position: int) -> None:
        heal = stretch.heal_from(position)
        self._lose_at(stretch, "crossed", position, heal, self._good_until)
        if heal == position:
            # What heals the book can't be what showed that it was lost.
            self.losses[-1] = replace(self.losses[-1], known=self._crossed_recv)

    def _apply(self, stretch: Stretch) -> tuple[BookTrace, list[_Stop]]:
        """Applies the messages, and notes the levels wherever a stop is reached."""
        messages, n = stretch.messages, len(stretch.time)
        stops: list[_Stop] = []
        traces: list[BookTrace] = []
        start = 0
        while self._stops and n and stretch.time[-1] >= self._stops[0]:
            stop = self._stops.pop(0)
            position = int(np.searchsorted(stretch.time, stop))
            traces.append(self._state.apply(messages_between(messages, start, position).columns))
            stops.append((stop, position, self._state.levels()))
            start = position
        traces.append(self._state.apply(messages_between(messages, start, n).columns))
        return _joined(traces), stops

    def _book_at(self, stretch: Stretch, position: int, levels: tuple[Floats, Floats]) -> BookAt:
        """The book before the message at `position`."""
        if position == 0:
            return self._carried(levels)
        messages, last = stretch.messages, position - 1
        return BookAt(
            *levels,
            frame=int(messages.frame[last]),
            ts_event=int(messages.ts_event[last]),
            ts_recv=int(messages.ts_recv[last]),
            update_id=int(messages.columns.update_id[last]),
            whole=bool(stretch.whole[last]),
        )

    def _carried(self, levels: tuple[Floats, Floats]) -> BookAt:
        last = self._carry
        return BookAt(
            *levels,
            frame=last.frame,
            ts_event=last.ts_event,
            ts_recv=last.ts_recv,
            update_id=last.update_id,
            whole=last.was_whole,
        )


def _joined(traces: Sequence[BookTrace]) -> BookTrace:
    if len(traces) == 1:
        return traces[0]
    return BookTrace(
        np.concatenate([trace.best_bid for trace in traces]),
        np.concatenate([trace.best_ask for trace in traces]),
        np.concatenate([trace.checksum_ok for trace in traces]),
    )
