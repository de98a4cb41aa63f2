"""What follows by itself when raw files are made again: sync files, aggregates, the catalog.

Scheduled windows don't need it, their one run makes everything; backfills from frames do.
"""

import datetime as dt

import dagster as dg

LOOKBACK = dt.timedelta(days=3650)


def follows_raw() -> dg.AutomationCondition[dg.AssetKey | dg.AssetCheckKey]:
    """When a window's upstream was made again and its blocking checks passed, for any window.

    `eager` alone looks at the latest window only, which here is one that has not opened yet.
    """
    any_window = dg.AutomationCondition.in_latest_time_window(lookback_delta=LOOKBACK)
    eager = dg.AutomationCondition.eager().replace("in_latest_time_window", any_window)
    return eager & dg.AutomationCondition.all_deps_blocking_checks_passed()


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
        description="Makes sync files, aggregates and the catalog again where raw files were.",
    )
