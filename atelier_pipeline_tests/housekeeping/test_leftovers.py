"""What the dead have left is found; what the living write is not."""

import os
import subprocess
import sys

import pytest

from atelier_pipeline.housekeeping.leftovers import find_leftovers, remove_leftover
from atelier_pipeline_tests.housekeeping.captured import installation

HOUR_NS = 3_600_000_000_000
NAME = ".x_trades_raw_20260101_000000.000.parquet.{}-1.tmp"


@pytest.fixture(scope="module")
def dead() -> int:
    """The number of a process that is gone."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def left(folder, name):
    """A file that somebody has begun."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"half")
    return path


@pytest.mark.parametrize(
    ("lives", "hours", "found"),
    [
        (False, 0.9, False),
        (False, 1, True),
        (True, 1, False),
        (True, 23.9, False),
        (True, 24, True),
    ],
)
def test_a_file_goes_when_its_writer_is_gone_or_it_is_a_day_old(
    tmp_path, dead, lives, hours, found
):
    settings = installation(tmp_path)
    path = left(settings.lake / "a" / "b", NAME.format(os.getpid() if lives else dead))
    now_ns = path.stat().st_mtime_ns + round(hours * HOUR_NS)
    assert find_leftovers(settings, now_ns) == [path] * found


def test_leftovers_of_every_kind_are_found_and_removed(tmp_path, dead):
    settings = installation(tmp_path)
    lake = settings.lake / "bybit" / "BTCUSDT" / "trades"
    file = left(lake / "date=2026-01-01", NAME.format(dead))
    catalog = left(settings.catalog.parent, f".atelier.duckdb.{dead}-1.tmp")
    staged = left(lake / ".date=2026-01-01.staged", "x.parquet").parent
    removed = left(settings.journal / "bybit" / "main" / ".20260101_000000.000.removed", "x").parent
    kept = [left(lake, "x.tmp"), left(lake, ".hidden"), left(lake, ".x.parquet.one-1.tmp")]
    now_ns = file.stat().st_mtime_ns + 2 * HOUR_NS
    found = find_leftovers(settings, now_ns)
    assert found == [*sorted((file, catalog)), *sorted((staged, removed))]
    for path in found:
        remove_leftover(path)
    assert find_leftovers(settings, now_ns) == []
    assert all(path.exists() for path in kept)


def test_an_installation_without_a_lake_has_no_leftovers(tmp_path):
    assert find_leftovers(installation(tmp_path / "none"), 0) == []
