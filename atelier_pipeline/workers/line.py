"""The live line of one capture: what its frames told, as batches for sinks.

A `DataLine` hands events on as they were received, a `MarketLine` puts them on the grid first. The
events are those that sealing the same frames gives: each trade once, none from before the start.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from atelier_pipeline.aggregate import aggregate
from atelier_pipeline.decode.columns import (
    Arrivals,
    BookMessages,
    Fills,
    Flags,
    Ints,
    messages_taken,
    taken,
)
from atelier_pipeline.decode.decoder import Feed
from atelier_pipeline.decode.ledger import LiveLedger
from atelier_pipeline.decode.live import LiveEvents, live_events, raw_rows
from atelier_pipeline.decode.watch import Sight
from atelier_pipeline.lake.schemas import GAPS
from atelier_pipeline.manifest import Collector
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.window import Window
from atelier_pipeline.pipeline import scope_of, sync_settings
from atelier_pipeline.synchronise import MarketSynchronizer, Synchronised
from atelier_pipeline.synchronise.grid import tick_after
from atelier_pipeline.workers.batches import (
    Batch,
    EventBatch,
    GapBatch,
    SnapshotBatch,
    event_topic,
    snapshot_topic,
)

NS_PER_SEC = 1_000_000_000
REMEMBERED_IDS = 200_000
"""Trade ids of one symbol by which a repeated trade is recognised."""


DRAINS_PER_DELAY = 4
LONGEST_PAUSE_NS = NS_PER_SEC
"""Rows are asked for four times in the emission delay, but at least each second: asking for ten of
them costs hardly more than for one."""


class Line:
    """What both lines have in common; to be used by one thread at a time.

    Attributes:
        events: taken in, by topic.
        snapshots: ticks handed on, by topic.
        late: events by topic that are in no row, because they came after the emission delay.
        gaps: once it has ended, the losses of each symbol, schema GAPS.
    """

    def __init__(
        self, collector: Collector, window: Window, publish: Callable[[Batch | GapBatch], None]
    ) -> None:
        self.events: Counter[str] = Counter()
        self.snapshots: Counter[str] = Counter()
        self.late: Counter[str] = Counter()
        self.gaps: dict[str, pa.Table] = {}
        self._exchange = collector.exchange.name
        self._collector = collector
        self._window = window
        self._publish = publish
        threshold_ns = round(collector.gap_threshold_secs * NS_PER_SEC)
        self._ledger = LiveLedger(scope_of(collector), window, threshold_ns)
        self._ids: dict[str, _Ids] = {symbol: _Ids() for symbol in collector.symbols}
        self._topics = event_topics(collector)
        self.events.update(dict.fromkeys(self._topics.values(), 0))

    def warm_up(self) -> None:
        """Compiles, or loads, what takes seconds the first time: no event should wait for it."""

    def take(self, sights: Iterable[tuple[Sight, int]]) -> None:
        """Takes in sights, at least one.

        All that was received before the time (UTC ns) beside the last one has been taken in then.
        """
        until_ns = 0
        for sight, received_ns in sights:
            until_ns = received_ns
            self._ledger.take(sight)
            for events in live_events(sight):
                admitted = self._admitted(events)
                if len(admitted.arrivals):
                    self.events[self._topics[events.feed]] += len(admitted.arrivals)
                    self._take_events(events.feed, admitted)
        self._move_on(until_ns)

    def finish(self, end_ns: int) -> None:
        """Hands on what was held back, and the losses; nothing is taken in after it."""
        self._ledger.finish(end_ns)
        self._end()
        for symbol in self._collector.symbols:
            self.gaps[symbol] = self._ledger.gaps(symbol)
            gaps = GapBatch(self._exchange, symbol, self._window.start_ns, self.gaps[symbol])
            self._publish(gaps)

    def _admitted(self, events: LiveEvents) -> "_Admitted":
        arrivals, early = events.arrivals, events.time < self._window.start_ns
        if not isinstance(arrivals, Fills):
            return _Admitted(arrivals, events.time, early)
        keep = ~early
        if events.feed[1] is Dataset.TRADES:
            keep &= self._ids[events.feed[0]].are_new(arrivals)
        fills = arrivals if keep.all() else taken(arrivals, keep)
        return _Admitted(fills, events.time[keep], np.zeros(len(fills), np.bool_))

    def _take_events(self, feed: Feed, events: "_Admitted") -> None:
        raise NotImplementedError

    def _move_on(self, received_ns: int) -> None:
        """Hands on what the time allows."""

    def _end(self) -> None:
        """Hands on the rest."""


class DataLine(Line):
    """Events as they were received."""

    def __init__(
        self, collector: Collector, window: Window, publish: Callable[[Batch | GapBatch], None]
    ) -> None:
        super().__init__(collector, window, publish)
        self._messages = dict.fromkeys(collector.symbols, 1)

    def _take_events(self, feed: Feed, events: "_Admitted") -> None:
        (symbol, dataset), arrivals, first = feed, events.arrivals, self._messages[feed[0]]
        # An event is an event here, whenever it happened.
        opening = np.zeros(len(arrivals), np.bool_)
        table = raw_rows(self._exchange, feed, arrivals, opening, first)
        if dataset is Dataset.ORDERBOOKS:
            self._messages[symbol] += len(arrivals)
        topic = self._topics[feed]
        self._publish(EventBatch(topic, self._exchange, symbol, dataset, table, len(arrivals)))


class MarketLine(Line):
    """Events on the grid: rows come out by the clock mode and the emission delay."""

    def __init__(
        self, collector: Collector, window: Window, publish: Callable[[Batch | GapBatch], None]
    ) -> None:
        """SettingsError where a symbol's driving feed is not captured."""
        super().__init__(collector, window, publish)
        self._engines = {symbol: self._engine(symbol) for symbol in collector.symbols}
        self._period_ns = collector.sync.period_ns
        delay_ns = sync_settings(collector, collector.symbols[0]).row_delay_ns
        self._pause_ns = min(delay_ns // DRAINS_PER_DELAY, LONGEST_PAUSE_NS)
        self._drained_ns = 0
        self._snapshot_topics = snapshot_topics(collector)
        self.snapshots.update(dict.fromkeys(self._snapshot_topics.values(), 0))

    def _engine(self, symbol: str, window: Window | None = None) -> MarketSynchronizer:
        return MarketSynchronizer(
            sync_settings(self._collector, symbol),
            exchange=self._exchange,
            symbol=symbol,
            datasets=self._collector.datasets[symbol],
            window=window,
            cut_depth=scope_of(self._collector).kept_depth_of(symbol),
        )

    def warm_up(self) -> None:
        """Takes one empty tick through the grid and the features."""
        symbol = self._collector.symbols[0]
        engine = self._engine(symbol, Window(0, self._period_ns))
        aggregate(engine.finalize(GAPS.empty_table()))

    def _admitted(self, events: LiveEvents) -> "_Admitted":
        """As in sealing: what happened at or after the window's end does not belong to it."""
        admitted = super()._admitted(events)
        inside = admitted.time < self._window.end_ns
        if inside.all():
            return admitted
        arrivals = admitted.arrivals
        if isinstance(arrivals, BookMessages):
            arrivals = messages_taken(arrivals, inside)
        else:
            arrivals = taken(arrivals, inside)
        return _Admitted(arrivals, admitted.time[inside], admitted.opening[inside])

    def _take_events(self, feed: Feed, events: "_Admitted") -> None:
        engine, arrivals = self._engines[feed[0]], events.arrivals
        if isinstance(arrivals, BookMessages):
            engine.feed_book(arrivals.columns, events.opening)
        else:
            engine.feed(feed[1], raw_rows(self._exchange, feed, arrivals, events.opening, 0))
        self._note_late(feed, events)

    def _note_late(self, feed: Feed, events: "_Admitted") -> None:
        if self._collector.sync.clock == "receive":
            return
        recv = events.arrivals.ts_recv
        deadline = tick_after(events.time, self._period_ns) + self._collector.sync.emission_delay_ns
        late = (recv > deadline) & ~events.opening
        if late.any():
            self._ledger.note_late(feed, events.time[late], int(recv[late].min()))
            self.late[self._topics[feed]] += int(late.sum())

    def _move_on(self, received_ns: int) -> None:
        if received_ns - self._drained_ns < self._pause_ns:
            return
        self._drained_ns = received_ns
        for symbol, engine in self._engines.items():
            self._hand_on(symbol, engine.drain(received_ns, self._ledger.gaps(symbol)))

    def _end(self) -> None:
        for symbol, engine in self._engines.items():
            self._hand_on(symbol, engine.finalize(self._ledger.gaps(symbol)))

    def _hand_on(self, symbol: str, rows: Synchronised) -> None:
        if rows.snapshots.num_rows:
            topic = self._snapshot_topics[symbol]
            self.snapshots[topic] += rows.snapshots.num_rows
            self._publish(SnapshotBatch(topic, self._exchange, symbol, rows))


class _Ids:
    """The newest trade ids of one symbol."""

    def __init__(self) -> None:
        self._seen: dict[str, None] = {}

    def are_new(self, trades: Fills) -> Flags:
        """Which trades have not come before; those without an id never have."""
        seen = self._seen
        keep = np.ones(len(trades), np.bool_)
        for place, name in enumerate(trades.id.tolist()):
            if name in seen:
                keep[place] = False
            elif name:
                seen[name] = None
        while len(seen) > REMEMBERED_IDS:
            del seen[next(iter(seen))]
        return keep


@dataclass(frozen=True, slots=True)
class _Admitted:
    """Events that count, their times, and which of them tell of a state before the start."""

    arrivals: Arrivals
    time: Ints
    opening: Flags


def event_topics(collector: Collector) -> Mapping[Feed, str]:
    """The topic of every feed of a collector."""
    name, depth = collector.exchange.name, collector.subscribed_depth
    return {
        (symbol, dataset): event_topic(name, dataset, depth, symbol)
        for symbol, datasets in collector.datasets.items()
        for dataset in Dataset
        if dataset in datasets
    }


def snapshot_topics(collector: Collector) -> Mapping[str, str]:
    """The topic of every symbol of a collector on the grid."""
    name, period_ns = collector.exchange.name, collector.sync.period_ns
    return {symbol: snapshot_topic(name, period_ns, symbol) for symbol in collector.symbols}
