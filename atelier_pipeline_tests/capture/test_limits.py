"""What a capture may use."""

from pathlib import Path

import pytest

from atelier_pipeline.capture.limits import MIB, CaptureLimits, free_bytes
from atelier_pipeline.errors import JournalError
from atelier_pipeline.settings import Settings


def test_limits_are_those_of_the_installation():
    settings = Settings(window_disk_mib=5, disk_floor_mib=4, frame_limit_mib=2, journal_queue_mib=3)
    assert CaptureLimits.from_settings(settings) == CaptureLimits(
        frame_bytes=2 * MIB,
        queue_bytes=3 * MIB,
        window_disk_bytes=5 * MIB,
        disk_floor_bytes=4 * MIB,
    )
    assert CaptureLimits.from_settings(Settings()) == CaptureLimits()


def test_free_disk_is_known_of_a_folder_that_is_still_to_be_made(tmp_path: Path):
    assert free_bytes(tmp_path / "a" / "b") > 0


def test_a_disk_without_room_for_a_window_is_refused_with_what_to_do(tmp_path: Path):
    with pytest.raises(JournalError, match=r"MiB free, a window needs .*ATELIER_WINDOW_DISK_MIB"):
        CaptureLimits(window_disk_bytes=2**62).check_disk(tmp_path / "journal")
    CaptureLimits(window_disk_bytes=1).check_disk(tmp_path / "journal")


def test_the_floor_is_reached_when_no_more_than_that_is_free(tmp_path: Path):
    assert CaptureLimits(disk_floor_bytes=2**62).at_floor(tmp_path)
    assert not CaptureLimits(disk_floor_bytes=0).at_floor(tmp_path)
