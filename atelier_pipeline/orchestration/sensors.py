"""Requests each window's capture before the window opens, one run per collector.

Nothing here captures: the run that is requested waits for its window by itself.
"""

from collections.abc import Iterable, Iterator

import dagster as dg

from atelier_pipeline.manifest import Collector
from atelier_pipeline.market.window import Window
from atelier_pipeline.orchestration.freshness import first_requests
from atelier_pipeline.orchestration.installation import Installation
from atelier_pipeline.orchestration.instance import is_stopping
from atelier_pipeline.orchestration.partitions import (
    next_window,
    partition_key,
    window_at,
)

NS_PER_SEC = 1_000_000_000
WORTH_JOINING_NS = 20 * NS_PER_SEC
"""A run needs up to 20 s to start: a window with less than that to go is left alone."""

WINDOW_JOB = "window_job"
STOPPED_TAG = "atelier/stopped"
"""On runs that were ended because the whole installation was stopped: their own id.

A run that goes on behind another one inherits its tags, but not the id.
"""

RUN_TAGS = {
    "dagster/priority": "10",  # before any backfill in the queue
    "dagster/max_retries": "3",  # a run whose process died goes on within its window
}


def capture_sensor() -> dg.SensorDefinition:
    """A sensor that requests the windows in progress and about to open, each one once."""

    @dg.sensor(
        name="capture_windows",
        job_name=WINDOW_JOB,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Requests the capture of every window, for every collector. Turn it on once.",
    )
    def capture_windows(
        context: dg.SensorEvaluationContext, installation: dg.ResourceParam[Installation]
    ) -> dg.SensorResult | dg.SkipReason:
        if is_stopping(installation.settings.dagster_home):
            return dg.SkipReason("the installation is being stopped")
        return dg.SensorResult(
            run_requests=list(capture_requests(installation, context.instance)),
            asset_events=list(first_requests(installation.collectors, context.instance)),
        )

    return capture_windows


def capture_requests(
    installation: Installation, instance: dg.DagsterInstance
) -> Iterator[dg.RunRequest]:
    """The runs that should be under way now; Dagster starts each `run_key` once."""
    minutes, now_ns = installation.settings.window_minutes, installation.now_ns()
    for collector in installation.collectors.values():
        for window in due_windows(collector, now_ns, minutes):
            key = partition_key(collector.name, window)
            again = _stopped_runs(instance, key)
            run_key = f"{key}|{again}" if again else str(key)
            yield dg.RunRequest(run_key=run_key, partition_key=key, tags=RUN_TAGS)


def _stopped_runs(instance: dg.DagsterInstance, key: dg.MultiPartitionKey) -> int:
    """How many runs of a window were stopped with the installation.

    One that died in that very moment is no such run: it is started again for having failed.
    """
    canceled = dg.RunsFilter(
        tags={"dagster/partition": key}, statuses=[dg.DagsterRunStatus.CANCELED]
    )
    return sum(run.tags.get(STOPPED_TAG) == run.run_id for run in instance.get_runs(canceled))


def due_windows(collector: Collector, now_ns: int, window_minutes: int) -> Iterable[Window]:
    """The window in progress at `now_ns`, and the next one once its prelaunch has begun."""
    current = window_at(now_ns, window_minutes)
    if current.end_ns - now_ns >= WORTH_JOINING_NS:
        yield current
    if now_ns >= current.end_ns - round(collector.window.prelaunch_secs * NS_PER_SEC):
        yield next_window(current)
