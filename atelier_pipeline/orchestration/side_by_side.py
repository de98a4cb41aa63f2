"""Runs of `window_job` side by side without a daemon: one process for each collector.

A process for each, since Dagster executes one run in a process at a time. Nothing here prints.
"""

import importlib
import multiprocessing
import uuid
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.context import SpawnProcess
from typing import Any, Protocol

import dagster as dg

from atelier_pipeline.errors import AtelierError
from atelier_pipeline.market.window import Window
from atelier_pipeline.orchestration.installation import Installation
from atelier_pipeline.orchestration.instance import commit_without_waiting
from atelier_pipeline.orchestration.partitions import partition_key
from atelier_pipeline.orchestration.sensors import WINDOW_JOB
from atelier_pipeline.settings import load_settings

FRONT_DOOR = "atelier_pipeline.definitions"
"""Loaded by name, as Dagster does: it is a floor above."""
ENDED_WITHIN_SECS = 10


class Pipe(Protocol):
    """One end of a connection between two processes."""

    def send(self, obj: object, /) -> None:
        """Send a value."""

    def recv(self) -> Any:  # noqa: ANN401 - what comes is what the other end sent
        """Wait for a value; raises EOFError where the other end is gone."""


@dataclass(frozen=True, slots=True)
class WindowRun:
    """A run of one collector in a process of its own; `run_id` names it in Dagster."""

    collector: str
    process: SpawnProcess
    pipe: Pipe
    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def wait_ready(self) -> None:
        """Wait until the process has loaded everything and could start at once."""
        try:
            self.pipe.recv()
        except EOFError:
            raise AtelierError(f"the process of {self.collector} ended: see above") from None

    def start(self, window: Window, seconds: float) -> None:
        """Run the job for `window`, of which `seconds` are captured."""
        self.pipe.send((self.run_id, window, seconds))

    def is_over(self) -> bool:
        """Whether the run has ended, one way or another."""
        return not self.process.is_alive()


@contextmanager
def window_runs(collectors: Iterable[str]) -> Generator[list[WindowRun]]:
    """A process for each collector, which loads and then waits for its start."""
    runs = [_spawned(collector) for collector in collectors]
    try:
        yield runs
    finally:
        for run in runs:
            run.process.terminate()
            run.process.join(ENDED_WITHIN_SECS)


def _spawned(collector: str) -> WindowRun:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(collector, theirs), name=collector)
    process.start()
    theirs.close()
    return WindowRun(collector, process, ours)


def _work(collector: str, pipe: Pipe) -> None:
    """The life of one process: load, wait for the start, run, end."""
    commit_without_waiting()
    house = importlib.import_module(FRONT_DOOR).house(Installation.of(load_settings()))
    job = house.resolve_job_def(WINDOW_JOB)
    pipe.send("ready")
    run_id, window, seconds = pipe.recv()
    quiet = {"console": {"config": {"log_level": "CRITICAL"}}}
    with dg.DagsterInstance.get() as instance:
        job.execute_in_process(
            run_id=run_id,
            partition_key=partition_key(collector, window),
            run_config={"ops": {"raw": {"config": {"seconds": seconds}}}, "loggers": quiet},
            instance=instance,
            raise_on_error=False,
        )
