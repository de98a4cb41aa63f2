"""What keeps DAGSTER_HOME small: sensors that are on from the start and forget what is old.

How a log is forgotten is in `run_logs`; nothing of the lake is touched here.
"""

import dagster as dg
from dagster._core.storage.event_log import SqliteEventLogStorage

from atelier_pipeline.orchestration.installation import Installation
from atelier_pipeline.orchestration.partitions import NS_PER_MINUTE, NS_PER_SEC
from atelier_pipeline.orchestration.run_logs import forget_log, old_logs

WINDOWS_EXPLAINED = 20
"""Windows of which automation's findings are kept; with one-minute windows they are some 60 MB."""
LOGS_AT_ONCE = 100
"""Forgotten in one evaluation: it must end within a minute, and the next one goes on."""
SECS_PER_DAY = 86_400


def forgetting_sensors() -> list[dg.SensorDefinition]:
    """All sensors that forget."""
    return [forget_evaluations_sensor(), forget_run_logs_sensor()]


def forget_evaluations_sensor() -> dg.SensorDefinition:
    """Forgets what automation found: Dagster itself does so after 30 days."""

    @dg.sensor(
        name="forget_evaluations",
        minimum_interval_seconds=300,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Forgets what automation found more than {WINDOWS_EXPLAINED} windows ago; "
        "touches no run.",
    )
    def forget_evaluations(
        context: dg.SensorEvaluationContext, installation: dg.ResourceParam[Installation]
    ) -> dg.SkipReason:
        kept_ns = WINDOWS_EXPLAINED * installation.settings.window_minutes * NS_PER_MINUTE
        storage = context.instance.schedule_storage
        if storage is not None:
            storage.purge_asset_evaluations((installation.now_ns() - kept_ns) / NS_PER_SEC)
        return dg.SkipReason(f"evaluations of the last {WINDOWS_EXPLAINED} windows are kept")

    return forget_evaluations


def forget_run_logs_sensor() -> dg.SensorDefinition:
    """Forgets the logs of old runs: Dagster itself keeps them for ever."""

    @dg.sensor(
        name="forget_run_logs",
        minimum_interval_seconds=600,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Removes logs of runs, and pictures of materialisations, that are older than "
        "ATELIER_RUN_LOG_DAYS. Runs, partitions, numbers and checks stay.",
    )
    def forget_run_logs(
        context: dg.SensorEvaluationContext, installation: dg.ResourceParam[Installation]
    ) -> dg.SkipReason:
        days, storage = installation.settings.run_log_days, context.instance.event_log_storage
        if not days:
            return dg.SkipReason("ATELIER_RUN_LOG_DAYS is 0: logs are kept for ever")
        if not isinstance(storage, SqliteEventLogStorage):
            return dg.SkipReason("this instance does not keep its logs in SQLite files")
        before = installation.now_ns() / NS_PER_SEC - days * SECS_PER_DAY
        old = old_logs(storage, before)[:LOGS_AT_ONCE]
        forgotten = sum(forget_log(context.instance, storage, run_id) for run_id in old)
        return dg.SkipReason(f"logs of {forgotten} runs older than {days:g} days were removed")

    return forget_run_logs
