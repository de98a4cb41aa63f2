"""Frames as lists, and the search for numbers of many digits."""

import re

from hypothesis import given
from hypothesis import strategies as st

from atelier_pipeline.decode.frame_rows import FrameRows, frame_rows, rows_with_long_numbers
from atelier_pipeline_tests.decode.script import frames_batch


def test_a_batch_becomes_lists_with_times_in_ns() -> None:
    batch = frames_batch([(5, 0, "text", b"a"), (0, 1, "closed", b"")], first_seq=7)
    assert frame_rows(batch) == FrameRows([7, 8], [5, 0], [0, 1], ["text", "closed"], [b"a", b""])


@given(st.lists(st.text("0123456789.,x", max_size=40).map(str.encode), max_size=12))
def test_rows_with_long_numbers_are_found_like_one_by_one(payloads: list[bytes]) -> None:
    found = [row for row, text in enumerate(payloads) if re.search(rb"[0-9.]{16}", text)]
    assert list(rows_with_long_numbers(payloads)) == found
