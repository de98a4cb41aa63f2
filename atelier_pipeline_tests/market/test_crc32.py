"""The compiled checksum, proved by zlib."""

import zlib

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from atelier_pipeline.market.crc32 import NOTHING, with_decimal, with_part

NUMBERS = st.integers(0, 2**64 - 1)


@settings(max_examples=200, deadline=None)
@given(st.lists(NUMBERS, max_size=40))
def test_it_is_the_crc32_of_the_decimal_text(numbers):
    text = "".join(map(str, numbers)).encode("ascii")
    crc = NOTHING
    for number in numbers:
        crc, _ = with_decimal(crc, np.uint64(number))
    assert crc ^ NOTHING == zlib.crc32(text)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=20))
def test_it_is_the_same_put_together_from_parts(pairs):
    text = "".join(f"{price}{size}" for price, size in pairs).encode("ascii")
    crc = NOTHING
    for price, size in pairs:
        part, price_length = with_decimal(np.int64(0), np.uint64(price))
        part, size_length = with_decimal(part, np.uint64(size))
        crc = with_part(crc, part, np.int64(price_length + size_length))
        assert price_length + size_length == len(f"{price}{size}")
    assert crc ^ NOTHING == zlib.crc32(text)
