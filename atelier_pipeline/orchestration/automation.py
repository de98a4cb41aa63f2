"""What follows by itself when raw files are made again: checks, sync files, aggregates, catalog.

Scheduled windows don't need it, their one run makes everything; rebuilt and stopped ones do.
"""

import datetime as dt

import dagster as dg

LOOKBACK = dt.timedelta(days=3650)


def follows() -> dg.AutomationCondition[dg.AssetKey | dg.AssetCheckKey]:
    """When what a window's asset or check depends on was made again, for any window.

    `eager` alone looks at the latest window only, which here is one that has not opened yet.
    """
    any_window = dg.AutomationCondition.in_latest_time_window(lookback_delta=LOOKBACK)
    return dg.AutomationCondition.eager().replace("in_latest_time_window", any_window)


def follows_checked() -> dg.AutomationCondition[dg.AssetKey | dg.AssetCheckKey]:
    """As `follows`, once the checks of what it depends on have not found an error."""
    return follows() & dg.AutomationCondition.all_deps_blocking_checks_passed()


def follows_any_window() -> dg.AutomationCondition[dg.AssetKey | dg.AssetCheckKey]:
    """When any window upstream was made again; captures in progress don't hold it back."""
    updated = dg.AutomationCondition.any_deps_updated().since_last_handled()
    return updated & ~dg.AutomationCondition.in_progress()


def automation_sensor() -> dg.AutomationConditionSensorDefinition:
    """Evaluates the conditions every 30 s; off until it is turned on."""
    return dg.AutomationConditionSensorDefinition(
        "follow_raw",
        target=dg.AssetSelection.all(),
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Checks raw files made again, and makes again what is derived from them.",
    )
