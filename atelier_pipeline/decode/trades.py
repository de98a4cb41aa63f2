"""Trades and liquidations of a window: each trade once, in order, and the ids that are missing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from atelier_pipeline.decode.columns import Fills, Flags, Ints, taken
from atelier_pipeline.decode.links import Alive
from atelier_pipeline.decode.losses import Loss
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.window import Window


@dataclass(frozen=True, slots=True)
class WindowedFills:
    """The trades or liquidations of a window.

    Attributes:
        fills: in order of (ts_event, ts_recv, arrival).
        duplicates: trades of the window left out because their id had come before.
    """

    fills: Fills
    duplicates: int


def fills_within(fills: Fills, start_ns: int, end_ns: int) -> WindowedFills:
    """The fills whose own time lies in [start_ns, end_ns); of one id only the first received."""
    inside = taken(fills, (fills.ts_event >= start_ns) & (fills.ts_event < end_ns))
    first = first_of_each(inside.id)
    unique = taken(inside, first)
    return WindowedFills(taken(unique, in_order(unique)), len(inside) - len(first))


def in_order(fills: Fills) -> Ints:
    """Positions in order of (ts_event, ts_recv, arrival)."""
    return np.lexsort((fills.ts_recv, fills.ts_event))


def first_of_each(ids: NDArray[np.object_]) -> Ints:
    """Positions of the first of every id, in order; events without an id all count."""
    seen: set[str] = set()
    first: list[int] = []
    for position, value in enumerate(ids.tolist()):
        if value not in seen:
            first.append(position)
            if value:
                seen.add(value)
    return np.array(first, np.int64)


@dataclass(frozen=True, slots=True)
class IdChain:
    """The ids of a symbol's trades, ascending, each with where it was first seen.

    Attributes:
        id: int64[n].
        frame, ts_event, ts_recv: of the trade.
    """

    id: Ints
    frame: Ints
    ts_event: Ints
    ts_recv: Ints

    @classmethod
    def of(cls, fills: Fills) -> "IdChain":
        """The chain of trades whose ids grow by one; other ids are no part of it."""
        numbered = np.array([value.isdecimal() for value in fills.id.tolist()], np.bool_)
        trades = taken(fills, numbered)
        ids, first = np.unique(trades.id.astype(np.int64), return_index=True)
        return cls(ids, trades.frame[first], trades.ts_event[first], trades.ts_recv[first])

    def holes(self, alive: Sequence[Alive]) -> Iterator[Loss]:
        """Missing ids between trades, and between them and what heartbeats say there was.

        A trade that comes late, or as history after a reconnection, fills its hole.
        """
        for hole in np.flatnonzero(np.diff(self.id) > 1).tolist():
            behind = hole + 1
            yield _hole(
                before=int(self.id[hole]),
                after=int(self.id[behind]),
                start=int(self.ts_event[hole]),
                end=int(self.ts_event[behind]),
                frame=int(self.frame[behind]),
                known=int(self.ts_recv[behind]),
            )
        if alive:
            yield from self.untold(alive)

    def untold(self, alive: Sequence[Alive]) -> Iterator[Loss]:
        """Holes before the first trade and behind the last one; `alive` is not empty."""
        early = min(alive, key=lambda beat: beat.last_trade_id)
        late = max(alive, key=lambda beat: beat.last_trade_id)
        if len(self.id) and early.last_trade_id < self.id[0] - 1:
            yield _hole(
                before=early.last_trade_id,
                after=int(self.id[0]),
                start=early.ts_event,
                end=int(self.ts_event[0]),
                frame=int(self.frame[0]),
                known=int(self.ts_recv[0]),
            )
        last, since = early.last_trade_id, early.ts_event
        if len(self.id):
            last, since = int(self.id[-1]), int(self.ts_event[-1])
        if late.last_trade_id > last:
            hole = _hole(
                before=last,
                after=late.last_trade_id + 1,
                start=since,
                end=late.ts_event,
                frame=late.frame,
                known=late.ts_event,
            )
            # No trade behind the hole has been seen.
            yield replace(hole, after=None)

    def held_within(self, window: Window) -> int:
        """How many trades of the window follow, by id, directly on another one."""
        follows: Flags = np.append(False, np.diff(self.id) == 1)[: len(self.id)]
        inside = (self.ts_event >= window.start_ns) & (self.ts_event < window.end_ns)
        return int(np.count_nonzero(follows & inside))


def _hole(*, before: int, after: int, start: int, end: int, frame: int, known: int) -> Loss:
    """The loss of the ids between `before` and `after`."""
    return Loss(
        dataset=Dataset.TRADES,
        cause="trade_id",
        frame=frame,
        start=start,
        end=max(start, end),
        known=known,
        before=before,
        after=after,
        lost=after - before - 1,
    )
