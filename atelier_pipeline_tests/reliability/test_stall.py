"""A disk that stands still costs counted frames, and no memory beyond the queue's limit."""

import re
from collections.abc import Callable

from atelier_pipeline_tests.reliability.conftest import Ran

LIMIT_KIB = 256


def test_every_message_of_a_stall_is_journaled_or_counted_and_the_queue_keeps_its_limit(
    command: Callable[..., Ran],
):
    ran = command("stall", "--secs", "2", "--rate", "2000", "--queue-kib", str(LIMIT_KIB))
    assert (ran.returncode, ran.stderr) == (0, "")
    numbers = [int(number) for number in re.findall(r"\d+", ran.stdout)]
    sent, journaled, dropped, records, unaccounted, largest = numbers[:6]
    assert sent == journaled + dropped
    assert unaccounted == 0
    assert dropped > 0
    assert records > 0
    # What waited when the disk stopped was in the queue too.
    assert LIMIT_KIB * 1024 * 0.5 < largest <= LIMIT_KIB * 1024
