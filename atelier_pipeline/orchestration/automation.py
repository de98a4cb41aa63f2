"""What follows by itself when raw files are made again: checks, sync files, aggregates, catalog.

Scheduled windows don't need it, their one run makes everything; rebuilt and stopped ones do.
"""

import datetime as dt

import dagster as dg

LOOKBACK = dt.timedelta(days=3650)
FOLLOWS_TAG = "atelier/follows"
"""On runs that make again what is derived; their number at a time is limited in dagster.yaml."""


def follows() -> dg.AutomationCondition[dg.AssetKey | dg.AssetCheckKey]:
    """When what a window's asset depends on was made again and has no error, for any window.

    `eager` alone looks at the latest window only, which here is one that has not opened yet.
    """
    eager = dg.AutomationCondition.eager().replace("in_latest_time_window", _any_window())
    return eager & dg.AutomationCondition.all_deps_blocking_checks_passed()


def checks_what_was_made() -> dg.AutomationCondition[dg.AssetCheckKey]:
    """When what a window's check depends on was made again, and no run has judged it yet.

    `eager` does not see that a check of a partition was executed, and would execute it twice.
    """
    made = dg.AutomationCondition.any_deps_updated().since(dg.AutomationCondition.newly_requested())
    judged = dg.AutomationCondition.check_passed() | dg.AutomationCondition.check_failed()
    return (
        _any_window()
        & made
        & ~judged
        & ~dg.AutomationCondition.any_deps_missing()
        & ~dg.AutomationCondition.any_deps_in_progress()
        & ~dg.AutomationCondition.in_progress()
    )


def _any_window() -> dg.AutomationCondition[dg.AssetKey | dg.AssetCheckKey]:
    return dg.AutomationCondition.in_latest_time_window(lookback_delta=LOOKBACK)


def follows_any_window() -> dg.AutomationCondition[dg.AssetKey | dg.AssetCheckKey]:
    """When any window upstream was made again; captures in progress don't hold it back."""
    updated = dg.AutomationCondition.any_deps_updated().since_last_handled()
    return updated & ~dg.AutomationCondition.in_progress()


def automation_sensor() -> dg.AutomationConditionSensorDefinition:
    """Evaluates the conditions every 30 s; off until it is turned on.

    One run for each window, never a backfill: that takes the assets alone, and Dagster would start
    their checks beside it, before there is anything to judge.
    """
    return dg.AutomationConditionSensorDefinition(
        "follow_raw",
        target=dg.AssetSelection.all(),
        emit_backfills=False,
        run_tags={FOLLOWS_TAG: "raw"},
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Checks raw files made again, and makes again what is derived from them.",
    )
