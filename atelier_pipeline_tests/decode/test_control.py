"""Payloads of our own frames."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atelier_pipeline.decode.control import (
    Closed,
    Dropped,
    Opened,
    control_payload,
    read_closed,
    read_dropped,
    read_opened,
)


def test_what_is_written_is_read_back() -> None:
    opened = Opened(url="ws://127.0.0.1:1", symbols=("BTC/USD", "ETH/USD"))
    closed = Closed(cause="shutdown", reason="SIGTERM")
    dropped = Dropped(cause="oversize", frames=3, reason="67108865 bytes")
    assert read_opened(control_payload(opened)) == opened
    assert read_closed(control_payload(closed)) == closed
    assert read_dropped(control_payload(dropped)) == dropped


@pytest.mark.parametrize("payload", [b"wss://example.invalid", b"[1]", b"\xff"])
def test_other_payloads_are_taken_as_words(payload: bytes) -> None:
    words = payload.decode("utf-8", "replace")
    assert read_opened(payload) == Opened(url=words)
    assert read_closed(payload) == Closed(cause="disconnect", reason=words)
    assert read_dropped(payload) == Dropped(cause="overflow", frames=0, reason=words)


@given(st.binary())
def test_any_payload_can_be_read(payload: bytes) -> None:
    assert isinstance(read_opened(payload), Opened)
    assert isinstance(read_closed(payload), Closed)
    assert isinstance(read_dropped(payload), Dropped)
