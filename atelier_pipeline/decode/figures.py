"""What one feed's capture in one window is described by, and what must be known to describe it."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from atelier_pipeline.decode.columns import Arrivals, Flags, Ints
from atelier_pipeline.decode.losses import Loss
from atelier_pipeline.decode.seams import SEAM_NS, Seam


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """A window's capture of one feed.

    Attributes:
        events: rows written, of books messages, without the opening state.
        duplicates: events of the window left out because they had come before.
        bad_times: events of the window without a usable exchange time.
        verified: numbers, ids or checksums of the window that were checked and held.
        latencies: int64[k], receipt minus event time of the window's live events, ns.
        frames: ordinals of all frames that held events of the feed, ascending.
        window_frames: of those, the ones that held events of the window.
        trade_ids, update_ids: first and last of the window; None = there is none.
        head, tail: the feed just before the window's start and its end; None = not known.
    """

    events: int
    duplicates: int = 0
    bad_times: int
    verified: int = 0
    latencies: Ints
    frames: Ints
    window_frames: Ints
    trade_ids: tuple[str, str] | None = None
    update_ids: tuple[int, int] | None = None
    head: Seam | None
    tail: Seam | None


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a feed when all frames are read.

    Attributes:
        losses: every loss of it, notes left out.
        streamed_from: receive time from which it streamed, None if it never did.
        reached_end: the capture ran until the window's end.
    """

    losses: Sequence[Loss]
    streamed_from: int | None
    reached_end: bool

    def has_head(self, moment: int) -> bool:
        """Whether the feed was whole for the two seconds before the window's start."""
        streamed = self.streamed_from is not None and self.streamed_from <= moment - SEAM_NS
        return streamed and self._is_clear(moment - SEAM_NS, moment)

    def has_tail(self, moment: int) -> bool:
        """Whether the feed was whole for the two seconds before the window's end."""
        streamed = self.streamed_from is not None and self.streamed_from <= moment - SEAM_NS
        return streamed and self.reached_end and self._is_clear(moment - SEAM_NS, moment)

    def _is_clear(self, start: int, end: int) -> bool:
        return not any(
            loss.start < end and (loss.end is None or loss.end > start) for loss in self.losses
        )


@dataclass(frozen=True, slots=True)
class Finished:
    """The raw table of a feed, and its figures."""

    table: pa.Table
    figures: Figures


def latencies_of(events: Arrivals, which: Flags | slice) -> Ints:
    """Receipt minus event time, ns, of the live ones among some events."""
    live = events.live[which]
    return (events.ts_recv[which] - events.ts_event[which])[live]
