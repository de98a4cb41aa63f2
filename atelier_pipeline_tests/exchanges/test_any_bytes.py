"""Whatever bytes arrive: sound events or DecodeError, nothing else."""

import math
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atelier_pipeline.errors import DecodeError
from atelier_pipeline.exchanges.contract import Event
from atelier_pipeline.exchanges.registry import EXCHANGES
from atelier_pipeline.market.events import Liquidation, NormalizedDelta, TickerUpdate, Trade
from atelier_pipeline_tests.exchanges.own_recordings import frames_in, own_frames

INT64 = range(2**63)
LONGEST = 3_000

TOKENS = [
    b"-1", b"0", b"-0.0", b"1e999", b"1e-999", b"NaN", b"Infinity", b"9" * 400, b"9" * 5000,
    b"9223372036854775808", b"18446744073709551616", b"1.5e3", b"null", b"true", b"[]", b"{}",
    b'""', b'"nan"', b'"inf"', b'"-5"', b'"1e999"', b'"0.-10000"', b'"1_0"', b'"\\ud800"',
    b'"\xff"', b'"0001-01-01T00:00:00Z"', b'"9999-12-31T23:59:59.999999999Z"', b"[" * 100_000,
]  # fmt: skip

NAMES = pytest.mark.parametrize("name", EXCHANGES)


def is_sound_number(value: float | None, *, low: float = -math.inf) -> bool:
    return value is None or (math.isfinite(value) and value >= low)


def assert_sound(event: Event) -> None:
    if isinstance(event, NormalizedDelta | Trade | Liquidation | TickerUpdate):
        event.symbol.encode()
        assert event.ts_event in INT64
        assert event.ts_recv in INT64
    if isinstance(event, NormalizedDelta):
        for price, size in event.bids + event.asks:
            assert price > 0
            assert is_sound_number(price)
            assert is_sound_number(size, low=0)
        assert event.update_id is None or event.update_id in INT64
        assert event.checksum is None or event.checksum in range(2**32)
        if event.digits is not None:
            assert len(event.digits) == len(event.bids) + len(event.asks)
            assert all(number in range(2**64) for pair in event.digits for number in pair)
    elif isinstance(event, Trade | Liquidation):
        assert event.side in {"buy", "sell"}
        assert event.price > 0
        assert is_sound_number(event.price)
        assert is_sound_number(event.amount, low=0)
    elif isinstance(event, TickerUpdate):
        assert is_sound_number(event.funding_rate)
        assert is_sound_number(event.open_interest, low=0)
        assert is_sound_number(event.open_interest_value, low=0)


def check(name: str, payload: bytes, ts_recv: int) -> None:
    exchange = EXCHANGES[name]
    try:
        events = exchange.decode(payload, ts_recv)
    except DecodeError:
        return
    for event in events:
        assert_sound(event)
    assert exchange.decode(payload, ts_recv) == events
    assert all(count > 0 for count in exchange.inexact(payload).values())


@lru_cache
def recorded(folder: Path) -> list[bytes]:
    paths = sorted(folder.glob("*.frames.gz"))
    frames = [payload for path in paths for _, payload in frames_in(path)[:400]]
    return [payload for payload in frames if len(payload) < LONGEST]


@st.composite
def mutated(draw: st.DrawFn, frames: list[bytes]) -> bytes:
    """A frame, or two glued together, with one to four stretches replaced."""
    payload = draw(st.sampled_from(frames))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(payload)))
        end = min(len(payload), start + draw(st.integers(0, 40)))
        middle = draw(
            st.one_of(
                st.just(b""),
                st.sampled_from(TOKENS),
                st.binary(max_size=4),
                st.just(payload[start:end] * 2),
                st.sampled_from(frames),
            )
        )
        payload = payload[:start] + middle + payload[end:]
    return payload


@st.composite
def with_other_values(draw: st.DrawFn, frames: list[bytes]) -> bytes:
    """A frame in which one whole value between JSON's own marks is another."""
    payload = draw(st.sampled_from(frames))
    ends = [i for i, byte in enumerate(payload) if byte in b",]}"]
    end = draw(st.sampled_from(ends))
    start = max(payload.rfind(mark, 0, end) for mark in (b":", b",", b"["))
    return payload[: start + 1] + draw(st.sampled_from(TOKENS)) + payload[end:]


@NAMES
@settings(max_examples=150)
@given(data=st.data())
def test_random_bytes_give_events_or_decode_error(name: str, data: st.DataObject):
    check(name, data.draw(st.binary(max_size=200)), data.draw(st.sampled_from([0, 1, 2**62])))


@NAMES
@settings(max_examples=300)
@given(data=st.data())
def test_mutated_own_frames_give_events_or_decode_error(name: str, data: st.DataObject):
    frames = [payload for _, payload in own_frames(name)]
    check(name, data.draw(mutated(frames)), data.draw(st.sampled_from([0, 1, 2**62])))


@NAMES
@settings(max_examples=300)
@given(data=st.data())
def test_own_frames_with_other_values_give_events_or_decode_error(name: str, data: st.DataObject):
    frames = [payload for _, payload in own_frames(name)]
    check(name, data.draw(with_other_values(frames)), 0)


@NAMES
@settings(max_examples=200)
@given(data=st.data())
def test_mutated_recorded_frames_give_events_or_decode_error(
    name: str, recordings: Path, data: st.DataObject
):
    frames = recorded(recordings / name)
    check(name, data.draw(st.one_of(mutated(frames), with_other_values(frames))), 0)


@NAMES
@pytest.mark.parametrize("length", [0, 1, 2, 10, 20])
def test_a_frame_that_was_cut_off_gives_decode_error(name: str, length: int):
    for _, payload in own_frames(name):
        with pytest.raises(DecodeError):
            EXCHANGES[name].decode(payload[:length] if length else payload[:-1], 1)


@NAMES
def test_nesting_without_end_gives_decode_error(name: str):
    for _, payload in own_frames(name):
        deep = payload[:-1] + b',"x":' + b"[" * 200_000
        with pytest.raises(DecodeError):
            EXCHANGES[name].decode(deep, 1)


@NAMES
@pytest.mark.parametrize("payload", [b"", b" ", b"null", b"[]", b"{}", b"5", b'"text"', b"\xff"])
def test_json_that_is_no_frame_gives_decode_error(name: str, payload: bytes):
    with pytest.raises(DecodeError, match=name):
        EXCHANGES[name].decode(payload, 1)


@NAMES
def test_an_error_names_the_exchange_the_reason_and_the_start_of_the_frame(name: str):
    with pytest.raises(DecodeError) as caught:
        EXCHANGES[name].decode(b'{"nothing":' + b"0" * 1000, 1)
    message = str(caught.value)
    assert message.startswith(f"{name} does not document this frame: JSON is malformed")
    assert '{"nothing":000' in message
    assert len(message) < 400
