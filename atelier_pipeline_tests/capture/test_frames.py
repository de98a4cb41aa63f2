"""The queue between sockets and journal."""

import json
import random

import pytest

from atelier_pipeline.capture.frames import FrameQueue

KIB = 1024


def kept(queue: FrameQueue) -> list[tuple[int, int, str, bytes]]:
    return [
        (ts, connection, str(kind), json.loads(payload) if kind == "dropped" else payload)
        for ts, connection, kind, payload in queue.take()
    ]


def test_frames_come_out_in_the_order_in_which_they_went_in():
    queue = FrameQueue(KIB)
    queue.note(1, 0, "opened", b"{}")
    queue.receive(2, 0, "text", b"a")
    queue.receive(3, 1, "binary", b"bc")
    assert kept(queue) == [(1, 0, "opened", b"{}"), (2, 0, "text", b"a"), (3, 1, "binary", b"bc")]
    assert queue.take() == []
    assert (queue.frames, queue.bytes, queue.dropped) == (2, 3, 0)


def test_each_frame_is_fresh_once():
    queue = FrameQueue(KIB)
    queue.receive(1, 0, "text", b"a")
    assert queue.take_fresh() == [(1, 0, "text", b"a")]
    queue.receive(2, 0, "text", b"b")
    assert queue.take_fresh() == [(2, 0, "text", b"b")]


def test_what_exceeds_the_limit_is_dropped_and_counted_where_it_would_have_been():
    queue = FrameQueue(KIB)
    for time in range(7):
        queue.receive(time, time % 2, "text", b"x" * 56)
    assert (queue.frames, queue.dropped) == (4, 3)
    first = queue.take()
    assert [frame[0] for frame in first] == [0, 1, 2, 3]
    queue.written(first)
    queue.receive(9, 1, "text", b"y")
    reason = "the journal did not keep up"
    assert kept(queue) == [
        (9, 0, "dropped", {"cause": "overflow", "frames": 2, "reason": reason}),
        (9, 1, "dropped", {"cause": "overflow", "frames": 1, "reason": reason}),
        (9, 1, "text", b"y"),
    ]
    assert (queue.frames, queue.dropped) == (5, 3)


def test_frames_count_against_the_limit_until_they_are_written():
    queue = FrameQueue(KIB)
    for time in range(4):
        queue.receive(time, 0, "text", b"x" * 56)
    taken = queue.take()
    queue.receive(4, 0, "text", b"x" * 56)
    assert queue.dropped == 1
    queue.written(taken)
    queue.receive(5, 0, "text", b"x" * 56)
    assert queue.dropped == 1


def test_our_own_frames_are_kept_even_when_the_queue_is_full():
    queue = FrameQueue(1)
    queue.receive(1, 0, "text", b"a")
    queue.note(2, 0, "closed", b"{}")
    assert [(time, kind) for time, _, kind, _ in kept(queue)] == [(2, "dropped"), (2, "closed")]


@pytest.mark.parametrize("limit", [KIB, 4 * KIB, 64 * KIB])
def test_frames_that_were_read_at_once_are_kept_and_dropped_as_if_they_came_singly(limit: int):
    rng = random.Random(limit)  # noqa: S311 - the same frames every time
    at_once, singly = FrameQueue(limit), FrameQueue(limit)
    for time in range(50):
        payloads = [b"x" * rng.randrange(200) for _ in range(rng.randrange(9))]
        at_once.receive_all(time, time % 2, "text", payloads)
        for payload in payloads:
            singly.receive(time, time % 2, "text", payload)
        if time % 10 == 9:
            taken = at_once.take(), singly.take()
            assert taken[0] == taken[1]
            assert at_once.take_fresh() == singly.take_fresh()
            at_once.written(taken[0])
            singly.written(taken[1])
    figures = [(queue.frames, queue.bytes, queue.dropped) for queue in (at_once, singly)]
    assert figures[0] == figures[1]
    assert (figures[0][2] > 0) == (limit < 64 * KIB)
