"""Sealing: the frames of a window become raw tables, gaps and captures. Pure.

The same frames give the same tables: in one batch or many, from one process or several, now or a
year later.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from atelier_pipeline.decode.asked import Asked
from atelier_pipeline.decode.captures import Session, capture_row, captures_table
from atelier_pipeline.decode.coverage import Coverage, bad_time_notes, note_least_delays
from atelier_pipeline.decode.decoder import Feed
from atelier_pipeline.decode.figures import Finished, Known
from atelier_pipeline.decode.losses import Loss, Place, gaps_table
from atelier_pipeline.decode.reading import Reading, Sealer
from atelier_pipeline.decode.scope import Scope, capture_id
from atelier_pipeline.exchanges.contract import Refused
from atelier_pipeline.lake.journal import Damage
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.window import Window

GAP_THRESHOLD_SECS = 5.0
_NS_PER_SEC = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Summary:
    """A sealing in a few numbers.

    Attributes:
        frames, bytes: of all frames read, ours included.
        connections: how many were made.
        events: raw rows, of books messages, by dataset; opening states are not counted.
        verified: book messages (Coinbase: frames) whose number or checksum was checked and held.
        losses: rows of gaps by cause, notes left out.
        refusals: what the exchange refused, each reason once.
    """

    frames: int
    bytes: int
    connections: int
    events: Mapping[Dataset, int]
    verified: int
    losses: Mapping[str, int]
    refusals: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sealed:
    """What the frames of a window hold, for every symbol and dataset of the scope.

    Attributes:
        tables: raw tables by (symbol, dataset), schemas RAW.
        gaps, captures: by symbol, schemas GAPS and CAPTURES.
    """

    tables: dict[Feed, pa.Table]
    gaps: dict[str, pa.Table]
    captures: dict[str, pa.Table]
    summary: Summary


def seal(
    frames: Iterable[pa.RecordBatch],
    scope: Scope,
    window: Window,
    *,
    pieces: int = 1,
    damage: Sequence[Damage] = (),
    whole: bool = False,
    gap_threshold_secs: float = GAP_THRESHOLD_SECS,
) -> Sealed:
    """Raw tables, gaps and captures from the frames of a window.

    Args:
        frames: schema FRAMES, in order of arrival, with those of the lead and the linger.
        scope: the feeds that were captured.
        window: the rows that are wanted.
        pieces: how many process starts the frames come from.
        damage: where the journal is torn.
        whole: the frames are a recording and the whole truth: where it begins late or ends early
            nothing is missing.
        gap_threshold_secs: silences of books longer than this are noted.
    """
    reading = Reading(scope, window, damage)
    for batch in frames:
        reading.read(batch)
    timeline = reading.finish(is_whole=whole)
    threshold_ns = round(gap_threshold_secs * _NS_PER_SEC)
    sealing = _Sealing(Session(scope, timeline, pieces, whole), window, threshold_ns)
    return sealing.sealed(reading.sealers)


class _Sealing:
    """Puts together what every feed has to say."""

    def __init__(self, session: Session, window: Window, threshold_ns: int) -> None:
        self._session = session
        self._scope = session.scope
        self._timeline = session.timeline
        self._asked = Asked(session.scope)
        self._delays: dict[int, int] = {}
        self._window = window
        self._threshold_ns = threshold_ns

    def sealed(self, sealers: Mapping[Feed, Sealer]) -> Sealed:
        for heard in (sealer.heard() for sealer in sealers.values()):
            note_least_delays(self._delays, heard, self._timeline.times[heard.frame])
        tables: dict[Feed, pa.Table] = {}
        gaps: dict[str, pa.Table] = {}
        captures: dict[str, pa.Table] = {}
        for symbol in sorted(self._scope.datasets):
            place = self._place(symbol)
            losses: list[Loss] = []
            rows: list[Mapping[str, object]] = []
            for (of, dataset), sealer in sealers.items():
                if of == symbol:
                    mine, finished = self._finish(symbol, dataset, sealer)
                    tables[symbol, dataset] = finished.table
                    figures = finished.figures
                    rows.append(capture_row(self._session, place, dataset, figures, mine))
                    losses += mine
            gaps[symbol] = gaps_table(losses, place)
            captures[symbol] = captures_table(rows)
        return Sealed(tables, gaps, captures, self._summary(gaps, captures))

    def _place(self, symbol: str) -> Place:
        exchange = self._scope.exchange.name
        window_id = capture_id(exchange, self._scope.collector, self._window.start_ns)
        return Place(exchange, symbol, window_id, self._window)

    def _finish(self, symbol: str, dataset: Dataset, sealer: Sealer) -> tuple[list[Loss], Finished]:
        """Every loss of a feed, notes included, and what else is to be said of it."""
        heard, timeline = sealer.heard(), self._timeline
        coverage = Coverage(
            self._scope, symbol, dataset, heard, timeline, self._asked, self._delays
        )
        losses = [
            *sealer.own_losses(),
            *coverage.losses(self._window, self._threshold_ns, is_whole=self._session.is_whole),
        ]
        frames, times = sealer.bad_times()
        losses += bad_time_notes(dataset, frames, times, self._threshold_ns)
        start = coverage.first_start
        known = Known(
            losses=[loss for loss in losses if not loss.is_note],
            streamed_from=None if start is None else int(self._timeline.times[start[0]]),
            reached_end=self._reached_end(symbol) and coverage.cut_short(self._window) is None,
        )
        return losses, sealer.finish(known)

    def _reached_end(self, symbol: str) -> bool:
        """Whether frames go beyond the window's end, or the capture ended as planned."""
        links = self._timeline.of_symbol(symbol)
        ends = [
            each.cause for link in links[-1:] for each in self._timeline.breaks_of(link.ordinal)
        ]
        return self._timeline.end >= self._window.end_ns or ends[-1:] == ["ended"]

    def _summary(self, gaps: Mapping[str, pa.Table], captures: Mapping[str, pa.Table]) -> Summary:
        timeline = self._timeline
        events: Counter[Dataset] = Counter()
        verified = 0
        for row in _rows(captures, "dataset", "events", "verified"):
            events[Dataset(row["dataset"])] += row["events"]
            verified += row["verified"] if row["dataset"] == Dataset.ORDERBOOKS else 0
        if self._scope.exchange.book_integrity == "connection_sequence":
            # Each symbol counts the steps of its whole connection.
            verified = len(timeline.held)
        losses = Counter(row["cause"] for row in _rows(gaps, "cause", "lost") if row["lost"] != 0)
        refusals = (a.event.reason for a in timeline.answers if isinstance(a.event, Refused))
        return Summary(
            frames=len(timeline.times),
            bytes=int(timeline.sizes.sum()),
            connections=len(timeline.links),
            events=dict(events),
            verified=verified,
            losses=dict(losses),
            refusals=tuple(dict.fromkeys(refusals)),
        )


def _rows(tables: Mapping[str, pa.Table], *columns: str) -> Iterator[dict[str, Any]]:
    """Some columns of the rows of several tables."""
    for table in tables.values():
        yield from table.select(columns).to_pylist()
