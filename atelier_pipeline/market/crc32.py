"""CRC-32 (ISO-HDLC, as in zlib) of numbers written in decimal one after another, compiled."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

_POLYNOMIAL = 0xEDB88320
_ALL_ONES = 0xFFFFFFFF
_MOST_DIGITS = 20


def _table() -> NDArray[np.int64]:
    """The remainder of every byte value, the polynomial reflected."""
    remainders = np.arange(256, dtype=np.int64)
    for _ in range(8):
        remainders = np.where(remainders & 1, (remainders >> 1) ^ _POLYNOMIAL, remainders >> 1)
    return remainders


_REMAINDERS = _table()


@njit(cache=True, nogil=True)
def crc32_of_decimals(numbers: NDArray[np.uint64]) -> int:
    """The checksum of the ASCII digits of uint64[n], without separators or leading zeros."""
    digits = np.empty(_MOST_DIGITS, np.int64)
    crc = _ALL_ONES
    for number in numbers:
        rest = number
        first = _MOST_DIGITS
        while first == _MOST_DIGITS or rest > 0:
            first -= 1
            digits[first] = ord("0") + np.int64(rest % np.uint64(10))
            rest //= np.uint64(10)
        for i in range(first, _MOST_DIGITS):
            crc = _REMAINDERS[(crc ^ digits[i]) & 0xFF] ^ (crc >> 8)
    return int(crc ^ _ALL_ONES)
