"""What the journal's control frames say: a connection opened, closed, or lost frames on the way in.

A `text` or `binary` frame holds the exchange's words; `opened`, `closed` and `dropped` frames hold
ours, as JSON. Capture writes them, decoding reads them back. Reading accepts any payload: a frame
that another version wrote must not make a window unreadable.
"""

from typing import Literal, TypeAlias

import msgspec

CloseCause: TypeAlias = Literal["ended", "shutdown", "disconnect"]
DropCause: TypeAlias = Literal["overflow", "oversize"]


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A connection was made. `symbols` are those subscribed on it; none = all of the scope."""

    url: str = ""
    symbols: tuple[str, ...] = ()


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """A connection ended.

    `ended`: the capture was complete. `shutdown`: the capture was stopped before its end.
    `disconnect`: the connection was lost or given up. Where no `opened` frame came before, it is
    the attempt that failed: its reason says why a feed started late.
    """

    cause: CloseCause = "disconnect"
    reason: str = ""


class Dropped(msgspec.Struct, frozen=True, kw_only=True):
    """Frames were received or announced, and did not reach the journal. 0 = number unknown."""

    cause: DropCause = "overflow"
    frames: int = 0
    reason: str = ""


def control_payload(control: Opened | Closed | Dropped) -> bytes:
    """The payload of a control frame."""
    return msgspec.json.encode(control)


def read_opened(payload: bytes) -> Opened:
    """What an `opened` frame says; bytes of another form are taken as the URL."""
    try:
        return msgspec.json.decode(payload, type=Opened)
    except msgspec.MsgspecError:
        return Opened(url=_text(payload))


def read_closed(payload: bytes) -> Closed:
    """What a `closed` frame says; bytes of another form are taken as the reason of a disconnect."""
    try:
        return msgspec.json.decode(payload, type=Closed)
    except msgspec.MsgspecError:
        return Closed(reason=_text(payload))


def read_dropped(payload: bytes) -> Dropped:
    """What a `dropped` frame says; bytes of another form are taken as the reason."""
    try:
        return msgspec.json.decode(payload, type=Dropped)
    except msgspec.MsgspecError:
        return Dropped(reason=_text(payload))


def _text(payload: bytes) -> str:
    return payload.decode("utf-8", "replace")
