"""How an exchange writes its most frequent frames, byte by byte: order books, told as text.

A shape is a frame's text with its values named. Frames that have a shape exactly are read by a
compiled scanner, all at once; whatever differs, by a blank or by the order of its keys, is read by
`decode` like any other frame. A shape therefore only saves time: it must never change a meaning.

Names in angle brackets, in a frame:

- `<symbol>`: the feed's symbol;
- `<ms>`, `<iso>`: a time of the message; the last `<ms>` or the newest `<iso>` is its `ts_event`;
- `<update_id>`, `<checksum>`, `<number>`: as in NormalizedDelta and ConnectionSequence;
- `<word>`, `<text>`, `<integer>`: anything of that kind, not needed; a word has no points;
- `<bids>`, `<asks>`, `<changes>`: what stands between the brackets of a list of levels.

In a level: `<price>`, `<size>`, `<iso>`, and where a list holds both sides `<bid|ask>` in the words
of the exchange.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

_INT64_MAX = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class BookShape:
    """One way of writing an order book frame.

    Attributes:
        frame: the whole frame.
        level: one level of its lists; levels are parted by commas.
        is_snapshot: the message is a whole book.
        restarted_id: update id that marks a whole book whatever else the frame says; -1 = none.
        depth: of the feed that the message belongs to; -1 = the exchange doesn't say it.
    """

    frame: str
    level: str
    is_snapshot: bool
    restarted_id: int = -1
    depth: int = -1

    @property
    def holds_checksum(self) -> bool:
        """Whether the digits of its levels are needed."""
        return "<checksum>" in self.frame


class Op(IntEnum):
    """One step of reading a frame; its numbers are in brackets.

    SYMBOL, TEXT (a letter that must not occur); INTEGER (a Field, the largest value); MILLIS (the
    largest value); LEVELS (what the list holds, how many steps to skip where it is empty); NEXT
    (how many steps to go back to the next level); DECIMAL (a LevelField).
    """

    LITERAL = 0
    SYMBOL = 1
    TEXT = 2
    INTEGER = 3
    MILLIS = 4
    ISO = 5
    LEVELS = 6
    NEXT = 7
    DECIMAL = 8
    SIDE = 9
    END = 10


class Field(IntEnum):
    """What is told of a frame.

    FIRST: its first level; SHAPE: which shape it has, -1 = none; TIME: UTC ns, 0 = none said;
    INEXACT: values of more digits than a float64 holds; IGNORED: nothing.
    """

    FIRST = 0
    SHAPE = 1
    TIME = 2
    UPDATE_ID = 3
    CHECKSUM = 4
    NUMBER = 5
    INEXACT = 6
    IGNORED = 7


class LevelField(IntEnum):
    """What is told of a level: 1 for a bid or 0, and its decimals.

    Each decimal is a whole number, followed by how many of its digits stand behind the point.
    """

    SIDE = 0
    PRICE = 1
    PRICE_DECIMALS = 2
    SIZE = 3
    SIZE_DECIMALS = 4


MIXED, BIDS, ASKS = -1, 1, 0
"""What a list of levels holds."""

_LISTS = {"bids": BIDS, "asks": ASKS, "changes": MIXED}
_STEPS = {
    "symbol": (Op.SYMBOL, ord(".")),
    "word": (Op.TEXT, ord(".")),
    "text": (Op.TEXT, ord('"')),
    "update_id": (Op.INTEGER, Field.UPDATE_ID, _INT64_MAX),
    "checksum": (Op.INTEGER, Field.CHECKSUM, 2**32 - 1),
    "number": (Op.INTEGER, Field.NUMBER, _INT64_MAX),
    "integer": (Op.INTEGER, Field.IGNORED, _INT64_MAX),
    "ms": (Op.MILLIS, _INT64_MAX // 1_000_000),
    "iso": (Op.ISO,),
    "price": (Op.DECIMAL, LevelField.PRICE),
    "size": (Op.DECIMAL, LevelField.SIZE),
}
_PART = re.compile(r"<([^>]*)>|([^<]+)")


@dataclass(frozen=True)
class Step:
    """An Op and what it needs: one or two literals, or numbers."""

    op: Op
    literals: tuple[bytes, ...] = ()
    numbers: tuple[int, ...] = ()


def steps_of(shape: BookShape) -> list[Step]:
    """The steps that read a frame of a shape."""
    return [*_steps(shape), Step(Op.END)]


def _steps(shape: BookShape) -> Iterator[Step]:
    level = [_step(*part) for part in _PART.findall(shape.level)]
    for name, literal in _PART.findall(shape.frame):
        if name in _LISTS:
            yield Step(Op.LEVELS, numbers=(_LISTS[name], len(level) + 2))
            yield from level
            yield Step(Op.NEXT, numbers=(len(level),))
        else:
            yield _step(name, literal)


def _step(name: str, literal: str) -> Step:
    if literal:
        return Step(Op.LITERAL, (literal.encode(),))
    if "|" in name:
        return Step(Op.SIDE, tuple(name.encode().split(b"|")))
    op, *numbers = _STEPS[name]
    return Step(Op(op), numbers=tuple(numbers))
