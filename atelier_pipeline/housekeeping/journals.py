"""The journals of an installation, found by their folders; reads no frame."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from atelier_pipeline.errors import LakeError
from atelier_pipeline.housekeeping.selection import NS_PER_SEC, Selection
from atelier_pipeline.lake.names import parse_stamp


@dataclass(frozen=True, slots=True)
class JournalPlace:
    """The folder of one window's journal; `t0_ns` is when the window starts, to the millisecond."""

    path: Path
    exchange: str
    collector: str
    t0_ns: int

    @property
    def day(self) -> dt.date:
        """The UTC day on which the window starts."""
        return dt.datetime.fromtimestamp(self.t0_ns // NS_PER_SEC, dt.UTC).date()


def find_journals(journal: Path, chosen: Selection) -> list[JournalPlace]:
    """The chosen journals, ordered by window, exchange and collector."""
    places = _places(journal.absolute(), chosen)
    return sorted(places, key=lambda p: (p.t0_ns, p.exchange, p.collector))


def _places(journal: Path, chosen: Selection) -> Iterator[JournalPlace]:
    for path in journal.glob(
        f"{chosen.exchange or '*'}/{chosen.collector or '*'}/????????_??????.???"
    ):
        try:
            t0_ns = parse_stamp(path.name, str(path))
        except LakeError:
            continue
        if chosen.has_time(t0_ns):
            yield JournalPlace(path, path.parents[1].name, path.parent.name, t0_ns)
