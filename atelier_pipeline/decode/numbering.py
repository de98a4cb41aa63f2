"""The numbers that an exchange gives to all frames of a connection: which follow, and where not."""

from collections.abc import Iterator

import numpy as np

from atelier_pipeline.decode.columns import Ints
from atelier_pipeline.decode.links import Break

_DETAIL = "frame numbers of the connection"


class Numbering:
    """The numbers since the last `judge`, and the last one of every link before."""

    def __init__(self) -> None:
        self._last: dict[int, int] = {}
        self._single: list[tuple[int, int, int]] = []
        self._runs: list[tuple[Ints, Ints, Ints]] = []

    def add(self, frame: int, link: int, number: int) -> None:
        """Takes in the number of one frame."""
        self._single.append((frame, link, number))

    def add_run(self, frames: Ints, links: Ints, numbers: Ints) -> None:
        """Takes in the numbers of many frames; below 0 stands for none."""
        told = numbers >= 0
        self._runs.append((frames[told], links[told], numbers[told]))

    def judge(self, recvs: Ints, first_frame: int) -> tuple[Ints, list[Break]]:
        """The frames whose number follows that of the frame before on their link, and the breaks.

        `recvs` are the receive times of the frames from `first_frame` on.
        """
        singles = np.array(self._single, np.int64).reshape(-1, 3)
        runs = [*self._runs, (singles[:, 0], singles[:, 1], singles[:, 2])]
        self._single, self._runs = [], []
        frames, links, numbers = (np.concatenate(each) for each in zip(*runs, strict=True))
        order = np.argsort(frames)
        held: list[Ints] = [np.empty(0, np.int64)]
        breaks: list[Break] = []
        for link in np.unique(links).tolist():
            mine = order[links[order] == link]
            frame, number = frames[mine], numbers[mine]
            before = np.append(self._last.get(link, -1), number[:-1])
            self._last[link] = int(number[-1])
            held.append(frame[(number == before + 1) & (before >= 0)])
            broken = np.flatnonzero((number != before + 1) & (before >= 0))
            breaks += _breaks(
                link,
                frame[broken],
                before[broken],
                number[broken],
                recvs[frame[broken] - first_frame],
            )
        return np.sort(np.concatenate(held)), breaks


def _breaks(link: int, *columns: Ints) -> Iterator[Break]:
    """One for each step that is not 1, given its frame, both numbers and its receipt."""
    for frame, before, after, recv in zip(*(each.tolist() for each in columns), strict=True):
        lost = after - before - 1 if after > before else None
        yield Break(link, frame, recv, "sequence", _DETAIL, before, after, lost)
