"""Which decoded numbers a float64 may not hold exactly: those of more than 15 significant digits.

Significant digits are counted in the frame's own text, without sign, leading zeros, trailing zeros
and exponent. Only the numbers that `decode` puts into events count: never an id or a time.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias, cast

from atelier_pipeline.market.datasets import Dataset

EXACT_DIGITS = 15
"""Every decimal of so many significant digits survives the way through a float64."""

Inexact: TypeAlias = Callable[[bytes], Counter[tuple[Dataset, str]]]
"""A decoded frame's payload → how many of its values have more digits, by dataset and symbol."""

_DIGITS_TO_0 = bytes.maketrans(b"0123456789", b"0" * 10)
_LONG_NUMBER = b"0" * (EXACT_DIGITS + 1)
_LONG_VALUE = re.compile(rb'(?:"(\w+)":"?)?\d[\d.]{%d,}' % EXACT_DIGITS)
"""A number that may have more than 15 digits, with the key that it stands under, if it does."""


def has_long_number(payload: bytes) -> bool:
    """Whether a run of more than 15 digits, decimal points left out, occurs; ids and all.

    Cheap, and as good on many payloads joined by newlines: where it says no, there is nothing to
    count in any of them.
    """
    return _LONG_NUMBER in payload.translate(_DIGITS_TO_0, b".")


def significant_digits(number: str) -> int:
    """How many significant digits the text of a decimal number has."""
    mantissa = number.lower().partition("e")[0]
    return len(mantissa.lstrip("+-").replace(".", "").strip("0"))


def inexact_counter(
    key: str, symbol_keys: tuple[str, ...], values: Mapping[str, Mapping[str, Dataset]]
) -> Inexact:
    """Counts the inexact values of frames whose kind stands under `key`.

    Args:
        key: where a frame says what it is; a topic's kind is what comes before its first dot.
        symbol_keys: where an object says its symbol, which holds for what is in it.
        values: per kind, the dataset of each field that holds numbers, alone or in lists.
    """
    names = {name.encode() for fields in values.values() for name in fields}

    def has_long_ids_alone(payload: bytes) -> bool:
        """Whether every long number stands directly under a key that holds no value of interest."""
        keys: list[bytes] = _LONG_VALUE.findall(payload)
        return all(key and key not in names for key in keys)

    def count(payload: bytes) -> Counter[tuple[Dataset, str]]:
        if not has_long_number(payload) or has_long_ids_alone(payload):
            return Counter()
        frame = json.loads(payload.decode(errors="replace"), parse_float=str, parse_int=str)
        fields = values.get(str(frame.get(key, "")).partition(".")[0], {})
        return Counter(
            (fields[field], symbol)
            for symbol, field, value in _fields(frame, symbol_keys)
            if field in fields
            for text in _texts(value)
            if significant_digits(text) > EXACT_DIGITS
        )

    return count


def _fields(frame: object, symbol_keys: tuple[str, ...]) -> Iterator[tuple[str, str, object]]:
    """(symbol, key, value) of every object member in the frame."""
    pending: list[tuple[str, object]] = [("", frame)]
    while pending:
        symbol, node = pending.pop()
        if isinstance(node, list):
            pending.extend((symbol, item) for item in cast("list[object]", node))
        elif isinstance(node, dict):
            members = cast("dict[str, object]", node)
            symbol = next((str(members[k]) for k in symbol_keys if k in members), symbol)
            for name, value in members.items():
                yield symbol, name, value
                pending.append((symbol, value))


def _texts(value: object) -> Iterator[str]:
    pending = [value]
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending.extend(cast("list[object]", node))
        elif isinstance(node, str):
            yield node
