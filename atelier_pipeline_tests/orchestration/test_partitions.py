"""Partition keys and windows are two spellings of one thing."""

import datetime as dt
import itertools

import dagster as dg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atelier_pipeline.errors import SettingsError
from atelier_pipeline.market.window import Window
from atelier_pipeline.orchestration.partitions import (
    NS_PER_MINUTE,
    capture_partitions,
    next_window,
    parse_key,
    partition_key,
    window_at,
)

T0 = int(dt.datetime(2026, 2, 26, 15, tzinfo=dt.UTC).timestamp()) * 1_000_000_000
START = dt.datetime(2026, 2, 26, tzinfo=dt.UTC)
LENGTHS = [1, 2, 3, 5, 10, 12, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720, 1440]


def test_the_key_of_a_window_names_its_collector_and_its_start_in_utc():
    key = partition_key("bybit", Window(T0, T0 + 60 * NS_PER_MINUTE))
    assert str(key) == "bybit|2026-02-26T15:00"


@settings(max_examples=50, deadline=None)
@given(time_ns=st.integers(0, 4 * 10**18), minutes=st.sampled_from(LENGTHS))
def test_a_key_parses_back_to_its_collector_and_window(time_ns: int, minutes: int):
    window = window_at(time_ns, minutes)
    assert time_ns in window
    assert parse_key(partition_key("kraken", window), minutes) == ("kraken", window)


@pytest.mark.parametrize("minutes", LENGTHS)
def test_windows_of_dagster_are_the_windows_that_tile_the_time_axis(minutes: int):
    partitions = capture_partitions(["kraken", "bybit"], minutes, START)
    now = START + dt.timedelta(days=2, minutes=minutes / 3)
    with dg.partition_loading_context(now):
        keys = partitions.get_partition_keys()
    windows = {
        name: [parse_key(k, minutes)[1] for k in keys if k.startswith(name)]
        for name in ("bybit|", "kraken|")
    }
    current = window_at(round(now.timestamp()) * 1_000_000_000, minutes)
    assert windows["bybit|"] == windows["kraken|"]
    tiles = windows["bybit|"]
    assert tiles[0].start_ns == round(START.timestamp()) * 1_000_000_000
    assert all(next_window(a) == b for a, b in itertools.pairwise(tiles))
    assert tiles[-2:] == [current, next_window(current)]


@pytest.mark.parametrize("minutes", LENGTHS)
def test_the_window_in_progress_at_the_start_has_a_partition(minutes: int):
    start = START + dt.timedelta(hours=9)
    with dg.partition_loading_context(start + dt.timedelta(minutes=1)):
        keys = capture_partitions(["kraken"], minutes, start).get_partition_keys()
    assert partition_key("kraken", window_at(round(start.timestamp() * 1e9), minutes)) in keys


@pytest.mark.parametrize("minutes", [45, 90, 16, 96])
def test_a_length_that_no_cron_line_can_tell_is_refused_with_what_is_possible(minutes: int):
    with pytest.raises(SettingsError, match=f"ATELIER_WINDOW_MINUTES = {minutes}.*divide an hour"):
        capture_partitions(["bybit"], minutes, START)
