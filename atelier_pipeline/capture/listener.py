"""What a running capture must know of its frames: answers to subscriptions, and how far feeds are.

Nothing here is written to a file: files come from the journal alone.
"""

from collections.abc import Iterable

from atelier_pipeline.capture.frames import RECEIVED, Frame
from atelier_pipeline.errors import DecodeError
from atelier_pipeline.exchanges.contract import Acknowledged, Event, Refused
from atelier_pipeline.manifest import Collector
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.events import Liquidation, NormalizedDelta, TickerUpdate, Trade

NEWEST_NS = 60_000_000_000
"""An event that claims to be further ahead of its receipt has no usable time."""

_DATASETS_OF = {
    NormalizedDelta: (Dataset.ORDERBOOKS,),
    Trade: (Dataset.TRADES,),
    Liquidation: (Dataset.LIQUIDATIONS,),
    TickerUpdate: (Dataset.FUNDINGS, Dataset.OPEN_INTERESTS),
}


class Listener:
    """Follows the frames of a capture.

    Attributes:
        streaming: connections that have brought events.
    """

    def __init__(self, collector: Collector) -> None:
        self._answers: list[tuple[int, Acknowledged | Refused]] = []
        self.streaming: set[int] = set()
        self._decode = collector.exchange.decode
        feed_symbol = collector.exchange.feed_symbol
        self._newest = {
            (feed_symbol(symbol), dataset): 0
            for symbol, datasets in collector.datasets.items()
            for dataset in datasets
        }

    def listen(self, frames: Iterable[Frame]) -> None:
        """Take in the next frames."""
        for ts_recv, connection, kind, payload in frames:
            if kind in RECEIVED:
                for event in self._events(payload, ts_recv):
                    self._hear(event, connection, ts_recv)

    def take_answers(self) -> list[tuple[int, Acknowledged | Refused]]:
        """The (connection, answer) since the last call, in order."""
        taken, self._answers = self._answers, []
        return taken

    def has_passed(self, time_ns: int) -> bool:
        """Whether every feed's own time is at or after `time_ns`."""
        return min(self._newest.values()) >= time_ns

    def _events(self, payload: bytes, ts_recv: int) -> list[Event]:
        try:
            return self._decode(payload, ts_recv)
        except DecodeError:
            # The frame is in the journal; sealing records what it is.
            return []

    def _hear(self, event: Event, connection: int, ts_recv: int) -> None:
        if isinstance(event, (Acknowledged, Refused)):
            self._answers.append((connection, event))
        elif isinstance(event, (NormalizedDelta, Trade, Liquidation, TickerUpdate)):
            self.streaming.add(connection)
            self._advance(event, ts_recv)

    def _advance(
        self, event: NormalizedDelta | Trade | Liquidation | TickerUpdate, ts_recv: int
    ) -> None:
        if event.ts_event > ts_recv + NEWEST_NS:
            return
        for dataset in _DATASETS_OF[type(event)]:
            feed = event.symbol, dataset
            if feed in self._newest:
                self._newest[feed] = max(self._newest[feed], event.ts_event)
