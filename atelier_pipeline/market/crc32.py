"""CRC-32 (ISO-HDLC, as in zlib) of decimal digits, compiled, put together from parts.

A checksum is linear: that of a text followed by a part is that of the text, moved on by the part's
length, combined with the part's own. So a part of a text that hardly changes is computed once.

https://github.com/madler/zlib/blob/master/crc32.c (crc32_combine)
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

NOTHING = np.int64(0xFFFFFFFF)
"""What a text starts with; the checksum is what it ends with, every bit turned."""

_POLYNOMIAL = 0xEDB88320
_MOST_DIGITS = 20
_MOST_PARTS = 2
_PACKED_DIGITS = 16
"""Digits of four bits that fit into 64."""


def _remainders() -> NDArray[np.uint32]:
    """The remainder of every byte value, the polynomial reflected."""
    remainders = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        odd = remainders & 1 == 1
        remainders = np.where(odd, (remainders >> 1) ^ np.uint32(_POLYNOMIAL), remainders >> 1)
    return remainders.astype(np.uint32)


_REMAINDERS = _remainders()


def _moves() -> NDArray[np.uint32]:
    """uint32[41, 4, 256]: what 0 to 40 zero bytes make of a value of each of the four bytes."""
    values = np.arange(256, dtype=np.uint32)
    moved = [np.stack([values << np.uint32(8 * place) for place in range(4)])]
    for _ in range(_MOST_PARTS * _MOST_DIGITS):
        moved.append(_REMAINDERS[moved[-1] & 0xFF] ^ (moved[-1] >> np.uint32(8)))
    return np.stack(moved)


_MOVES = _moves()


@njit(cache=True, nogil=True)
def with_decimal(crc: np.int64, number: np.uint64) -> tuple[np.int64, int]:
    """A checksum with the ASCII digits of a uint64 behind it, and how many those are.

    The checksum of a part by itself starts with 0.
    """
    first, last, rest, length = np.uint64(0), np.uint64(0), number, 0
    while length == 0 or rest > 0:
        digit = rest % np.uint64(10)
        if length < _PACKED_DIGITS:
            last = (last << np.uint64(4)) | digit
        else:
            first = (first << np.uint64(4)) | digit
        rest //= np.uint64(10)
        length += 1
    crc = _with_packed(crc, first, length - _PACKED_DIGITS)
    return _with_packed(crc, last, min(length, _PACKED_DIGITS)), length


@njit(cache=True, nogil=True)
def _with_packed(crc: np.int64, packed: np.uint64, length: int) -> np.int64:
    """A checksum with as many digits behind it as the lowest four bits of a number, and so on."""
    for _ in range(length):
        digit = ord("0") + np.int64(packed & np.uint64(15))
        crc = np.int64(_REMAINDERS[(crc ^ digit) & 0xFF]) ^ (crc >> 8)
        packed >>= np.uint64(4)
    return crc


@njit(cache=True, nogil=True, inline="always")
def with_part(crc: np.int64, part: np.int64, length: np.int64) -> np.int64:
    """A checksum with a part of up to 40 bytes behind it, given that part's own."""
    moves = _MOVES[length]
    moved = moves[0, crc & 0xFF] ^ moves[1, (crc >> 8) & 0xFF]
    moved ^= moves[2, (crc >> 16) & 0xFF] ^ moves[3, crc >> 24]
    return np.int64(moved) ^ part
