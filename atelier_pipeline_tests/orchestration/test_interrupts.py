"""A termination waits until the work inside has finished."""

import os
import signal

import pytest
from dagster._core.errors import DagsterExecutionInterruptedError

from atelier_pipeline.orchestration.interrupts import terminations_held


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_termination_inside_is_seen_by_polling_and_ends_the_run_afterwards(number: int):
    with terminations_held() as termination:
        assert not termination.poll()
        os.kill(os.getpid(), number)
        assert termination.poll()
    with pytest.raises(DagsterExecutionInterruptedError):
        termination.end_run()


def test_a_termination_after_the_last_poll_is_not_forgotten():
    with terminations_held() as termination:
        os.kill(os.getpid(), signal.SIGINT)
    assert termination.asked


def test_without_a_termination_the_run_goes_on():
    with terminations_held() as termination:
        pass
    termination.end_run()
    assert not termination.asked
