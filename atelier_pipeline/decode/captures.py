"""The rows of `captures`: how each feed was captured in a window."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from atelier_pipeline.decode.columns import Ints
from atelier_pipeline.decode.decoder import Feed
from atelier_pipeline.decode.figures import Figures
from atelier_pipeline.decode.losses import ENDS_OF_LINKS, Loss, Place, table_of
from atelier_pipeline.decode.scope import Scope
from atelier_pipeline.decode.timeline import Timeline
from atelier_pipeline.lake.schemas import CAPTURES
from atelier_pipeline.market.datasets import Dataset

_BOOK_INTEGRITY = {
    "update_id": "sequence",
    "connection_sequence": "sequence",
    "checksum_top10": "checksum_top10",
    "none": "none",
}


@dataclass(frozen=True, slots=True)
class Session:
    """What all captures of one sealing have in common.

    Attributes:
        pieces: how many process starts the frames come from.
        is_whole: the frames are the whole truth of the window.
    """

    scope: Scope
    timeline: Timeline
    pieces: int
    is_whole: bool


def integrity_of(scope: Scope, dataset: Dataset) -> str:
    """What proves a feed whole: sequence, checksum_top10, trade_id or none."""
    if dataset is Dataset.ORDERBOOKS:
        return _BOOK_INTEGRITY[scope.exchange.book_integrity]
    if dataset is Dataset.TRADES and scope.exchange.trade_ids_contiguous:
        return "trade_id"
    return "none"


def captures_table(rows: Sequence[Mapping[str, object]]) -> pa.Table:
    """Rows as a table of schema CAPTURES; times are UTC ns."""
    return table_of(([row[name] for row in rows] for name in CAPTURES.names), CAPTURES)


def capture_row(
    session: Session, place: Place, dataset: Dataset, figures: Figures, losses: Sequence[Loss]
) -> dict[str, object]:
    """The row of one feed; `losses` are all of its losses."""
    timeline, window = session.timeline, place.window
    opened_at, closed_at = _span(session, place)
    first_update_id, last_update_id = figures.update_ids or (None, None)
    first_trade_id, last_trade_id = figures.trade_ids or (None, None)
    return {
        "exchange": place.exchange,
        "symbol": place.symbol,
        "dataset": dataset.value,
        "window_start": window.start_ns,
        "window_end": window.end_ns,
        "capture_id": place.capture_id,
        "source": session.scope.source,
        "pieces": session.pieces,
        "opened_at": opened_at,
        "closed_at": closed_at,
        "frames": len(figures.frames),
        "bytes": int(timeline.sizes[figures.frames].sum()),
        "events": figures.events,
        "rejected": _rejected(timeline, place),
        "duplicates": figures.duplicates,
        "inexact": _inexact(timeline, (place.symbol, dataset), figures.window_frames),
        "bad_times": figures.bad_times,
        "reconnects": _reconnects(losses, place),
        "integrity": integrity_of(session.scope, dataset),
        "clock_offset_ns": _quantile(figures.latencies, 0.0),
        "latency_p50_ns": _quantile(figures.latencies, 0.5),
        "latency_p99_ns": _quantile(figures.latencies, 0.99),
        "first_trade_id": first_trade_id,
        "last_trade_id": last_trade_id,
        "first_update_id": first_update_id,
        "last_update_id": last_update_id,
        "head_events": figures.head and figures.head.events,
        "head_hash": figures.head and figures.head.hash,
        "tail_events": figures.tail and figures.tail.events,
        "tail_hash": figures.tail and figures.tail.hash,
        "verified": _verified(session, place, dataset, figures),
    }


def _span(session: Session, place: Place) -> tuple[int | None, int | None]:
    """When the symbol's first connection was opened and its last one ended, UTC ns.

    Frames that are the whole truth of a window cover it, wherever they begin and end. A capture
    that ended as planned saw every feed's own time pass the window's end, whatever its clock said.
    """
    timeline, window = session.timeline, place.window
    links = timeline.of_symbol(place.symbol)
    if not links:
        return (window.start_ns, window.end_ns) if session.is_whole else (None, None)
    opened = int(timeline.times[links[0].opened_frame])
    ends = [each for link in links[-1:] for each in timeline.breaks_of(link.ordinal)]
    closed = int(timeline.times[timeline.frames_of(links[-1].ordinal)[-1]])
    if session.is_whole:
        return min(opened, window.start_ns), max(closed, window.end_ns)
    if ends and ends[-1].cause == "ended":
        closed = max(closed, window.end_ns)
    return opened, closed


def _rejected(timeline: Timeline, place: Place) -> int:
    """Undecodable frames of the symbol's connections, received in the window."""
    links = {link.ordinal for link in timeline.of_symbol(place.symbol)}
    return sum(
        each.cause == "decode_error" and each.link in links and each.ts in place.window
        for each in timeline.breaks
    )


def _reconnects(losses: Sequence[Loss], place: Place) -> int:
    """Breaks of connections in the window after which the feed streamed again."""
    return sum(
        loss.cause in ENDS_OF_LINKS
        and loss.end is not None
        and loss.within(place.window) is not None
        for loss in losses
    )


def _inexact(timeline: Timeline, feed: Feed, window_frames: Ints) -> int:
    frames = set(window_frames.tolist()) if timeline.inexact else set[int]()
    return sum(count for frame, told, count in timeline.inexact if told == feed and frame in frames)


def _verified(session: Session, place: Place, dataset: Dataset, figures: Figures) -> int:
    """Steps checked and held: the feed's own, or those of its numbered connections."""
    if (
        dataset is not Dataset.ORDERBOOKS
        or session.scope.exchange.book_integrity != "connection_sequence"
    ):
        return figures.verified
    timeline = session.timeline
    links = [link.ordinal for link in timeline.of_symbol(place.symbol)]
    times = timeline.times[timeline.held]
    inside = (times >= place.window.start_ns) & (times < place.window.end_ns)
    return int(np.count_nonzero(inside & np.isin(timeline.link_of_frame[timeline.held], links)))


def _quantile(values: Ints, share: float) -> int | None:
    """The smallest value that at least `share` of all do not exceed; None of none."""
    if not len(values):
        return None
    rank = max(int(np.ceil(share * len(values))) - 1, 0)
    return int(np.partition(values, rank)[rank])
