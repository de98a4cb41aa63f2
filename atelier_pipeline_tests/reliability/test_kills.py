"""Processes killed at any moment leave whole files, and a ledger of what they lost."""

import re
from collections.abc import Callable

from atelier_pipeline_tests.reliability.conftest import Ran

SEED = "34"
"""With this one both captures are killed while they stream."""


def test_captures_and_sealings_that_are_killed_leave_whole_files_and_go_on(
    command: Callable[..., Ran],
):
    exchanges = ("--exchange", "kraken", "--exchange", "bybit")
    ran = command("kills", "--kills", "8", "--seed", SEED, *exchanges)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "wrong: 0\n" in ran.stdout
    assert re.findall(r"killed in the (.*): 2\n", ran.stdout) == [
        "run",
        "sealing",
        "calls of the run",
        "calls of the sealing",
    ]
    assert len(re.findall(r"^(?:bybit|kraken) [1-4]/4: ", ran.stdout, re.MULTILINE)) == 8
    # A capture was really cut off, and what it lost was told.
    torn, went_on, lost = re.findall(r"(\d+), of which (\d+) went on; lost: (\d+)", ran.stdout)[0]
    assert 0 < int(went_on) <= int(torn)
    assert int(lost) > 0
