"""Ticks over a range of time: whichever files hold them, each one once, and clear refusals."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake.footer import Footer
from atelier_pipeline.lake.names import FileKind, Mode, lake_path
from atelier_pipeline.lake.schemas import SNAPSHOTS
from atelier_pipeline.lake.ticks import TickRange, require_ticks, tick_batches, tick_range, utc_ns
from atelier_pipeline.lake.writer import write_table

MS = 1_000_000
T0 = int(datetime(2026, 2, 26, 15, tzinfo=UTC).timestamp()) * 1000 * MS
STEP = 100 * MS
MARKET = ("kraken", "BTC/USD")


def write_ticks(lake: Path, stamps: list[int], t0: int, market: tuple[str, str] = MARKET) -> Path:
    rows = [{"grid_ts": time, "symbol": market[1], "exchange": market[0]} for time in stamps]
    table = pa.Table.from_pylist(rows, schema=SNAPSHOTS)
    path = lake_path(lake, *market, FileKind.SNAPSHOTS, Mode.SYNC, t0)
    return write_table(
        table, path, Footer(exchange=market[0], symbol=market[1], source="replay")
    ).path


def ticks(first: int, count: int) -> list[int]:
    return [T0 + (first + k) * STEP for k in range(count)]


def read(lake: Path, chosen: TickRange) -> list[int]:
    batches = list(tick_batches(lake, FileKind.SNAPSHOTS, *MARKET, chosen))
    return [int(t) for b in batches for t in b["grid_ts"].cast(pa.int64()).to_numpy()]


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two windows of ten ticks, a hole of one window, a window without rows, one more of ten."""
    lake = tmp_path_factory.mktemp("windows")
    for window in (0, 1, 4):
        write_ticks(lake, ticks(10 * window + 1, 10), T0 + 10 * window * STEP)
    write_ticks(lake, [], T0 + 30 * STEP)
    return lake


HELD = [*ticks(1, 20), *ticks(41, 10)]


@given(st.integers(-5, 60), st.integers(-5, 60), st.integers(-1, 1))
def test_a_range_has_the_ticks_after_its_start_up_to_its_end(windows, start, end, off):
    chosen = TickRange(T0 + start * STEP + off, T0 + end * STEP)
    assert read(windows, chosen) == [t for t in HELD if chosen.after_ns < t <= chosen.until_ns]


def test_ranges_that_touch_share_no_tick_and_leave_none_out(windows):
    cuts = [T0, T0 + 7 * STEP, T0 + 10 * STEP, T0 + 43 * STEP, T0 + 50 * STEP]
    parts = [read(windows, tick_range(a, b)) for a, b in pairwise(cuts)]
    assert [tick for part in parts for tick in part] == HELD


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(0, 50), st.integers(0, 50))
def test_files_of_workers_of_any_length_are_read_through(tmp_path_factory, lengths, start, end):
    lake, held = tmp_path_factory.mktemp("worker"), []
    for length in lengths:
        stamps = [T0 + 123_456 + (len(held) + k) * STEP for k in range(length)]
        write_ticks(lake, stamps, stamps[0])
        held += stamps
    chosen = TickRange(T0 + start * STEP, T0 + end * STEP)
    assert read(lake, chosen) == [t for t in held if chosen.after_ns < t <= chosen.until_ns]


def test_a_file_s_ticks_after_the_cut_stamp_of_the_next_one_are_found(tmp_path):
    first = [T0 + k * 100_000 for k in range(1, 16)]
    second = [T0 + k * 100_000 for k in range(16, 20)]
    write_ticks(tmp_path, first, first[0])
    write_ticks(tmp_path, second, second[0])
    assert read(tmp_path, TickRange(T0 + 1_200_000, T0 + 1_700_000)) == [
        T0 + k * 100_000 for k in range(13, 18)
    ]


def test_a_tick_that_two_files_hold_is_refused(tmp_path):
    write_ticks(tmp_path, ticks(1, 10), T0)
    later = write_ticks(tmp_path, ticks(10, 10), T0 + 5 * STEP)
    with pytest.raises(LakeError, match=r"2026-02-26T15:00:01\.000000000 UTC.*overlap") as refusal:
        read(tmp_path, tick_range(None, None))
    assert str(later) in str(refusal.value)


def test_a_file_whose_ticks_are_not_sorted_is_refused(tmp_path):
    write_ticks(tmp_path, ticks(1, 10)[::-1], T0)
    with pytest.raises(LakeError, match="not sorted"):
        read(tmp_path, tick_range(None, None))


def test_what_lies_beyond_the_range_is_not_even_opened(tmp_path):
    write_ticks(tmp_path, ticks(1, 10), T0)
    for window in (-1, 1):
        damaged = write_ticks(tmp_path, ticks(10 * window + 1, 10), T0 + 10 * window * STEP)
        damaged.write_bytes(b"damaged")
    assert read(tmp_path, TickRange(T0 + MS, T0 + 9 * STEP)) == ticks(1, 9)
    with pytest.raises(LakeError, match="no whole Parquet file"):
        read(tmp_path, TickRange(T0 + MS, T0 + 11 * STEP))


def test_a_time_is_utc_ns_or_a_datetime_with_a_zone():
    noon = datetime(2026, 2, 26, 12, 0, 0, 1, tzinfo=UTC)
    assert utc_ns(noon) == 1_772_107_200_000_001_000
    assert utc_ns(noon.astimezone(timezone(timedelta(hours=9)))) == utc_ns(noon)
    assert utc_ns(np.int64(5)) == 5
    assert tick_range(noon, utc_ns(noon) + 1) == TickRange(utc_ns(noon), utc_ns(noon) + 1)


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        (datetime(2026, 2, 26), None, "no time zone"),  # noqa: DTZ001 - what is refused
        (-1, None, "no time since 1970"),
        (None, 2**63, "no time since 1970"),
        (5, 5, "a range that starts at 5 can't end at 5"),
        (None, 0, "can't end at 0"),
    ],
)
def test_a_range_that_no_tick_can_lie_in_is_refused(start, end, words):
    with pytest.raises(LakeError, match=words):
        tick_range(start, end)


@pytest.mark.parametrize(
    ("exchange", "symbol", "words"),
    [
        ("bybit", "BTCUSDT", r"no snapshots of exchange 'bybit', but of kraken"),
        ("kraken", "ETH/USD", r"no snapshots of kraken 'ETH/USD', but of BTC-USD"),
        ("kraken", "../x", "can't name a file"),
        ("Kraken", "BTC/USD", "no snapshots of exchange|can't name a folder"),
    ],
)
def test_a_market_that_the_lake_lacks_is_refused_with_those_it_has(
    windows, exchange, symbol, words
):
    with pytest.raises(LakeError, match=words):
        require_ticks(windows, FileKind.SNAPSHOTS, exchange, symbol, tick_range(None, None))


def test_a_range_without_ticks_is_refused_with_what_there_is(windows):
    in_the_hole = TickRange(T0 + 20 * STEP, T0 + 40 * STEP)
    with pytest.raises(LakeError, match=r"BTC/USD after 2026-02-26T15:00:02.*begin at .*15:00:00"):
        require_ticks(windows, FileKind.SNAPSHOTS, *MARKET, in_the_hole)
    seconds_taken_for_ns = tick_range(T0 // 10**9, T0 // 10**9 + 60)
    with pytest.raises(LakeError, match=r"after 1970-01-01T00:00:01\.772"):
        require_ticks(windows, FileKind.SNAPSHOTS, *MARKET, seconds_taken_for_ns)


def test_a_folder_that_is_no_lake_is_refused(tmp_path):
    with pytest.raises(LakeError, match="nowhere is no lake with snapshots files"):
        require_ticks(tmp_path / "nowhere", FileKind.SNAPSHOTS, *MARKET, tick_range(None, None))
