"""Where WebSocket frames begin and end in what was read from a socket. Bytes alone.

https://www.rfc-editor.org/rfc/rfc6455#section-5.2
"""

TEXT_MESSAGE, BINARY_MESSAGE = 0x81, 0x82
"""How a message begins that is one frame, which no extension has touched."""

_HEAD_BYTES = 2
_LENGTH = 0x7F
_TWO_BYTES, _EIGHT_BYTES = 126, 127


def whole_messages(data: bytes, at: int, most: int) -> tuple[list[bytes], int]:
    """The payloads of the whole frames that begin at `at` and are all of one kind, and their end.

    It ends before a frame of over `most` bytes, or of 64 KiB and more, which comes seldom.
    """
    found: list[bytes] = []
    first, end = data[at], len(data)
    while at + _HEAD_BYTES <= end and data[at] == first:
        size, start = data[at + 1], at + _HEAD_BYTES
        if size == _TWO_BYTES:
            start += 2
            size = int.from_bytes(data[start - 2 : start])
        elif size > _TWO_BYTES:
            break
        stop = start + size
        if stop > end or size > most:
            break
        found.append(data[start:stop])
        at = stop
    return found, at


def frame_bytes(data: bytes, at: int) -> int | None:
    """The bytes of the unmasked frame at `at`, there or not; None where its head is not whole."""
    head = at + _HEAD_BYTES
    if head > len(data):
        return None
    size = data[at + 1] & _LENGTH
    more = {_TWO_BYTES: 2, _EIGHT_BYTES: 8}.get(size, 0)
    if head + more > len(data):
        return None
    if more:
        size = int.from_bytes(data[head : head + more])
    return _HEAD_BYTES + more + size
