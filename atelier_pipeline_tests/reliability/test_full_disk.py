"""A full disk ends a capture with what it has: sealed, recorded, and told in one sentence."""

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from atelier_pipeline_tests.reliability.conftest import Ran

APART = ("unshare", "--user", "--map-root-user", "--mount")


def full_disk(command: Callable[..., Ran], *options: str) -> dict[str, Any]:
    if subprocess.run([*APART, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a file system of a few MiB")
    ran = command("full_disk", *options, through=APART)
    assert (ran.returncode, ran.stderr) == (0, "")
    return json.loads(ran.stdout)


def test_a_disk_that_fills_up_slowly_ends_the_capture_at_its_floor(command: Callable[..., Ran]):
    found = full_disk(command)
    assert "no more than 3 MiB free (ATELIER_DISK_FLOOR_MIB)" in found["error"]
    assert "its files are sealed; free some disk and start the window again" in found["error"]
    assert found["causes"] == ["late_start", "shutdown"]
    assert found["details"] == ["disk_floor"]
    assert found["orderbooks"] > 0


def test_a_disk_that_somebody_else_fills_costs_the_frames_of_one_write_and_says_so(
    command: Callable[..., Ran],
):
    found = full_disk(command, "--at-once")
    assert "segment-000.arrows can't be written: No space left on device" in found["error"]
    assert "frames are lost, and no more are taken" in found["error"]
    assert found["causes"] == ["crash", "late_start"]
    assert found["orderbooks"] > 0
