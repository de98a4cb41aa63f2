"""The coverage map: one line for each feed, time from left to right, a shade for each window."""

from dataclasses import dataclass
from itertools import groupby

from atelier_pipeline.report.verdict import Cell, DayVerdict, FeedVerdict, Verdict
from atelier_pipeline.report.words import clock, percent

WIDTH = 960
"""Units of the picture's width."""
SHADES = ("available", "degraded", "poor", "bad", "pending", "missing")


@dataclass(frozen=True, slots=True)
class Stretch:
    """Neighbouring windows of one shade: where they lie in a width of WIDTH, and what they are."""

    x: float
    width: float
    shade: str
    title: str


def shade_of(cell: Cell) -> str:
    """One of SHADES; a degraded window is darker the less of it is covered."""
    if cell.verdict is not Verdict.DEGRADED:
        return str(cell.verdict)
    if cell.coverage >= 0.99:  # noqa: PLR2004 - the legend says it
        return "degraded"
    return "poor" if cell.coverage >= 0.9 else "bad"  # noqa: PLR2004 - as above


def stretches(feed: FeedVerdict) -> list[Stretch]:
    """The line of a feed."""
    width, found = WIDTH / len(feed.cells), []
    for shade, group in groupby(enumerate(feed.cells), key=lambda pair: shade_of(pair[1])):
        indexes, cells = zip(*group, strict=True)
        found.append(Stretch(indexes[0] * width, len(cells) * width, shade, _title(cells)))
    return found


def hours(verdict: DayVerdict) -> list[tuple[float, str]]:
    """Where to write which time of day."""
    start_ns = verdict.facts.windows[0].start_ns
    length_ns = verdict.facts.windows[-1].end_ns - start_ns
    return [(WIDTH * k / 8, clock(start_ns + length_ns * k // 8)) for k in range(8)]


def _title(cells: tuple[Cell, ...]) -> str:
    span = f"{clock(cells[0].window.start_ns)}-{clock(cells[-1].window.end_ns)}"
    verdict = cells[0].verdict
    if verdict is not Verdict.DEGRADED:
        return f"{span}: {verdict}"
    covered = percent(sum(cell.coverage for cell in cells) / len(cells))
    causes = dict.fromkeys(loss.cause for cell in cells for loss in cell.losses)
    problems = dict.fromkeys(problem for cell in cells for problem in cell.problems)
    return f"{span}: {verdict}, {covered} covered: {', '.join([*causes, *problems])}"
