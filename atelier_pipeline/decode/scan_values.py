"""How the scanner reads one value: compiled functions from bytes to numbers.

Each takes the letters, where the value begins and where the frame ends, and gives the place behind
the value or FAILED. They accept less than the exchanges' own decoders: plain digits with at most
one point, no leading zeros, times of the calendar, printable ASCII.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

FAILED = -1
MOST_DIGITS = 18
_MOST_EXACT = 1 << 53
_EXACT_DIGITS = 15
_DAYS_BEFORE_MONTH = np.array([0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365])
_FIRST_YEAR, _LAST_YEAR = 1971, 2261
_FEBRUARY, _DECEMBER = 2, 12
_DAYS_TO_1970 = 719_162
_NS_PER_SEC, _SECS_PER_MINUTE, _SECS_PER_HOUR, _SECS_PER_DAY = 1_000_000_000, 60, 3_600, 86_400
_LAST_SECOND = (23, 59, 59)
_ZERO, _NINE, _POINT, _QUOTE = (ord(letter) for letter in '09."')
_BACKSLASH, _BLANK, _TILDE = ord("\\"), ord(" "), ord("~")
_DASH, _COLON, _T, _Z = (ord(letter) for letter in "-:TZ")
_SECOND = len("2026-07-16T20:28:52")


@njit(cache=True, nogil=True)
def literal(
    letters: NDArray[np.uint8],
    at: int,
    end: int,
    literals: NDArray[np.uint8],
    first: int,
    size: int,
) -> int:
    """The place behind literals[first:first + size], which must stand at `at`."""
    if at + size > end:
        return FAILED
    for k in range(size):
        if letters[at + k] != literals[first + k]:
            return FAILED
    return at + size


@njit(cache=True, nogil=True)
def text(letters: NDArray[np.uint8], at: int, end: int, forbidden: int) -> int:
    """The place of the quote that ends a text of printable ASCII without escapes."""
    while at < end:
        letter = letters[at]
        if letter == _QUOTE:
            return at
        if letter < _BLANK or letter > _TILDE or letter in (_BACKSLASH, forbidden):
            return FAILED
        at += 1
    return FAILED


@njit(cache=True, nogil=True)
def integer(letters: NDArray[np.uint8], at: int, end: int) -> tuple[int, int]:
    """The place behind a whole number, and the number."""
    start, value = at, 0
    while at < end and _ZERO <= letters[at] <= _NINE:
        value = value * 10 + (letters[at] - _ZERO)
        at += 1
    digits = at - start
    if digits == 0 or digits > MOST_DIGITS or (digits > 1 and letters[start] == _ZERO):
        return FAILED, 0
    return at, value


@njit(cache=True, nogil=True)
def decimal(letters: NDArray[np.uint8], at: int, end: int) -> tuple[int, int, int]:
    """The place behind a decimal, its digits as one whole number, and how many are decimals.

    Fails where the digits are no float exactly: else they and the power of ten are, and so their
    quotient is the float nearest to the decimal.
    """
    start, digits, point = at, 0, FAILED
    while at < end:
        letter = letters[at]
        if _ZERO <= letter <= _NINE:
            digits = digits * 10 + (letter - _ZERO)
        elif letter == _POINT and point == FAILED:
            point = at
        else:
            break
        at += 1
    whole = (at if point == FAILED else point) - start
    decimals = 0 if point == FAILED else at - point - 1
    if (
        whole == 0
        or (whole > 1 and letters[start] == _ZERO)
        or (point != FAILED and decimals == 0)
        or whole + decimals > MOST_DIGITS
        or (digits > _MOST_EXACT and np.int64(np.float64(digits)) != digits)
    ):
        return FAILED, 0, 0
    return at, digits, decimals


@njit(cache=True, nogil=True)
def is_inexact(digits: int) -> bool:
    """Whether a number has more significant digits than every decimal of a float64 keeps."""
    if digits < 10**_EXACT_DIGITS:
        return False
    while digits % 10 == 0:
        digits //= 10
    return digits >= 10**_EXACT_DIGITS


@njit(cache=True, nogil=True)
def iso(letters: NDArray[np.uint8], at: int, end: int) -> tuple[int, int]:
    """The place behind `2026-07-16T20:28:52.106115326Z` with 0 to 9 decimals, and its UTC ns."""
    if at + _SECOND >= end:
        return FAILED, 0
    seconds = _seconds(letters, at)
    at += _SECOND
    fraction, scale = 0, _NS_PER_SEC
    if letters[at] == _POINT:
        at += 1
        while at < end and _ZERO <= letters[at] <= _NINE and scale > 1:
            fraction = fraction * 10 + (letters[at] - _ZERO)
            scale //= 10
            at += 1
        if scale == _NS_PER_SEC:
            return FAILED, 0
    if seconds < 0 or at >= end or letters[at] != _Z:
        return FAILED, 0
    return at + 1, seconds * _NS_PER_SEC + fraction * scale


@njit(cache=True, nogil=True)
def _seconds(letters: NDArray[np.uint8], at: int) -> int:
    """Seconds since 1970 of the `2026-07-16T20:28:52` at `at`; FAILED where that is no time."""
    if letters[at + 4] != _DASH or letters[at + 7] != _DASH or letters[at + 10] != _T:
        return FAILED
    if letters[at + 13] != _COLON or letters[at + 16] != _COLON:
        return FAILED
    hour, minute, second = _pair(letters, at + 11), _pair(letters, at + 14), _pair(letters, at + 17)
    last_hour, last_minute, last_second = _LAST_SECOND
    if not (0 <= hour <= last_hour and 0 <= minute <= last_minute and 0 <= second <= last_second):
        return FAILED
    year = 100 * _pair(letters, at) + _pair(letters, at + 2)
    days = _days(year, _pair(letters, at + 5), _pair(letters, at + 8))
    if days < 0:
        return FAILED
    return days * _SECS_PER_DAY + hour * _SECS_PER_HOUR + minute * _SECS_PER_MINUTE + second


@njit(cache=True, nogil=True)
def _days(year: int, month: int, day: int) -> int:
    """Days since 1970 of a day of the calendar; FAILED where there is no such day."""
    if not (_FIRST_YEAR <= year <= _LAST_YEAR and 1 <= month <= _DECEMBER):
        return FAILED
    is_leap = (year % 4 == 0 and year % 100 != 0) or year % 400 == 0
    length = _DAYS_BEFORE_MONTH[month] - _DAYS_BEFORE_MONTH[month - 1]
    if not 1 <= day <= length + (month == _FEBRUARY and is_leap):
        return FAILED
    before = year - 1
    days = before * 365 + before // 4 - before // 100 + before // 400 - _DAYS_TO_1970
    return days + _DAYS_BEFORE_MONTH[month - 1] + (month > _FEBRUARY and is_leap) + day - 1


@njit(cache=True, nogil=True)
def _pair(letters: NDArray[np.uint8], at: int) -> int:
    """Two digits as a number; far below 0 where they are none."""
    high, low = letters[at], letters[at + 1]
    if _ZERO <= high <= _NINE and _ZERO <= low <= _NINE:
        return (high - _ZERO) * 10 + (low - _ZERO)
    return -1_000_000
