from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atelier_pipeline.errors import DecodeError
from atelier_pipeline.exchanges.contract import Event, Heartbeat
from atelier_pipeline.exchanges.wire import decoder, utc_ns

SECOND = 1_784_233_732_000_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fraction", "ns"),
    [
        ("", 0),
        (".1", 100_000_000),
        (".10", 100_000_000),
        (".258", 258_000_000),
        (".1653", 165_300_000),
        (".53813", 538_130_000),
        (".106115", 106_115_000),
        (".1061153", 106_115_300),
        (".10611532", 106_115_320),
        (".106115326", 106_115_326),
        (".000000001", 1),
    ],
)
def test_a_time_is_exact_with_any_number_of_fraction_digits(fraction: str, ns: int):
    assert utc_ns(f"2026-07-16T20:28:52{fraction}Z") == SECOND + ns


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0001-01-01T00:00:00.000000Z",
        "1970-01-01T00:00:00Z",
        "1970-12-31T23:59:59.999999999Z",
        "9999-12-31T23:59:59.999999999Z",
        "2262-01-01T00:00:00Z",
    ],
)
def test_a_time_that_exchanges_send_for_none_or_that_int64_cannot_hold_is_0(text: str):
    assert utc_ns(text) == 0


@pytest.mark.parametrize(
    "text",
    [
        "2026-07-16T20:28:52",
        "2026-07-16T20:28:52.Z",
        "2026-07-16T20:28:52.1234567890Z",
        "2026-07-16T20:28:52,5Z",
        "2026-07-16T20:28:52.5+00:00",
        "2026-07-16T20:28:52.1_0Z",
        "2026-07-16T20:28:52. 1Z",
        "2026-07-16T20:28:52.-1Z",
        "2026-07-16T20:28:52.\u0661Z",
        "\u0662026-07-16T20:28:52Z",
        "2026-07-16 20:28:52Z",
        "2026-02-30T00:00:00Z",
        "2026-07-16T24:00:00Z",
        "2026-07-16T20:28:60Z",
        "2026-07-16T20:28Z",
        "0001-01-01T00:00:00.xZ",
        "Z",
        "5",
    ],
)
def test_text_that_is_no_utc_time_is_refused(text: str):
    with pytest.raises(ValueError, match=r"UTC time|out of range|must be in|is out"):
        utc_ns(text)


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(2261, 12, 31)),  # noqa: DTZ001 - bounds are naive
    st.integers(0, 999),
)
def test_every_representable_nanosecond_survives_as_text(time: datetime, rest: int):
    text = f"{time.isoformat(timespec='microseconds')}{rest:03d}Z"
    micros = (time.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
    assert utc_ns(text) == micros * 1000 + rest


def reads_as(number: int):
    def reader(_payload: bytes, ts_recv: int) -> list[Event]:
        return [Heartbeat(ts_event=number, last_trade_id=ts_recv)]

    return reader


DECODE = decoder("somewhere", "kind", {b"a": reads_as(1), b"b": reads_as(2)}.get, reads_as(3))


@pytest.mark.parametrize(
    ("payload", "reader"),
    [
        (b'{"kind":"a","more":1}', 1),
        (b'{"kind":"b"}', 2),
        (b'{"kind": "a"}', 1),
        (b' {"more":{"kind":"b"},"kind":"a"}', 1),
        (b'{"kind":"\\u0062"}', 2),
        (b'{"kind":"c"}', 3),
        (b'{"other":"a"}', 3),
    ],
)
def test_a_frame_is_read_by_the_reader_of_its_kind_wherever_the_key_stands(
    payload: bytes, reader: int
):
    assert DECODE(payload, 7) == [Heartbeat(ts_event=reader, last_trade_id=7)]


@pytest.mark.parametrize("payload", [b"[1]", b'{"kind":5}', b'{"kind":"a', b'{"kind":"c"'])
def test_a_frame_without_a_readable_kind_gives_decode_error(payload: bytes):
    with pytest.raises(DecodeError, match="somewhere"):
        DECODE(payload, 0)


def test_an_error_that_no_frame_can_cause_is_not_hidden():
    def broken(_payload: bytes, _ts_recv: int) -> list[Event]:
        raise KeyError("a fault of the program")

    with pytest.raises(KeyError):
        decoder("somewhere", "kind", {b"a": broken}.get, broken)(b'{"kind":"a"}', 0)
