"""A stretch of one book's messages, as flags and running values to judge them by.

Plain column arithmetic: which message starts anew, which follows on which, after which ones the
book is known as far as connections and snapshots tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from atelier_pipeline.decode.columns import BookMessages, Flags, Ints, messages_taken
from atelier_pipeline.decode.links import NO_LINK, Break

V = TypeVar("V", Ints, Flags)


@dataclass(frozen=True, slots=True)
class Carry:
    """What the last message of one book left to the next.

    Attributes:
        link, frame, update_id, ts_event, ts_recv, was_snapshot: its own; frame -1 = no message yet.
        time: book time, the newest `ts_event` so far.
        begun: its link has sent a snapshot.
        whole: the book is known.
        was_whole: it was known after the message, whatever came behind.
    """

    link: int = NO_LINK
    frame: int = -1
    update_id: int = -1
    ts_event: int = 0
    ts_recv: int = 0
    time: int = 0
    was_snapshot: bool = False
    begun: bool = False
    whole: bool = False
    was_whole: bool = False


def without_repeats(
    messages: BookMessages, carry: Carry, breaks: Sequence[Break], *, numbered: bool
) -> tuple[BookMessages, Ints]:
    """The messages that count, and the own times of those that don't.

    A message of a connection that another one has replaced for this book does not count, nor, where
    the feed is `numbered`, a snapshot that repeats the number of the snapshot just before it:
    Bybit sends an unchanged best level again every 3 s. Behind a break it does count: it heals.
    """
    newest = np.maximum.accumulate(np.maximum(messages.link, carry.link))
    current, replaced = _parted(messages, messages.link == newest)
    if not numbered:
        return current, replaced
    counted, repeated = _parted(current, ~_repeats(current, carry, breaks))
    return counted, np.concatenate([replaced, repeated])


def _parted(messages: BookMessages, keep: Flags) -> tuple[BookMessages, Ints]:
    """The messages to keep, and the own times of the others."""
    if keep.all():
        return messages, np.empty(0, np.int64)
    return messages_taken(messages, keep), messages.ts_event[~keep]


def _repeats(messages: BookMessages, carry: Carry, breaks: Sequence[Break]) -> Flags:
    columns = messages.columns
    repeats = (
        columns.is_snapshot
        & _shifted(columns.is_snapshot, carry.was_snapshot and carry.whole)
        & (columns.update_id == _shifted(columns.update_id, carry.update_id))
        & (messages.link == _shifted(messages.link, carry.link))
    )
    for position in _broken_positions(messages, carry, breaks):
        repeats[position : position + 1] = False
    return repeats


def _shifted(values: V, first: int) -> V:
    """Each element's predecessor; `first` is that of the first element."""
    shifted = np.empty_like(values)
    shifted[:1] = first
    shifted[1:] = values[:-1]
    return shifted


def _latest(flags: Flags) -> Ints:
    """At each position the last position up to it where the flag is set, -1 where none is."""
    return np.maximum.accumulate(np.where(flags, np.arange(len(flags)), -1))


@dataclass(slots=True)
class Stretch:
    """Messages under judgement; arrays of one length n.

    Attributes:
        time: book time after each message.
        previous_time, previous_id: book time and update id of the message before.
        snapshot: the message is the whole book.
        begun: its link has sent a snapshot.
        follows: the message before was of the same link.
        unbroken: it was, and no break lies between.
        whole: the book is known after the message. Judging takes this back where a loss shows.
        broken_at_end: a break came behind the last message.
    """

    messages: BookMessages
    time: Ints
    previous_time: Ints
    previous_id: Ints
    snapshot: Flags
    begun: Flags
    follows: Flags
    unbroken: Flags
    whole: Flags
    broken_at_end: bool

    @classmethod
    def of(cls, messages: BookMessages, carry: Carry, breaks: Sequence[Break]) -> "Stretch":
        """The stretch before any message is judged."""
        columns = messages.columns
        time = np.maximum.accumulate(np.maximum(messages.ts_event, carry.time))
        follows = messages.link == _shifted(messages.link, carry.link)
        snapshot = columns.is_snapshot
        down = np.append(~follows, False)
        for position in _broken_positions(messages, carry, breaks):
            down[position] = True
        return cls(
            messages=messages,
            time=time,
            previous_time=_shifted(time, carry.time),
            previous_id=_shifted(columns.update_id, carry.update_id),
            snapshot=snapshot,
            begun=_since_last(snapshot, ~follows, before=carry.begun),
            follows=follows,
            unbroken=~down[:-1],
            whole=_since_last(snapshot, down[:-1], before=carry.whole),
            broken_at_end=bool(down[-1]),
        )

    def heal_from(self, position: int) -> int:
        """Position of the first snapshot at or behind `position`; n where none comes."""
        later = np.flatnonzero(self.snapshot[position:])
        return position + int(later[0]) if len(later) else len(self.snapshot)

    def lose(self, position: int, heal: int) -> None:
        """Takes back that the book is known from `position` to before `heal`."""
        self.whole[position:heal] = False

    def carry(self, before: Carry) -> Carry:
        """What the stretch leaves to the next one."""
        if not len(self.whole):
            return replace(before, whole=before.whole and not self.broken_at_end)
        messages, columns = self.messages, self.messages.columns
        return Carry(
            link=int(messages.link[-1]),
            frame=int(messages.frame[-1]),
            update_id=int(columns.update_id[-1]),
            ts_event=int(messages.ts_event[-1]),
            ts_recv=int(messages.ts_recv[-1]),
            time=int(self.time[-1]),
            was_snapshot=bool(self.snapshot[-1]),
            begun=bool(self.begun[-1]),
            whole=bool(self.whole[-1]) and not self.broken_at_end,
            was_whole=bool(self.whole[-1]),
        )


def _since_last(up: Flags, down: Flags, *, before: bool) -> Flags:
    """Whether the last of both up to each position was `up`, which wins at the same position."""
    last_up, last_down = _latest(up), _latest(down)
    neither = np.maximum(last_up, last_down) < 0
    return np.where(neither, before, last_up >= last_down)


def _broken_positions(messages: BookMessages, carry: Carry, breaks: Sequence[Break]) -> list[int]:
    """Before which messages a break of the book's own link came; n = behind the last one."""
    positions: list[int] = []
    for each in breaks:
        position = int(np.searchsorted(messages.frame, each.frame))
        link = int(messages.link[position - 1]) if position else carry.link
        if link == each.link:
            positions.append(position)
    return positions


def chained(stretch: Stretch) -> tuple[Flags, Ints]:
    """By update id: which messages follow on the one before, and where a hole precedes one.

    Without a snapshot on its link a book has not begun, and there is nothing to lose.
    """
    ids = stretch.messages.columns.update_id
    delta = ~stretch.snapshot & stretch.begun & stretch.follows
    linked = delta & (ids == stretch.previous_id + 1)
    return linked, np.flatnonzero(delta & ~linked)
