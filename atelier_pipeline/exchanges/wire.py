"""What the frames of every exchange are made of: bounded numbers, exact times, one way in.

No exchange is known here. What a number may be is checked while msgspec parses it, in C; a decoder
built here turns whatever a malformed frame causes into DecodeError.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from atelier_pipeline.errors import DecodeError
from atelier_pipeline.exchanges.contract import Event

LARGEST = 1e24
"""Above any price or amount of any asset, and small enough that sums of products stay finite."""

_INT64_MAX = 2**63 - 1

Price: TypeAlias = Annotated[float, Meta(gt=0, lt=LARGEST)]
Size: TypeAlias = Annotated[float, Meta(ge=0, lt=LARGEST)]
Rate: TypeAlias = Annotated[float, Meta(gt=-LARGEST, lt=LARGEST)]
Ordinal: TypeAlias = Annotated[int, Meta(ge=0, le=_INT64_MAX)]
Millis: TypeAlias = Annotated[int, Meta(ge=0, le=_INT64_MAX // 1_000_000)]
Crc32: TypeAlias = Annotated[int, Meta(ge=0, lt=2**32)]

Decode: TypeAlias = Callable[[bytes, int], list[Event]]
"""(payload, ts_recv in UTC ns) → events."""

_SECOND_LENGTH = len("2026-07-16T20:28:52")
_SCALE = {_SECOND_LENGTH + 2 + digits: 10 ** (9 - digits) for digits in range(1, 10)}
"""ns of a fraction's last digit, by the length of the whole text."""

_SECOND = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_USABLE_YEARS = range(1971, 2262)
_ANY_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)
_EXCERPT = 160


@lru_cache(maxsize=4096)
def _second_ns(text: str) -> int:
    if _SECOND.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not the start of a UTC time")
    time = datetime.fromisoformat(f"{text}+00:00")
    if time.year not in _USABLE_YEARS:
        return 0
    return (time - _EPOCH) // timedelta(seconds=1) * 1_000_000_000


def utc_ns(text: str) -> int:
    """UTC ns of `2026-07-16T20:28:52.106115326Z`, exact, with 0 to 9 fraction digits.

    0 = no usable time: "", or a year that exchanges send in place of one (0001, 1970) or that
    int64 ns can't hold. Raises ValueError for any other text.
    """
    scale = _SCALE.get(len(text))
    if scale is None:
        if text and text[_SECOND_LENGTH:] != "Z":
            raise ValueError(f"{text!r} is not a UTC time with at most 9 fraction digits")
        return _second_ns(text[:_SECOND_LENGTH]) if text else 0
    fraction = text[_SECOND_LENGTH + 1 : -1]
    if (
        text[_SECOND_LENGTH] != "."
        or text[-1] != "Z"
        or not (fraction.isdecimal() and fraction.isascii())
    ):
        raise ValueError(f"{text!r} is not a UTC time")
    second = _second_ns(text[:_SECOND_LENGTH])
    return second and second + int(fraction) * scale


def decoder(
    exchange: str, key: str, reader_of: Callable[[bytes], Decode | None], control: Decode
) -> Decode:
    """A decode function that chooses a reader by the text that a frame holds under `key`.

    Exchanges write that key first, so most frames are parsed once; a frame that differs is searched
    for it. `control` reads the frames for which `reader_of` has no reader. Readers raise ValueError
    for a frame that is not as documented, which becomes DecodeError.
    """
    start = f'{{"{key}":"'.encode()
    begin = len(start)

    def searched(payload: bytes) -> Decode:
        raw = _ANY_OBJECT.decode(payload).get(key)
        return control if raw is None else reader_of(_TEXT.decode(raw).encode()) or control

    def decode(payload: bytes, ts_recv: int) -> list[Event]:
        try:
            if payload.startswith(start):
                reader = reader_of(payload[begin : payload.find(b'"', begin)])
                if reader is not None:
                    return reader(payload, ts_recv)
            return searched(payload)(payload, ts_recv)
        # Every error of msgspec and of text decoding is a ValueError; nesting ends in the other.
        except (ValueError, RecursionError) as error:
            excerpt = payload[:_EXCERPT]
            raise DecodeError(
                f"{exchange} does not document this frame: {error}: {excerpt!r}"
            ) from error

    return decode
