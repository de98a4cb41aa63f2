"""The order book at the grid.

Messages stay in order of arrival. A message's time is the largest time of any message so far, and
likewise its receipt: both only grow, so that the messages before a tick are the first ones of all.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from atelier_pipeline.market.book import BookColumns, changes_of
from atelier_pipeline.market.book_kernel import Sides, empty_sides, with_room
from atelier_pipeline.synchronise.book_columns import joined_columns, later_columns
from atelier_pipeline.synchronise.feeds import (
    ALWAYS,
    NEVER,
    FeedTicks,
    Lateness,
    count_by_tick,
)
from atelier_pipeline.synchronise.grid import Grid, tick_after
from atelier_pipeline.synchronise.level_rows import LastMessages, level_rows
from atelier_pipeline.synchronise.losses import BookLosses, covered
from atelier_pipeline.synchronise.sampling import Cursor, Depths, Levels, sample
from atelier_pipeline.synchronise.saving import SavedBook, packed, unpacked
from atelier_pipeline.synchronise.settings import SyncSettings

_FIRST_CAPACITY = 1024


@dataclass(frozen=True, slots=True)
class BookTicks(FeedTicks):
    """The ticks of an order book.

    Attributes:
        counts: int64[2, count], levels kept of bids and asks, -1 where the book is not known.
        age_ns: int64[count], time since the last message.
    """

    counts: NDArray[np.int64]
    age_ns: NDArray[np.int64]

    @property
    def is_valid(self) -> NDArray[np.bool_]:
        """bool[count]: the book was known, whole and uncrossed."""
        return self.counts[0] >= 0


@dataclass(frozen=True, slots=True)
class _Messages:
    """Messages, their time and receipt (the largest so far), and which are no opening state."""

    columns: BookColumns
    time: NDArray[np.int64]
    recv: NDArray[np.int64]
    is_event: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Trail:
    """What is known after each of some messages: int64[messages], NEVER before the first one.

    `healed` is the receipt of the last snapshot, `ts_event` and `ts_recv` are the message's own.
    """

    time: NDArray[np.int64]
    recv: NDArray[np.int64]
    healed: NDArray[np.int64]
    ts_event: NDArray[np.int64]
    ts_recv: NDArray[np.int64]

    @classmethod
    def before_any(cls) -> "_Trail":
        nothing = np.array([NEVER])
        return cls(nothing, nothing, nothing, nothing, nothing)

    def then(self, messages: _Messages) -> "_Trail":
        healed = np.where(messages.columns.is_snapshot, messages.recv, NEVER)
        return _Trail(
            time=np.concatenate([self.time, messages.time]),
            recv=np.concatenate([self.recv, messages.recv]),
            healed=np.maximum.accumulate(np.concatenate([self.healed, healed])),
            ts_event=np.concatenate([self.ts_event, messages.columns.ts_event]),
            ts_recv=np.concatenate([self.ts_recv, messages.columns.ts_recv]),
        )

    def at(self, places: NDArray[np.int64]) -> "_Trail":
        return _Trail(
            time=self.time[places],
            recv=self.recv[places],
            healed=self.healed[places],
            ts_event=self.ts_event[places],
            ts_recv=self.ts_recv[places],
        )


class BookFeed:
    """One book, and the messages that no tick has had yet.

    `feed_depth` is the depth to which the feed itself keeps its book (None: the whole book).
    """

    def __init__(
        self, settings: SyncSettings, exchange: str, symbol: str, feed_depth: int | None
    ) -> None:
        self._settings = settings
        self._exchange, self._symbol = exchange, symbol
        self._depths = Depths(-1 if feed_depth is None else feed_depth, settings.depth)
        self._sides = empty_sides(_FIRST_CAPACITY)
        self._trail = _Trail.before_any()
        self._newest = (NEVER, NEVER)
        self._pending: list[_Messages] = []

    def times_of(self, columns: BookColumns) -> NDArray[np.int64]:
        """int64[messages]: the time of each message if they were fed now."""
        own_time = columns.ts_event if self._settings.clock == "event" else columns.ts_recv
        return np.maximum.accumulate(np.maximum(own_time, self._newest[0]))

    def feed(self, columns: BookColumns, opening: NDArray[np.bool_]) -> None:
        """Takes in messages in order of arrival; `opening` marks a state, which is no event."""
        if not len(opening):
            return
        time = self.times_of(columns)
        recv = np.maximum.accumulate(np.maximum(columns.ts_recv, self._newest[1]))
        self._newest = (int(time[-1]), int(recv[-1]))
        self._pending.append(_Messages(columns, time, recv, ~opening))

    def saved(self) -> SavedBook:
        """Its state."""
        pending = _joined(self._pending)
        return SavedBook(
            sides=tuple(packed(array) for array in self._sides),
            trail=tuple(packed(getattr(self._trail, part.name)) for part in fields(_Trail)),
            newest=self._newest,
            columns=tuple(packed(getattr(pending.columns, p.name)) for p in fields(BookColumns)),
            times=tuple(packed(array) for array in (pending.time, pending.recv, pending.is_event)),
        )

    def restore(self, saved: SavedBook) -> None:
        """Go on from a state."""
        self._sides = Sides(*(unpacked(array) for array in saved.sides))
        self._trail = _Trail(*(unpacked(array) for array in saved.trail))
        self._newest = saved.newest
        columns = BookColumns(*(unpacked(array) for array in saved.columns))
        self._pending = [_Messages(columns, *(unpacked(array) for array in saved.times))]

    def take(self, grid: Grid, lateness: Lateness, losses: BookLosses) -> BookTicks:
        """Gives the ticks their books and forgets the messages that these rest on."""
        pending = _joined(self._pending)
        trail = self._trail.then(pending)
        cuts = _cuts(pending, grid, lateness)
        at_tick = trail.at(cuts)
        levels = self._sample(pending.columns, cuts, _is_whole(trail, at_tick, grid, losses))
        self._forget(pending, trail, int(cuts[-1]) if grid.count else 0)
        moved, late = _moves(pending, grid, lateness, cuts)
        last = LastMessages(grid.stamps(), at_tick.ts_event, at_tick.ts_recv)
        return BookTicks(
            table=level_rows(levels, last, self._exchange, self._symbol),
            moved=moved,
            late=late,
            known_at=at_tick.recv,
            counts=levels.counts,
            age_ns=last.stamps - at_tick.time,
        )

    def _sample(
        self, columns: BookColumns, cuts: NDArray[np.int64], is_whole: NDArray[np.bool_]
    ) -> Levels:
        ticks = len(cuts)
        rows = 2 * self._depths.of_a_tick * ticks
        levels = Levels(
            price=np.empty(rows),
            size=np.empty(rows),
            counts=np.empty((2, ticks), np.int64),
        )
        changes, cursor = changes_of(columns), Cursor(*np.zeros((3, 1), np.int64))
        while not sample(self._sides, changes, self._depths, cuts, is_whole, cursor, levels):
            message = cursor.message[0]
            needed = changes.offsets[message + 1] - changes.offsets[message]
            self._sides = with_room(self._sides, int(needed))
        return levels

    def _forget(self, pending: _Messages, trail: _Trail, applied: int) -> None:
        self._trail = trail.at(np.array([applied]))
        self._pending = [
            _Messages(
                columns=later_columns(pending.columns, applied),
                time=pending.time[applied:],
                recv=pending.recv[applied:],
                is_event=pending.is_event[applied:],
            )
        ]


def _joined(runs: list[_Messages]) -> _Messages:
    if len(runs) == 1:
        return runs[0]
    none = np.zeros(0, np.int64)
    return _Messages(
        columns=joined_columns([run.columns for run in runs]),
        time=np.concatenate([none, *(run.time for run in runs)]),
        recv=np.concatenate([none, *(run.recv for run in runs)]),
        is_event=np.concatenate([none.astype(np.bool_), *(run.is_event for run in runs)]),
    )


def _cuts(pending: _Messages, grid: Grid, lateness: Lateness) -> NDArray[np.int64]:
    """int64[count]: how many of the messages each tick rests on."""
    stamps = grid.stamps()
    cuts = np.searchsorted(pending.time, stamps, "left")
    if lateness.included:
        return cuts
    return np.minimum(cuts, np.searchsorted(pending.recv, lateness.deadlines(stamps), "right"))


def _is_whole(trail: _Trail, at_tick: _Trail, grid: Grid, losses: BookLosses) -> NDArray[np.bool_]:
    """bool[count]: a snapshot has come, and none is missing after a loss.

    A loss ends the book from the moment it was noticed, or from the time of the first message
    received since if that is earlier, until the next snapshot.
    """
    noticed_by = np.searchsorted(trail.recv, losses.known_ns, "left")
    ended = np.minimum(losses.known_ns, np.append(trail.time, ALWAYS)[noticed_by])
    healed = np.where(
        losses.heals_at_once,
        np.searchsorted(at_tick.healed, losses.known_ns, "left"),
        np.searchsorted(at_tick.healed, losses.known_ns, "right"),
    )
    ended_at = np.searchsorted(grid.stamps(), ended, "right")
    return (at_tick.healed > NEVER) & ~covered(ended_at, healed, grid.count)


def _moves(
    pending: _Messages, grid: Grid, lateness: Lateness, cuts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Messages of each period, and how many late ones each tick's book rests on."""
    rows = grid.rows_of(pending.time)
    in_time = pending.recv <= lateness.deadlines(tick_after(pending.time, grid.period_ns))
    here = pending.is_event & (rows >= 0) & (rows < grid.count) & (lateness.included | in_time)
    came = np.searchsorted(pending.recv, lateness.deadlines(grid.stamps()), "right")
    events = np.concatenate([[0], np.cumsum(pending.is_event)])
    return count_by_tick(grid, rows[here]), events[cuts] - events[np.minimum(cuts, came)]
