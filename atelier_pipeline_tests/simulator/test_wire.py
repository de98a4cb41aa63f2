from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from atelier_pipeline.simulator.wire import Decimals, iso_micros, iso_trimmed, uuid_text


@given(st.integers(0, 10**15), st.integers(0, 10))
def test_fixed_text_is_the_exact_decimal_with_all_its_digits(units, digits):
    text = Decimals(digits, trimmed=False)[units]
    assert Decimal(text) == Decimal(units).scaleb(-digits)
    assert len(text.partition(".")[2]) == digits


@given(st.integers(0, 10**15), st.integers(0, 10))
def test_trimmed_text_is_the_exact_decimal_without_trailing_zeros(units, digits):
    text = Decimals(digits, trimmed=True)[units]
    assert Decimal(text) == Decimal(units).scaleb(-digits)
    assert "." not in text or text[-1] not in "0."


def test_the_memory_for_texts_is_bounded():
    spelled = Decimals(2, trimmed=False)
    for units in range(70_000):
        assert spelled[units].endswith(f"{units % 100:02d}")
    assert len(spelled) < 66_000


@given(st.integers(0, 4_102_444_800_000_000))
def test_times_are_utc_with_the_digits_that_the_spelling_wants(micros):
    expected = datetime.fromtimestamp(micros // 10**6, UTC).replace(microsecond=micros % 10**6)
    assert iso_micros(micros * 1000) == expected.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert datetime.fromisoformat(iso_trimmed(micros * 1000)) == expected


def test_a_trimmed_time_has_from_no_to_nine_digits():
    second = 1_790_787_800 * 10**9
    spelled = [iso_trimmed(second + ns).partition("2026-09-30T")[2] for ns in (0, 258 * 10**6, 1)]
    assert spelled == ["17:03:20Z", "17:03:20.258Z", "17:03:20.000000001Z"]


@given(st.integers(0, 2**128 - 1))
def test_uuids_are_spelled_as_python_spells_them(bits):
    assert uuid_text(bits) == str(UUID(int=bits))
