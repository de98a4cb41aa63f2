"""A capture that is terminated in the UI ends as a user wants it to."""

import json
from collections.abc import Callable

from atelier_pipeline_tests.reliability.conftest import Ran

RAW = ["captures", "fundings", "gaps", "liquidations", "open_interests", "orderbooks", "trades"]


def test_a_capture_terminated_through_the_ui_is_sealed_materialised_and_canceled(
    command: Callable[..., Ran],
):
    ran = command("ui_runs", "terminate")
    assert (ran.returncode, ran.stderr) == (0, "")
    found = json.loads(ran.stdout)
    assert found["answer"] == "TerminateRunSuccess"
    assert {f"raw/{name}" for name in RAW} <= set(found["materialised"])
    assert found["losses"] == {"late_start": 2, "shutdown": 2}
    assert found["books"] > 0
    assert found["locked"] == 0
