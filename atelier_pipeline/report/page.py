"""The day's report as one HTML page: no scripts, nothing from elsewhere, every text escaped."""

from pathlib import Path
from typing import BinaryIO

from jinja2 import Environment, PackageLoader, StrictUndefined

from atelier_pipeline.lake.names import date, group_name
from atelier_pipeline.lake.storage import put_file
from atelier_pipeline.report import words
from atelier_pipeline.report.coverage import SHADES, WIDTH, hours, stretches
from atelier_pipeline.report.facts import Feed, Loss
from atelier_pipeline.report.verdict import DayVerdict

REPORTS = "reports"
MOST_ROWS = 100
"""Of the losses and seams that are listed one by one; the rest is counted."""

_TEMPLATES = Environment(
    loader=PackageLoader("atelier_pipeline.report", "."),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TOOLS = {
    **{
        name: getattr(words, name) for name in ("clock", "instant", "precise", "seconds", "percent")
    },
    "stretches": stretches,
    "hours": hours,
    "WIDTH": WIDTH,
    "SHADES": SHADES,
}


def render(verdict: DayVerdict) -> str:
    """The page of a verdict."""
    losses = _losses(verdict)
    unproved = [seam for seam in verdict.seams if not seam.is_proved]
    return _TEMPLATES.get_template("day.html.jinja").render(
        _TOOLS,
        verdict=verdict,
        facts=verdict.facts,
        day=date(verdict.facts.windows[0].start_ns),
        losses=losses[:MOST_ROWS],
        more_losses=max(len(losses) - MOST_ROWS, 0),
        unproved=unproved[:MOST_ROWS],
        more_unproved=max(len(unproved) - MOST_ROWS, 0),
    )


def page_path(lake: Path, collector: str, day_ns: int) -> Path:
    """Where the page of a collector's day lies."""
    name = group_name(collector, "collector")
    return lake / REPORTS / name / f"{name}_{date(day_ns)}.html"


def write_page(lake: Path, verdict: DayVerdict) -> Path:
    """Put the page of a verdict at its place, whole; raises LakeError where that can't be."""
    text = render(verdict).encode()
    facts = verdict.facts
    path = page_path(lake, facts.collector, facts.windows[0].start_ns)

    def write(file: BinaryIO) -> None:
        file.write(text)

    put_file(path, write, replace=True)
    return path


def _losses(verdict: DayVerdict) -> list[tuple[Feed, Loss]]:
    """Every loss of the day, the first ones first."""
    found = [
        (feed.feed, loss) for feed in verdict.feeds for cell in feed.cells for loss in cell.losses
    ]
    return sorted(found, key=lambda pair: (pair[1].start_ns, pair[0]))
