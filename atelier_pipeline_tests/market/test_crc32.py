"""The compiled checksum, proved by zlib."""

import zlib

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from atelier_pipeline.market.crc32 import crc32_of_decimals


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1), max_size=40))
def test_it_is_the_crc32_of_the_decimal_text(numbers):
    text = "".join(map(str, numbers)).encode("ascii")
    assert crc32_of_decimals(np.array(numbers, np.uint64)) == zlib.crc32(text)
