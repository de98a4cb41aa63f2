"""Frame numbers of connections: one by one or many at once, the same breaks."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from atelier_pipeline.decode.links import Break
from atelier_pipeline.decode.numbering import Numbering

DETAIL = "frame numbers of the connection"

Step = tuple[int, int, bool]
"""Link, number, whether it comes alone."""


def judged(steps: list[Step], cuts: set[int]) -> tuple[list[int], list[Break]]:
    """Frames that follow, and breaks, of steps that are judged wherever a cut is and at the end."""
    numbering, first = Numbering(), 0
    held: list[int] = []
    breaks: list[Break] = []
    run: list[tuple[int, int, int]] = []
    for frame, (link, number, is_single) in enumerate(steps):
        if is_single:
            numbering.add(frame, link, number)
        else:
            run.append((frame, link, number))
        if frame in cuts or frame == len(steps) - 1:
            numbering.add_run(*np.array(run, np.int64).reshape(-1, 3).T)
            recvs = 1_000 + np.arange(first, frame + 1)
            followed, broken = numbering.judge(recvs, first)
            held += followed.tolist()
            breaks += sorted(broken, key=lambda each: each.frame)
            first, run = frame + 1, []
    return held, breaks


def test_a_number_that_is_not_the_next_one_is_a_break_of_its_link() -> None:
    numbers = [
        (0, 5, True),
        (0, 6, False),
        (1, 0, False),
        (0, 9, False),
        (1, 1, True),
        (0, 9, True),
    ]
    held, breaks = judged(numbers, set())
    assert held == [1, 4]
    assert breaks == [
        Break(0, 3, 1_003, "sequence", DETAIL, 6, 9, 2),
        Break(0, 5, 1_005, "sequence", DETAIL, 9, 9, None),
    ]


def test_a_frame_without_a_number_breaks_nothing() -> None:
    assert judged([(0, 5, False), (0, -1, False), (0, 6, False)], set()) == ([2], [])


@given(
    steps=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), st.booleans()), min_size=1),
    cuts=st.sets(st.integers(0, 20)),
)
def test_any_stretches_of_frames_show_the_same(steps: list[Step], cuts: set[int]) -> None:
    assert judged(steps, cuts) == judged([(*step[:2], True) for step in steps], set())
