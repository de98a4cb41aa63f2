"""The front door: everything that Dagster can see."""

import dagster as dg

from atelier_pipeline.orchestration.alerts import alert_sensor
from atelier_pipeline.orchestration.automation import automation_sensor, lookback
from atelier_pipeline.orchestration.checks import stage_checks
from atelier_pipeline.orchestration.daily import daily_verdict_asset, day_job
from atelier_pipeline.orchestration.derived import aggregates_asset, catalog_asset, sync_assets
from atelier_pipeline.orchestration.forgetting import forgetting_sensors
from atelier_pipeline.orchestration.freshness import collector_assets
from atelier_pipeline.orchestration.housekeeping import (
    compact_job,
    housekeeping_schedules,
    prune_job,
)
from atelier_pipeline.orchestration.installation import Installation
from atelier_pipeline.orchestration.raw import raw_assets
from atelier_pipeline.orchestration.redecode_check import REDECODE, redecode_check, redecode_job
from atelier_pipeline.orchestration.sensors import WINDOW_JOB, capture_sensor
from atelier_pipeline.settings import load_settings
from atelier_pipeline.validate.rule import Stage


def house(installation: Installation) -> dg.Definitions:
    """All assets, checks, jobs and sensors of one installation."""
    partitions, days = installation.partitions(), installation.days()
    recent = lookback(installation.settings.window_minutes)
    window_job = dg.define_asset_job(
        WINDOW_JOB,
        selection=dg.AssetSelection.all()
        - dg.AssetSelection.assets("daily_verdict")
        - dg.AssetSelection.checks(REDECODE),
        description="One window of one collector: capture, sync, aggregates, and their checks.",
        executor_def=dg.in_process_executor,
    )
    return dg.Definitions(
        assets=[
            raw_assets(partitions),
            sync_assets(partitions, recent),
            aggregates_asset(partitions, recent),
            catalog_asset(),
            daily_verdict_asset(days),
            *collector_assets(installation.collectors, installation.settings.window_minutes),
        ],
        asset_checks=[
            *(stage_checks(stage, partitions, recent) for stage in Stage),
            redecode_check(partitions),
        ],
        jobs=[window_job, day_job(), redecode_job(partitions), compact_job, prune_job],
        schedules=housekeeping_schedules(),
        sensors=[capture_sensor(), automation_sensor(), alert_sensor(), *forgetting_sensors()],
        resources={"installation": installation},
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """What `dagster dev` loads: the installation that the environment describes."""
    return house(Installation.of(load_settings()))
