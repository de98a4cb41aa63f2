"""All frames of a capture as times and links, and the record of its connections."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from atelier_pipeline.decode.columns import Ints
from atelier_pipeline.decode.decoder import Decoded, Feed
from atelier_pipeline.decode.links import ENDS, NO_LINK, Alive, Answer, Break, Link

UNCLOSED = "the journal ends without closing the connection"


@dataclass
class Timeline:
    """What is remembered of all frames; grows by `add`, is asked afterwards.

    Attributes:
        links: the connections, in order.
        breaks, answers, alive, inexact: as in Decoded, of all stretches.
    """

    links: list[Link] = field(default_factory=list[Link])
    breaks: list[Break] = field(default_factory=list[Break])
    answers: list[Answer] = field(default_factory=list[Answer])
    alive: list[Alive] = field(default_factory=list[Alive])
    inexact: list[tuple[int, Feed, int]] = field(default_factory=list[tuple[int, Feed, int]])

    def __post_init__(self) -> None:
        self._times: list[Ints] = [np.empty(0, np.int64)]
        self._links: list[Ints] = [np.empty(0, np.int64)]
        self._sizes: list[Ints] = [np.empty(0, np.int64)]
        self._held: list[Ints] = [np.empty(0, np.int64)]
        self._ours: list[Ints] = [np.empty(0, np.int64)]
        self._frames_of: dict[int, Ints] = {}
        self._heard_of: dict[int, Ints] = {}

    def add(self, decoded: Decoded) -> None:
        """Takes in a stretch."""
        self.add_frames(decoded.times, decoded.links, decoded.ours)
        self._sizes.append(decoded.sizes)
        self._held.append(decoded.held)
        self.breaks.extend(decoded.breaks)
        self.answers.extend(decoded.answers)
        self.alive.extend(decoded.alive)
        self.inexact.extend(decoded.inexact)

    def add_frames(self, times: Ints, links: Ints, ours: Ints) -> None:
        """Takes in no more of frames than when they came, on which link, and which are ours."""
        self._times.append(times)
        self._links.append(links)
        self._ours.append(ours)

    @cached_property
    def times(self) -> Ints:
        """int64[frames], receive time of each frame, UTC ns."""
        return np.concatenate(self._times)

    @cached_property
    def sizes(self) -> Ints:
        """int64[frames], payload bytes."""
        return np.concatenate(self._sizes)

    @cached_property
    def held(self) -> Ints:
        """Frames whose number followed that of the frame before on their link."""
        return np.concatenate(self._held)

    @cached_property
    def ours(self) -> Ints:
        """Frames in which nothing was heard."""
        return np.concatenate(self._ours)

    @cached_property
    def link_of_frame(self) -> Ints:
        """int64[frames], the link of each frame."""
        return np.concatenate(self._links)

    @property
    def end(self) -> int:
        """Receive time of the last frame; 0 where there is none."""
        return int(self.times[-1]) if len(self.times) else 0

    def frames_of(self, link: int) -> Ints:
        """Ordinals of the frames of a link."""
        if link not in self._frames_of:
            self._frames_of[link] = np.flatnonzero(self.link_of_frame == link)
        return self._frames_of[link]

    def heard_on(self, link: int) -> Ints:
        """Ordinals of the frames of a link that show it alive."""
        if link not in self._heard_of:
            frames = self.frames_of(link)
            self._heard_of[link] = np.setdiff1d(frames, self.ours, assume_unique=True)
        return self._heard_of[link]

    def heard_before(self, link: int, frame: int) -> int:
        """When a link was last heard before a frame, receive time; 0 where it was not."""
        frames = self.heard_on(link)
        position = int(np.searchsorted(frames, frame))
        return int(self.times[frames[position - 1]]) if position else 0

    def heard_behind(self, link: int, frame: int) -> int | None:
        """When a link was first heard behind a frame, receive time."""
        frames = self.heard_on(link)
        position = int(np.searchsorted(frames, frame, "right"))
        return int(self.times[frames[position]]) if position < len(frames) else None

    def is_silent(self, link: int, frame: int, until: int) -> bool:
        """Whether nothing was heard on a link strictly between two frames."""
        frames = self.heard_on(link)
        return bool(np.searchsorted(frames, frame, "right") == np.searchsorted(frames, until))

    def of_symbol(self, symbol: str) -> list[Link]:
        """The links that carried a symbol, in order."""
        return [link for link in self.links if symbol in link.symbols]

    def failures(self, before: int) -> list[str]:
        """Why connections could not be made before a frame, each reason once."""
        failed = (b for b in self.breaks if b.link == NO_LINK and b.frame < before)
        return list(dict.fromkeys(each.detail for each in failed if each.detail))

    def breaks_of(self, link: int) -> list[Break]:
        """The breaks of a link in order, up to its end."""
        breaks = sorted((b for b in self.breaks if b.link == link), key=lambda b: b.frame)
        ends = [index for index, each in enumerate(breaks) if each.cause in ENDS]
        return breaks[: ends[0] + 1] if ends else breaks

    def close_unended(self, until: int) -> None:
        """Ends the links that nothing ended: they crashed.

        That is so where a later link took over a link's symbols and it was not heard of again, and
        where all frames end before `until`.
        """
        ended = {each.link for each in self.breaks if each.cause in ENDS}
        for link in self.links:
            last = int(self.frames_of(link.ordinal)[-1])
            if link.ordinal in ended:
                continue
            if self._is_replaced(link, last):
                self._end(link, last + 1, int(self.times[last]))
            elif self.end < until:
                self._end(link, len(self.times), self.end)

    def _is_replaced(self, link: Link, last: int) -> bool:
        return any(
            later.opened_frame > last and not set(later.symbols).isdisjoint(link.symbols)
            for later in self.links[link.ordinal + 1 :]
        )

    def _end(self, link: Link, frame: int, ts: int) -> None:
        self.breaks.append(Break(link.ordinal, frame, ts, "crash", UNCLOSED))
