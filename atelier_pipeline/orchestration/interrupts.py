"""Terminations asked for in Dagster, held back until a capture has sealed its files.

The only place that touches private names of Dagster: `capture_interrupts` and
`check_captured_interrupt` (signals of a run worker), and the error that ends a run as CANCELED.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._utils.interrupts import capture_interrupts, check_captured_interrupt


@dataclass
class Termination:
    """Whether this run was asked to end while its work held terminations back."""

    asked: bool = False

    def poll(self) -> bool:
        """True from the moment a termination was asked for; cheap, so ask often."""
        self.asked = self.asked or check_captured_interrupt()
        return self.asked

    def end_run(self) -> None:
        """End the run as CANCELED if a termination was asked for."""
        if self.asked:
            raise DagsterExecutionInterruptedError


@contextmanager
def terminations_held() -> Generator[Termination]:
    """Hold terminations back while the body runs: it polls, finishes its files and leaves."""
    termination = Termination()
    with capture_interrupts():
        yield termination
        termination.poll()
