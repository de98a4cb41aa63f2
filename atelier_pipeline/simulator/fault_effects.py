"""What a fault does to the text of a message."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import TypeAlias

from atelier_pipeline.simulator.fault_script import Fault

_OVERSIZE_BYTES = 80 << 20

_SIZES = {
    "bybit": re.compile(r'(?:\["[\d.]+","|"v":"|"openInterest":")([\d.]+)"'),
    "bybit_spot": re.compile(r'(?:\["[\d.]+","|"v":")([\d.]+)"'),
    "coinbase": re.compile(r'"(?:new_quantity|size)":"([\d.]+)"'),
    "coinbase_exchange": re.compile(
        r'(?:"(?:buy|sell)","[\d.]+","|\["[\d.]+","|"size":")([\d.]+)"'
    ),
    "kraken": re.compile(r'"qty":([\d.]+)'),
}
_CHECKSUM = re.compile(r'(?<="checksum":)\d+')
_NUMBERS = {
    "bybit": re.compile(r'(?<="u":)\d+'),
    "bybit_spot": re.compile(r'(?<="u":)\d+'),
    "coinbase": re.compile(r'(?<="sequence_num":)\d+'),
    "coinbase_exchange": re.compile(r'(?<=trade_id":)\d+'),
    "kraken": re.compile(r'(?<="trade_id":)\d+'),
}
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_MILLIS = re.compile(r'(?<="ts":)\d{13}|(?<="cts":)\d{13}|(?<="T":)\d{13}')
_YEAR_ONE = "0001-01-01T00:00:00.000000Z"


def corrupt_digit(exchange: str, text: str, rng: Random) -> str:
    """One size with another last digit; a message without sizes stays as it is."""
    sizes = list(_SIZES[exchange].finditer(text))
    if not sizes:
        return text
    at = rng.choice(sizes).end(1) - 1
    digit = (int(text[at]) + rng.randrange(1, 10)) % 10
    return f"{text[:at]}{digit}{text[at + 1 :]}"


def corrupt_checksum(text: str) -> str:
    """The checksum with its lowest bit turned."""
    return _CHECKSUM.sub(lambda found: str(int(found[0]) ^ 1), text)


def renumber(exchange: str, text: str, by: int) -> str:
    """What counts an exchange's messages or trades, moved by `by`."""
    return _NUMBERS[exchange].sub(lambda found: str(int(found[0]) + by), text)


def skew(text: str, seconds: float) -> str:
    """Every time of the exchange, moved by `seconds`."""
    text = _MILLIS.sub(lambda found: str(int(found[0]) + round(seconds * 1000)), text)
    return _ISO.sub(lambda found: _moved(found[0], seconds), text)


def _moved(iso: str, seconds: float) -> str:
    moved = datetime.fromisoformat(iso) + timedelta(seconds=seconds)
    return moved.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def year_one(text: str) -> str:
    """Every time of the exchange as the zero of Go's clock."""
    return _ISO.sub(_YEAR_ONE, text)


Alter: TypeAlias = Callable[[str, Fault, str, Random], str]
"""(text, fault, exchange, chance) → the altered text."""

ALTER: dict[str, Alter] = {
    "corrupt_digit": lambda text, _fault, exchange, rng: corrupt_digit(exchange, text, rng),
    "corrupt_checksum": lambda text, _fault, _exchange, _rng: corrupt_checksum(text),
    "truncate": lambda text, _fault, _exchange, _rng: text[: len(text) // 2],
    "oversize": lambda text, fault, _exchange, _rng: text.ljust(
        fault.size_bytes or _OVERSIZE_BYTES
    ),
    "skew": lambda text, fault, _exchange, _rng: skew(text, fault.skew_secs),
    "year_one": lambda text, _fault, _exchange, _rng: year_one(text),
}
