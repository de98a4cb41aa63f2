"""Dagster's web page and daemon on this machine, and with the demo profile the exchanges too."""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import dagster as dg

from atelier_pipeline.manifest import load_manifests
from atelier_pipeline.orchestration.instance import prepare_home, stopping
from atelier_pipeline.orchestration.pages import served_reports
from atelier_pipeline.orchestration.profile import use_profile
from atelier_pipeline.orchestration.sensors import STOPPED_TAG, WINDOW_JOB
from atelier_pipeline.orchestration.simulated import simulated_exchanges
from atelier_pipeline.orchestration.warm_up import compile_kernels
from atelier_pipeline.settings import Settings

WORKSPACE = Path(__file__).with_name("workspace.yaml")
HOST = "127.0.0.1"
SEALED_WITHIN_SECS = 120
POLL_SECS = 0.5
_UNDER_WAY = dg.RunsFilter(
    job_name=WINDOW_JOB,
    statuses=[
        dg.DagsterRunStatus.QUEUED,
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.STARTED,
        dg.DagsterRunStatus.CANCELING,
    ],
)
_CAN_END = (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTED)
"""A process that is just starting would end as failed, and be started again as crashed."""


def run_ui(*, profile: str = "demo", port: int = 3000) -> int:
    """Serve the UI on loopback until SIGINT or SIGTERM; returns the exit code of `dagster dev`.

    At the end captures under way are asked to seal what they have, and are waited for.

    Raises:
        SettingsError: the profile or a setting can't be used.
        ConnectionFailedError: the simulated exchanges did not start.
    """
    settings = use_profile(profile)
    prepare_home(settings.dagster_home)
    with (
        _ended_by_signals(),
        _exchanges(profile, settings),
        served_reports(settings, port + 1),
    ):
        _compile_kernels(settings)
        with _dagster_dev(port, settings.dagster_home) as process:
            return process.wait()


def _exchanges(profile: str, settings: Settings) -> contextlib.AbstractContextManager[None]:
    if profile == "live":
        return contextlib.nullcontext()
    return simulated_exchanges(settings.simulator_url)


def _compile_kernels(settings: Settings) -> None:
    """Compile before the first capture, which would else come late: half a minute, once."""
    print("Compiling kernels, half a minute at the first start.", flush=True)  # noqa: T201 - for people
    collectors = load_manifests(settings.manifests, window_minutes=settings.window_minutes)
    compile_kernels({each.exchange.name: each for each in collectors.values()}.values())


@contextlib.contextmanager
def _ended_by_signals() -> Generator[None]:
    """Let the first SIGINT or SIGTERM end the body, and later ones not disturb its ending."""
    asked = False

    def end(*_: object) -> None:
        nonlocal asked
        if not asked:
            asked = True
            raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    with contextlib.suppress(KeyboardInterrupt):
        yield


@contextlib.contextmanager
def _dagster_dev(port: int, home: Path) -> Generator[subprocess.Popen[bytes]]:
    """`dagster dev` in a session of its own, so that a Ctrl-C reaches it once, after the runs."""
    options = ["--workspace", str(WORKSPACE), "--host", HOST, "--port", str(port)]
    quiet = ["-W", "ignore:Function `dev_command`"]  # that `dg dev` supersedes it is our concern
    command = [sys.executable, *quiet, "-m", "dagster", "dev", *options]
    with (
        subprocess.Popen(command, start_new_session=True) as process,  # noqa: S603 - our own
        contextlib.ExitStack() as at_end,
    ):
        at_end.callback(process.terminate)
        at_end.callback(_end_captures, home)
        yield process


def _end_captures(home: Path) -> None:
    """Ask every capture to seal what it has and end, and wait until they have.

    Their windows are requested again if the UI is started before they are over.
    """
    deadline = time.monotonic() + SEALED_WITHIN_SECS
    with stopping(home), dg.DagsterInstance.get() as instance:
        while (runs := instance.get_runs(_UNDER_WAY)) and time.monotonic() < deadline:
            for run in runs:
                if run.status in _CAN_END:
                    instance.add_run_tags(run.run_id, {STOPPED_TAG: run.run_id})
                    instance.run_coordinator.cancel_run(run.run_id)
            time.sleep(POLL_SECS)
