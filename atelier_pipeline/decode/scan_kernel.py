"""The compiled reader of frames that have a known shape: bytes in, columns out, no objects.

It accepts less than the exchange's own decoder, and never anything else: decode.scan_values says
why. At the first byte that it does not expect it leaves the frame to that decoder, which alone says
what is an error.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from atelier_pipeline.decode.scan_values import (
    FAILED,
    decimal,
    integer,
    is_inexact,
    iso,
    literal,
    text,
)
from atelier_pipeline.exchanges.shapes import Field, LevelField, Op

SYMBOL_BYTES = 24
"""Frames of longer symbols have no shape."""

_LITERAL, _SYMBOL, _TEXT, _INTEGER, _MILLIS, _ISO = (
    int(op) for op in (Op.LITERAL, Op.SYMBOL, Op.TEXT, Op.INTEGER, Op.MILLIS, Op.ISO)
)
_LEVELS, _NEXT, _DECIMAL, _SIDE = (int(op) for op in (Op.LEVELS, Op.NEXT, Op.DECIMAL, Op.SIDE))
_FIRST, _SHAPE, _TIME, _INEXACT = (
    int(field) for field in (Field.FIRST, Field.SHAPE, Field.TIME, Field.INEXACT)
)
_IS_BID, _PRICE = int(LevelField.SIDE), int(LevelField.PRICE)
_COMMA, _CLOSE = ord(","), ord("]")
_NS_PER_MS = 1_000_000


class Frames(NamedTuple):
    """Frames in one piece of memory: frame i is letters[starts[i]:ends[i]]."""

    letters: NDArray[np.uint8]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]


class Programs(NamedTuple):
    """The steps of all shapes, one shape behind the other.

    Attributes:
        steps: int64[steps, 5]: an Op, then its numbers, or start and size in `literals` of each of
            its literals.
        literals: their letters.
        firsts: int64[shapes], where each shape's steps begin.
    """

    steps: NDArray[np.int64]
    literals: NDArray[np.uint8]
    firsts: NDArray[np.int64]


class Found(NamedTuple):
    """What is found, to be filled in.

    Attributes:
        told: int64[frames, len(Field)], -1 where a frame does not say it.
        symbols: uint8[frames, SYMBOL_BYTES], zeros behind the last letter.
        levels: int64[len(LevelField), levels], those of every frame behind those of the one before;
            at least as many as the frames' letters have room for.
    """

    told: NDArray[np.int64]
    symbols: NDArray[np.uint8]
    levels: NDArray[np.int64]


@njit(cache=True, nogil=True)
def scan(frames: Frames, programs: Programs, found: Found) -> int:
    """Reads every frame by the shape that it has; returns how many levels were filled in.

    At most one shape fits a frame, so that any order of trying them is right; the one that fitted
    last is the likeliest.
    """
    told, shapes = found.told, len(programs.firsts)
    used, likeliest = 0, 0
    for frame in range(len(frames.starts)):
        told[frame, _SHAPE] = FAILED
        for tried in range(shapes):
            shape = (likeliest + tried) % shapes
            end = _read(frames, frame, programs, programs.firsts[shape], found, used)
            if end != FAILED:
                told[frame, _FIRST], told[frame, _SHAPE] = used, shape
                used, likeliest = end, shape
                break
    return used


@njit(cache=True, nogil=True)
def _read(  # noqa: C901, PLR0912, PLR0915 - one branch per step; a call would cost more than a step
    frames: Frames, frame: int, programs: Programs, step: int, found: Found, level: int
) -> int:
    """The level behind the frame's last one, or FAILED where it has another shape.

    Every array is taken out of its tuple once: that costs more than a step.
    """
    letters, at, end = frames.letters, frames.starts[frame], frames.ends[frame]
    steps, literals = programs.steps, programs.literals
    told, symbols, levels = found.told, found.symbols, found.levels
    side, inexact, time, value, decimals = 0, 0, 0, 0, 0
    told[frame] = -1
    while at != FAILED:
        op, first, second = steps[step, 0], steps[step, 1], steps[step, 2]
        if op == _LITERAL:
            at = literal(letters, at, end, literals, first, second)
        elif op == _DECIMAL:
            at, value, decimals = decimal(letters, at, end)
            if value == 0 and first == _PRICE:
                return FAILED
            levels[first, level], levels[first + 1, level] = value, decimals
            inexact += is_inexact(value)
        elif op == _NEXT:
            level += 1
            if at < end and letters[at] == _COMMA:
                at += 1
                levels[_IS_BID, level] = side
                step -= first
                continue
        elif op == _SIDE:
            behind = literal(letters, at, end, literals, first, second)
            levels[_IS_BID, level] = behind != FAILED
            if behind == FAILED:
                behind = literal(letters, at, end, literals, steps[step, 3], steps[step, 4])
            at = behind
        elif op == _ISO:
            at, value = iso(letters, at, end)
            time = max(time, value)
        elif op in (_INTEGER, _MILLIS):
            at, value = integer(letters, at, end)
            if op == _MILLIS:
                time = value * _NS_PER_MS
                if not 0 < value <= first:
                    return FAILED
            elif value > second:
                return FAILED
            else:
                told[frame, first] = value
        elif op == _LEVELS:
            side = first
            if at < end and letters[at] == _CLOSE:
                step += second
                continue
            levels[_IS_BID, level] = side
        elif op == _SYMBOL:
            start, at = at, text(letters, at, end, first)
            if at - start > SYMBOL_BYTES:
                return FAILED
            symbols[frame] = 0
            for k in range(at - start):
                symbols[frame, k] = letters[start + k]
        elif op == _TEXT:
            at = text(letters, at, end, first)
        else:
            told[frame, _TIME], told[frame, _INEXACT] = time, inexact
            return level if at == end else FAILED
        step += 1
    return FAILED
