"""Whether two neighbouring windows of a feed meet without a hole, as their captures tell.

Each capture hashed the same two seconds around their border: equal hashes, and ids that follow on
each other, prove the seam.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from atelier_pipeline.report.facts import DayFacts, Feed


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


def seams_of(facts: DayFacts, feed: Feed) -> Iterator[Seam]:
    """The seams at which both windows were captured, that with the day before first."""
    first = facts.windows[0]
    starts = [2 * first.start_ns - first.end_ns, *(window.start_ns for window in facts.windows)]
    for earlier_ns, later_ns in pairwise(starts):
        earlier, later = (facts.captures.get((feed, t0_ns)) for t0_ns in (earlier_ns, later_ns))
        if earlier is not None and later is not None:
            yield _seam(feed, later_ns, earlier, later)


def _seam(feed: Feed, moment_ns: int, earlier: Mapping[str, Any], later: Mapping[str, Any]) -> Seam:
    if earlier["tail_hash"] is None:
        return Seam(feed, moment_ns, "the earlier capture did not see its end whole")
    if later["head_hash"] is None:
        return Seam(feed, moment_ns, "the later capture did not see what was before it whole")
    if earlier["tail_hash"] != later["head_hash"]:
        return Seam(feed, moment_ns, "the two captures saw different events", is_disputed=True)
    last, first = earlier["last_trade_id"], later["first_trade_id"]
    if later["integrity"] == "trade_id" and last and first and int(first) != int(last) + 1:
        return Seam(feed, moment_ns, f"trade id {first} follows {last}", is_disputed=True)
    return Seam(feed, moment_ns)
