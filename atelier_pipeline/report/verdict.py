"""The verdict on a day: available, degraded, pending or missing, for each feed, with the reasons.

The same facts give the same verdict. Nothing here knows a file or a page.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.window import Window
from atelier_pipeline.report.facts import DayFacts, FailedRule, Feed, Loss
from atelier_pipeline.report.seams import Seam, seams_of
from atelier_pipeline.report.words import at_windows, seconds
from atelier_pipeline.validate.rule import Limits

SEALED_WITHIN_NS = 10 * 60 * 1_000_000_000
"""So long after its end a window without files may still be in the making."""
FIGURES = ("events", "reconnects", "duplicates")
MIN_VALID_SHARE = Limits().min_valid_share


class Verdict(StrEnum):
    """What can be said of a feed, in a window or in the whole day.

    `available`: captured without a known loss, derived, and no blocking rule failed. `degraded`:
    something is there, and something is wrong with it. `pending`: not over yet. `missing`: nothing
    was captured.
    """

    AVAILABLE = "available"
    DEGRADED = "degraded"
    PENDING = "pending"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Cell:
    """One feed in one window; `coverage` is the share of the window outside losses, 0 to 1."""

    window: Window
    verdict: Verdict
    coverage: float
    losses: tuple[Loss, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedVerdict:
    """One feed's day.

    Attributes:
        coverage: share of the windows that are over outside losses, 0 to 1; None of none.
        book_valid: share of ticks with a valid book; None for other datasets, and without ticks.
        figures: events, reconnects and duplicates of the day.
        latency_p99_ns: the worst window's; None where none is known.
        reasons: why it is not available, in words.
        notes: what to know besides.
    """

    feed: Feed
    verdict: Verdict
    coverage: float | None
    book_valid: float | None
    figures: Mapping[str, int]
    latency_p99_ns: int | None
    cells: tuple[Cell, ...]
    seams: tuple[Seam, ...]
    reasons: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DayVerdict:
    """One collector's day: the verdict on all of its feeds, and on each."""

    facts: DayFacts
    verdict: Verdict
    coverage: float | None
    feeds: tuple[FeedVerdict, ...]

    @property
    def counts(self) -> dict[Verdict, int]:
        """How many feeds have each verdict."""
        counts = Counter(feed.verdict for feed in self.feeds)
        return {verdict: counts[verdict] for verdict in Verdict}

    @property
    def seams(self) -> list[Seam]:
        """The seams of all feeds."""
        return [seam for feed in self.feeds for seam in feed.seams]


def judge(facts: DayFacts) -> DayVerdict:
    """The verdict on what is known of a day."""
    seams = seams_of(facts)
    feeds = tuple(_feed(facts, feed, seams[feed]) for feed in facts.feeds)
    known = [feed.coverage for feed in feeds if feed.coverage is not None]
    return DayVerdict(
        facts=facts,
        verdict=_whole([feed.verdict for feed in feeds]),
        coverage=sum(known) / len(known) if known else None,
        feeds=feeds,
    )


def _feed(facts: DayFacts, feed: Feed, seams: tuple[Seam, ...]) -> FeedVerdict:
    cells = tuple(_cell(facts, feed, window) for window in facts.windows)
    over = [cell.coverage for cell in cells if cell.verdict is not Verdict.PENDING]
    rows = [row for cell in cells if (row := facts.captures.get((feed, cell.window.start_ns)))]
    latencies = [row["latency_p99_ns"] for row in rows if row["latency_p99_ns"] is not None]
    disputed = [seam for seam in seams if seam.is_disputed]
    verdict = _whole([cell.verdict for cell in cells])
    return FeedVerdict(
        feed=feed,
        verdict=Verdict.DEGRADED if disputed and verdict is Verdict.AVAILABLE else verdict,
        coverage=sum(over) / len(over) if over else None,
        book_valid=_book_valid(facts, feed),
        figures=_figures(rows),
        latency_p99_ns=max(latencies, default=None),
        cells=cells,
        seams=seams,
        reasons=tuple(_reasons(cells, disputed)),
        notes=tuple(_notes(facts, feed, seams)),
    )


def _whole(parts: Sequence[Verdict]) -> Verdict:
    """Of all parts: pending until all are over, missing and available where every part is."""
    if Verdict.PENDING in parts:
        return Verdict.PENDING
    if set(parts) == {Verdict.MISSING}:
        return Verdict.MISSING
    return Verdict.AVAILABLE if set(parts) == {Verdict.AVAILABLE} else Verdict.DEGRADED


def _cell(facts: DayFacts, feed: Feed, window: Window) -> Cell:
    key = feed, window.start_ns
    is_settled = window.end_ns + SEALED_WITHIN_NS <= facts.now_ns
    if key not in facts.captures:
        return Cell(window, Verdict.MISSING if is_settled else Verdict.PENDING, 0.0)
    losses = facts.losses.get(key, ())
    coverage = 1.0 - _lost_ns(losses, window) / (window.end_ns - window.start_ns)
    problems = tuple(_problems(facts, feed, window, is_settled=is_settled))
    if coverage <= 0.0:
        return Cell(window, Verdict.MISSING, 0.0, losses, problems)
    verdict = Verdict.DEGRADED if losses or problems else Verdict.AVAILABLE
    return Cell(window, verdict, coverage, losses, problems)


def _lost_ns(losses: Iterable[Loss], window: Window) -> int:
    """How much of the window losses cover, where they overlap once."""
    total, reached_ns = 0, window.start_ns
    for loss in sorted(losses, key=lambda each: each.start_ns):
        start_ns, end_ns = max(loss.start_ns, reached_ns), min(loss.end_ns, window.end_ns)
        total += max(end_ns - start_ns, 0)
        reached_ns = max(reached_ns, end_ns)
    return total


def _problems(facts: DayFacts, feed: Feed, window: Window, *, is_settled: bool) -> Iterator[str]:
    for rule in _failed(facts, feed, blocking=True):
        if rule.t0_ns == window.start_ns:
            yield f"rule {rule.stage}/{rule.rule} failed"
    if is_settled and (feed.symbol, window.start_ns) not in facts.derived:
        yield "no aggregates"


def _failed(facts: DayFacts, feed: Feed, *, blocking: bool) -> list[FailedRule]:
    """Rules about the feed; a warning of a whole stage is told once, with the day."""
    about = {None, feed.dataset} if blocking else {feed.dataset}
    return [r for r in facts.failed if r.blocking is blocking and r.dataset in about]


def _reasons(cells: Sequence[Cell], disputed: Sequence[Seam]) -> Iterator[str]:
    missing = [cell for cell in cells if cell.verdict is Verdict.MISSING]
    if missing:
        causes = dict.fromkeys(loss.cause for cell in missing for loss in cell.losses)
        why = f": {', '.join(causes)}" if causes else ""
        yield f"not captured {at_windows([cell.window for cell in missing])}{why}"
    present = [cell for cell in cells if cell.verdict is not Verdict.MISSING]
    losses = [loss for cell in present for loss in cell.losses]
    for cause, count in Counter(loss.cause for loss in losses).most_common():
        lost_ns = sum(loss.end_ns - loss.start_ns for loss in losses if loss.cause == cause)
        yield f"{count} {cause} ({seconds(lost_ns)})"
    for problem in dict.fromkeys(p for cell in cells for p in cell.problems):
        yield f"{problem} {at_windows([c.window for c in cells if problem in c.problems])}"
    if disputed:
        yield f"seams at which the captures differ: {len(disputed)}"


def _notes(facts: DayFacts, feed: Feed, seams: Sequence[Seam]) -> Iterator[str]:
    share = _book_valid(facts, feed)
    if share is not None and share < MIN_VALID_SHARE:
        yield f"the book is valid at {share:.2%} of ticks"
    by_start = {window.start_ns: window for window in facts.windows}
    warned = _failed(facts, feed, blocking=False)
    for name in dict.fromkeys(f"{rule.stage}/{rule.rule}" for rule in warned):
        starts = [rule.t0_ns for rule in warned if f"{rule.stage}/{rule.rule}" == name]
        yield f"warning {name} {at_windows([by_start[start] for start in starts])}"
    unproved = sum(not seam.is_proved for seam in seams)
    if unproved:
        yield f"{unproved} of {len(seams)} seams not proved"


def _book_valid(facts: DayFacts, feed: Feed) -> float | None:
    if feed.dataset != Dataset.ORDERBOOKS:
        return None
    keys = [(feed.symbol, window.start_ns) for window in facts.windows]
    shares = [facts.books[key] for key in keys if key in facts.books]
    return sum(shares) / len(shares) if shares else None


def _figures(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    figures = Counter[str]()
    for row in rows:
        figures.update({name: row[name] for name in FIGURES})
    return {name: figures[name] for name in FIGURES}
