"""How the simulated exchanges spell numbers and times: exact text of scaled integers."""

from datetime import UTC, datetime
from functools import lru_cache

NS_PER_SECOND = 1_000_000_000
_MOST_REMEMBERED = 1 << 16


class Decimals(dict[int, str]):
    """The text of an integer number of units of 10^-digits, remembered.

    `trimmed` leaves trailing zeros and a bare point out: 1.50 is "1.5", 2.00 is "2".
    """

    def __init__(self, digits: int, *, trimmed: bool) -> None:
        super().__init__()
        self._digits = digits
        self._scale = 10**digits
        self._trimmed = trimmed

    def __missing__(self, units: int) -> str:
        if len(self) >= _MOST_REMEMBERED:
            self.clear()
        text = self[units] = self._spell(units)
        return text

    def _spell(self, units: int) -> str:
        if self._digits == 0:
            return str(units)
        whole, fraction = divmod(units, self._scale)
        text = f"{whole}.{fraction:0{self._digits}d}"
        return text.rstrip("0").rstrip(".") if self._trimmed else text


@lru_cache(maxsize=64)
def _to_the_second(second: int) -> str:
    return datetime.fromtimestamp(second, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S")


def iso_micros(time_ns: int) -> str:
    """ISO 8601 UTC with always six digits of a second: 2026-09-30T02:03:22.000000Z."""
    second, fraction = divmod(time_ns, NS_PER_SECOND)
    return f"{_to_the_second(second)}.{fraction // 1000:06d}Z"


def iso_trimmed(time_ns: int) -> str:
    """ISO 8601 UTC with as many digits of a second as needed, none for a whole one."""
    second, fraction = divmod(time_ns, NS_PER_SECOND)
    digits = f"{fraction:09d}".rstrip("0")
    return f"{_to_the_second(second)}.{digits}Z" if digits else f"{_to_the_second(second)}Z"


def uuid_text(bits: int) -> str:
    """The UUID spelling of 128 bits."""
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
