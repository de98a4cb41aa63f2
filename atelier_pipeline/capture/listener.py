"""What a running capture hears in its frames, from the same stages that sealing uses.

The frames are in the journal whatever is heard here. An error in decoding must not cost a capture,
which can't be made again: from then on the listener is deaf, and says so.
"""

from collections.abc import Sequence

from atelier_pipeline.capture.states import logger
from atelier_pipeline.decode.scope import Scope
from atelier_pipeline.decode.watch import Sight, Watch
from atelier_pipeline.lake.frame_batches import Frame, frames_batch
from atelier_pipeline.manifest import Collector

_NOTHING = Sight(answers=(), broken=(), undecodable=(), events={})


class Listener:
    """Follows the frames of a capture.

    Attributes:
        failure: why it is deaf; "" while it hears.
        events: events heard.
        undecodable: frames that were not as the exchange documents them.
    """

    def __init__(self, collector: Collector) -> None:
        self.failure = ""
        self.events = 0
        self.undecodable = 0
        self._seq = 0
        self._watch = Watch(
            Scope(
                exchange=collector.exchange,
                collector=collector.name,
                source=collector.source,
                datasets=collector.datasets,
                depth=collector.subscribed_depth,
            )
        )

    def warm_up(self) -> None:
        """Compile or load the kernels: seconds in which no frame should have to wait."""
        self._watch.warm_up()

    @property
    def streaming(self) -> set[int]:
        """The connections that have brought events."""
        return self._watch.streaming

    def listen(self, frames: Sequence[Frame]) -> Sight:
        """What the next frames told."""
        if self.failure or not frames:
            return _NOTHING
        first, self._seq = self._seq, self._seq + len(frames)
        try:
            sight = self._watch.look(frames_batch(frames, first))
        except Exception as error:  # noqa: BLE001 - whatever it is, the capture goes on
            logger.exception("frames are journaled, but nothing more is heard in them")
            self.failure = f"decoding failed while capturing: {error}"
            return _NOTHING
        self.events += sum(sight.events.values())
        self.undecodable += len(sight.undecodable)
        for _, reason in sight.undecodable:
            logger.warning("frame not as documented: %s", reason)
        return sight

    def finish(self, end_ns: int) -> Sight:
        """What only time shows, when no frame comes any more and the window ends at `end_ns`."""
        return _NOTHING if self.failure else self._watch.finish(end_ns)

    def has_passed(self, time_ns: int) -> bool:
        """Whether every feed's own time is at or after `time_ns`."""
        return self._watch.has_passed(time_ns)

    def is_whole(self, symbol: str) -> bool:
        """Whether the book of `symbol` is known; True where nobody can tell."""
        return bool(self.failure) or self._watch.whole(symbol)
