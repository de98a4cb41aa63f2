"""Where frames begin and end in bytes that were read."""

import pytest
from websockets.frames import Frame, Opcode

from atelier_pipeline.capture.messages import frame_bytes, whole_messages

MOST = 1 << 20


def wire(payload: bytes, opcode: Opcode = Opcode.TEXT) -> bytes:
    return Frame(opcode, payload).serialize(mask=False)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535])
def test_messages_of_one_kind_are_taken_as_far_as_they_are_whole(size: int):
    payloads = [b"a" * size, b"", b"b" * size]
    data = b"\x8a\x00" + b"".join(map(wire, payloads))
    assert whole_messages(data, 2, MOST) == (payloads, len(data))
    assert whole_messages(data[:-1], 2, MOST)[0] == payloads[:2]
    assert whole_messages(data + wire(b"c", Opcode.BINARY), 2, MOST) == (payloads, len(data))


@pytest.mark.parametrize("cut", range(1, 4))
def test_a_message_without_its_whole_head_is_not_taken(cut: int):
    data = wire(b"a" * 300)
    assert whole_messages(data[:cut], 0, MOST) == ([], 0)


def test_messages_above_the_limit_and_of_64_kib_are_left():
    assert whole_messages(wire(b"a" * 10) + wire(b"a" * 11), 0, 10) == ([b"a" * 10], 12)
    assert whole_messages(wire(b"a" * 65_536), 0, MOST) == ([], 0)


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_the_bytes_of_a_frame_are_told_as_soon_as_its_head_is_whole(size: int):
    data = wire(b"a" * size)
    head = len(data) - size
    assert [frame_bytes(data[:cut], 0) for cut in range(head + 1)] == [None] * head + [len(data)]
