"""Connections as decoding sees them: who was on which, what broke it, what it was told."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from atelier_pipeline.exchanges.contract import Acknowledged, Refused

NO_LINK = -1
"""The link of a frame that belongs to no connection."""


@dataclass(frozen=True, slots=True)
class Link:
    """One connection from its `opened` frame on; a new `opened` frame makes a new link.

    A bare recording has no such frame: there a link begins with what was received first.

    Attributes:
        ordinal: number among all links.
        connection: number in the frames.
        symbols: the symbols subscribed on it.
        opened_frame: ordinal of its first frame.
    """

    ordinal: int
    connection: int
    symbols: tuple[str, ...]
    opened_frame: int


@dataclass(frozen=True, slots=True)
class Break:
    """Something that cost the feeds of a link, or may have.

    Attributes:
        link: ordinal of the link.
        frame: ordinal of the frame that tells it: frames before are unharmed.
        ts: when it was noticed, receive clock, UTC ns.
        cause: as in the `gaps` table, or `ended` for the planned end of a capture.
        before, after: frame numbers on both sides of a hole, where the exchange numbers frames.
        lost: how many frames, None where not known.
    """

    link: int
    frame: int
    ts: int
    cause: str
    detail: str = ""
    before: int | None = None
    after: int | None = None
    lost: int | None = None


ENDS = frozenset({"ended", "disconnect", "shutdown", "crash"})
"""Causes after which nothing more comes from a link."""


def costs_books(each: Break, integrity: str) -> bool:
    """Whether a break costs the books of its link, which are proved whole by `integrity`.

    Where the exchange numbers its messages, an undecodable one that a book needed shows as a hole
    in the numbers; elsewhere it may have been one.
    """
    if each.cause == "decode_error":
        return integrity in {"checksum_top10", "none"}
    return each.cause != "ended"


def breaks_of_book(
    breaks: Iterable[Break], links: Sequence[Link], symbol: str, integrity: str
) -> list[Break]:
    """The breaks that cost the book of a symbol, if it is on their link."""
    return [
        each
        for each in breaks
        if each.link != NO_LINK
        and symbol in links[each.link].symbols
        and costs_books(each, integrity)
    ]


@dataclass(frozen=True, slots=True)
class Answer:
    """An acknowledgement or a refusal, and the frame that held it."""

    link: int
    frame: int
    ts: int
    event: Acknowledged | Refused


@dataclass(frozen=True, slots=True)
class Alive:
    """A heartbeat's word on the trades of a symbol: `last_trade_id` existed at `ts_event`."""

    symbol: str
    frame: int
    ts_event: int
    last_trade_id: int
