"""The seams of a day, as the rule `seam_proved` judges them now.

Nothing here judges: what Dagster has kept of that rule may be older than a window made again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from atelier_pipeline.lake.names import FileKind, Mode
from atelier_pipeline.report.facts import DayFacts, Feed
from atelier_pipeline.validate.seam_rules import judge_seams


@dataclass(frozen=True, slots=True)
class Seam:
    """The border of two captured windows of a feed.

    Attributes:
        moment_ns: where they meet, UTC ns.
        problem: why it is not proved; nothing where it is.
        is_disputed: not proved, and more: the two captures contradict each other.
    """

    feed: Feed
    moment_ns: int
    problem: str = ""
    is_disputed: bool = False

    @property
    def is_proved(self) -> bool:
        """Whether nothing is missing between the two windows."""
        return not self.problem


def seams_of(facts: DayFacts) -> dict[Feed, tuple[Seam, ...]]:
    """The seams at which both windows were captured, by feed; that with the day before first."""
    rows = pa.Table.from_pylist(list(_captures(facts)), FileKind.CAPTURES.schema(Mode.RAW))
    found = {feed: list[Seam]() for feed in facts.feeds}
    for row in judge_seams(rows).to_pylist():
        feed = Feed(row["symbol"], row["dataset"])
        seam = Seam(feed, row["moment_ns"], row["reason"] or "", row["is_disputed"])
        found.setdefault(feed, []).append(seam)
    return {feed: tuple(seams) for feed, seams in found.items()}


def _captures(facts: DayFacts) -> Iterator[Mapping[str, Any]]:
    length = facts.windows[0].end_ns - facts.windows[0].start_ns
    for (feed, t0_ns), row in facts.captures.items():
        window = {"window_start": t0_ns, "window_end": t0_ns + length}
        yield {**row, **feed._asdict(), **window}
