"""Trades, liquidations, funding and open interest of one symbol, sealed into a window's raw tables.

A sealer takes its feed's events stretch by stretch, tells when all are in what it heard and what
its own numbers show to be missing, and gives the table once every loss is known.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

import numpy as np
import pyarrow as pa

from atelier_pipeline.decode.columns import (
    Arrivals,
    Fills,
    Flags,
    Fundings,
    Ints,
    OpenInterests,
    joined,
    taken,
)
from atelier_pipeline.decode.coverage import Heard
from atelier_pipeline.decode.figures import Figures, Finished, Known, latencies_of
from atelier_pipeline.decode.links import Alive
from atelier_pipeline.decode.losses import Loss
from atelier_pipeline.decode.seams import Seam, seam_of_fills
from atelier_pipeline.decode.tables import Named, liquidations_table, trades_table
from atelier_pipeline.decode.trades import IdChain, fills_within
from atelier_pipeline.market.window import Window

S = TypeVar("S", Fundings, OpenInterests)


def heard_of_fills(fills: Fills) -> Heard:
    """When fills arrived; history shows that the feed streams from its receipt on."""
    return _heard(fills, np.where(fills.history, fills.ts_recv, fills.ts_event))


def heard_of_states(states: Fundings | OpenInterests) -> Heard:
    """When states arrived; the feed streams from the first one on."""
    return _heard(states, states.ts_event)


def _heard(events: Arrivals, begins: Ints) -> Heard:
    time = np.maximum.accumulate(events.ts_event) if len(events) else events.ts_event
    return Heard(events.frame, events.link, time, begins)


def _bad_times(events: Arrivals) -> tuple[Ints, Ints]:
    return events.frame[events.bad_time], events.ts_event[events.bad_time]


class FillSealer:
    """Trades or liquidations.

    Args:
        nothing: fills, none.
        is_chained: the exchange's trade ids grow by one.
        has_ids: the fills are trades.
    """

    def __init__(
        self, named: Named, window: Window, nothing: Fills, *, has_ids: bool, is_chained: bool
    ) -> None:
        self._named = named
        self._window = window
        self._parts = [nothing]
        self._alive: list[Alive] = []
        self._has_ids = has_ids
        self._is_chained = is_chained

    def take(self, fills: Fills) -> None:
        """Takes in the fills of a stretch."""
        self._parts.append(fills)

    def take_beats(self, alive: Iterable[Alive]) -> None:
        """Takes in what heartbeats told of the symbol's trades."""
        self._alive.extend(alive)

    def arrivals(self) -> Fills:
        """Every fill taken in."""
        self._parts = [joined(self._parts)]
        return self._parts[0]

    def heard(self) -> Heard:
        """When fills arrived."""
        return heard_of_fills(self.arrivals())

    def own_losses(self) -> Iterator[Loss]:
        """What ids and heartbeats show to be missing."""
        if self._is_chained:
            yield from IdChain.of(self.arrivals()).holes(self._alive)

    def bad_times(self) -> tuple[Ints, Ints]:
        """Frames and times of the events without a usable exchange time."""
        return _bad_times(self.arrivals())

    def finish(self, known: Known) -> Finished:
        """The table and figures."""
        window, fills = self._window, self.arrivals()
        windowed = fills_within(fills, window.start_ns, window.end_ns)
        rows = windowed.fills
        table_of = trades_table if self._has_ids else liquidations_table
        figures = Figures(
            events=len(rows),
            duplicates=windowed.duplicates,
            bad_times=int(rows.bad_time.sum()),
            verified=IdChain.of(fills).held_within(window) if self._is_chained else 0,
            latencies=latencies_of(rows, slice(None)),
            frames=np.unique(fills.frame),
            window_frames=np.unique(rows.frame),
            trade_ids=self._first_and_last(rows),
            head=self._seam(window.start_ns) if known.has_head(window.start_ns) else None,
            tail=self._seam(window.end_ns) if known.has_tail(window.end_ns) else None,
        )
        return Finished(table_of(self._named, rows), figures)

    def _first_and_last(self, rows: Fills) -> tuple[str, str] | None:
        """By number where ids are numbers that grow, else by time."""
        if not self._has_ids or not len(rows):
            return None
        ids: list[str] = rows.id.tolist()
        if self._is_chained:
            ids.sort(key=lambda value: (len(value), value))
        return ids[0], ids[-1]

    def _seam(self, moment: int) -> Seam:
        return seam_of_fills(self.arrivals(), moment)


class StateSealer(Generic[S]):
    """Funding rates or open interest: the last one before the window opens it.

    Args:
        nothing: events, none.
        table_of: makes the raw table of events in order and of their `opening` flags.
        seam_of: hashes the state after events in order.
    """

    def __init__(
        self,
        window: Window,
        nothing: S,
        table_of: Callable[[S, Flags], pa.Table],
        seam_of: Callable[[S], Seam],
    ) -> None:
        self._window = window
        self._parts = [nothing]
        self._table_of = table_of
        self._seam_of = seam_of

    def take(self, events: S) -> None:
        """Takes in the events of a stretch."""
        self._parts.append(events)

    def arrivals(self) -> S:
        """Every event taken in."""
        self._parts = [joined(self._parts)]
        return self._parts[0]

    def heard(self) -> Heard:
        """When events arrived."""
        return heard_of_states(self.arrivals())

    def own_losses(self) -> Iterator[Loss]:
        """None: the feed carries no numbers."""
        yield from ()

    def bad_times(self) -> tuple[Ints, Ints]:
        """Frames and times of the events without a usable exchange time."""
        return _bad_times(self.arrivals())

    def finish(self, known: Known) -> Finished:
        """The table and figures."""
        window, events = self._window, self.arrivals()
        ordered = taken(events, np.lexsort((events.ts_recv, events.ts_event)))
        first, end = np.searchsorted(ordered.ts_event, [window.start_ns, window.end_ns]).tolist()
        opening = max(first - 1, 0)
        rows = taken(ordered, np.arange(opening, end))
        within = np.arange(opening, end) >= first
        figures = Figures(
            events=end - first,
            bad_times=int(rows.bad_time[within].sum()),
            latencies=latencies_of(rows, within),
            frames=np.unique(events.frame),
            window_frames=np.unique(rows.frame[within]),
            head=self._seam(ordered, first) if known.has_head(window.start_ns) else None,
            tail=self._seam(ordered, end) if known.has_tail(window.end_ns) else None,
        )
        return Finished(self._table_of(rows, ~within), figures)

    def _seam(self, ordered: S, end: int) -> Seam:
        return self._seam_of(taken(ordered, np.arange(end)))
