"""The trade ids of a symbol in little memory: runs without a hole, and the ends of each."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from atelier_pipeline.decode.columns import Fills
from atelier_pipeline.decode.links import Alive
from atelier_pipeline.decode.losses import Loss
from atelier_pipeline.decode.trades import IdChain


class _Seen(NamedTuple):
    """A trade, where it was first seen."""

    id: int
    frame: int
    ts_event: int
    ts_recv: int


@dataclass(slots=True)
class _Run:
    """Ids that follow one another without a hole."""

    first: _Seen
    last: _Seen


@dataclass(slots=True)
class IdRuns:
    """What an IdChain of the same trades knows of holes, stretch by stretch."""

    runs: list[_Run] = field(default_factory=list[_Run])
    alive: tuple[Alive, ...] = ()

    def add(self, fills: Fills, alive: Iterable[Alive]) -> None:
        """Takes in trades, and what heartbeats said of them."""
        beats = sorted((*self.alive, *alive), key=lambda beat: beat.last_trade_id)
        # Only the least and the greatest id, each where it was first told, can show a hole.
        greatest = [b for b in beats if b.last_trade_id == beats[-1].last_trade_id][:1]
        self.alive = tuple(dict.fromkeys([*beats[:1], *greatest]))
        chain = IdChain.of(fills)
        columns = (chain.id, chain.frame, chain.ts_event, chain.ts_recv)
        starts = np.flatnonzero(np.diff(chain.id) != 1) + 1
        edges = [0, *starts.tolist(), len(chain.id)]
        for start, end in pairwise(edges):
            if start < end:
                rows = zip(*(column[start:end].tolist() for column in columns), strict=True)
                self._add_run([_Seen(*row) for row in rows])

    def holes(self) -> Iterator[Loss]:
        """Missing ids between trades, and between them and what heartbeats say there was."""
        for before, after in pairwise(self.runs):
            yield from _chain([before.last, after.first]).holes(())
        if self.alive:
            ends = [self.runs[0].first, self.runs[-1].last] if self.runs else []
            yield from _chain(ends).untold(self.alive)

    def _add_run(self, trades: Sequence[_Seen]) -> None:
        last = self.runs[-1].last.id if self.runs else None
        if last is None or trades[0].id > last + 1:
            self.runs.append(_Run(trades[0], trades[-1]))
        elif trades[0].id == last + 1:
            self.runs[-1].last = trades[-1]
        else:
            for trade in trades:
                self._add_one(trade)

    def _add_one(self, trade: _Seen) -> None:
        """A trade that is a repetition, or fills a part of a hole."""
        place = bisect_right(self.runs, trade.id, key=lambda run: run.first.id)
        before = self.runs[place - 1] if place else None
        after = self.runs[place] if place < len(self.runs) else None
        if before is not None and trade.id <= before.last.id:
            return
        added = _Run(trade, trade)
        if before is not None and before.last.id == trade.id - 1:
            self.runs.remove(before)
            added.first = before.first
        if after is not None and after.first.id == trade.id + 1:
            self.runs.remove(after)
            added.last = after.last
        self.runs.insert(bisect_right(self.runs, trade.id, key=lambda run: run.first.id), added)


def _chain(trades: Sequence[_Seen]) -> IdChain:
    columns = np.array(trades, np.int64).reshape(-1, len(_Seen._fields))
    return IdChain(*columns.T)
