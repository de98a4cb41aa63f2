"""What follows by itself when raw files are made again: checks, sync files, aggregates, catalog.

Scheduled windows don't need it, their one run makes everything; rebuilt and stopped ones do.
"""

import datetime as dt

import dagster as dg

WINDOWS_LOOKED_BACK = 200
"""Dagster keeps, for each condition at each change, the keys of all windows that it looked at: with
every window of a year that is gigabytes a day, and a minute for a tick."""
DAYS_LOOKED_BACK = dt.timedelta(days=366)
"""Of a day's windows each one is looked at: enough days for every backfill that is not history."""
FOLLOWS_TAG = "atelier/follows"
"""On runs that make again what is derived; their number at a time is limited in dagster.yaml."""


def lookback(window_minutes: int) -> dt.timedelta:
    """How old windows may be whose raw files are followed by what is derived from them."""
    return WINDOWS_LOOKED_BACK * dt.timedelta(minutes=window_minutes)


def follows(lookback: dt.timedelta) -> dg.AutomationCondition[dg.AssetKey | dg.AssetCheckKey]:
    """When what a recent window's asset depends on was made again and has no error.

    `eager` alone looks at the latest window only, which here is one that has not opened yet.
    """
    eager = dg.AutomationCondition.eager().replace("in_latest_time_window", _recent(lookback))
    return eager & dg.AutomationCondition.all_deps_blocking_checks_passed()


def checks_what_was_made(lookback: dt.timedelta) -> dg.AutomationCondition[dg.AssetCheckKey]:
    """When what a recent window's check depends on was made again, and no run has judged it yet.

    `eager` does not see that a check of a partition was executed, and would execute it twice.
    """
    made = dg.AutomationCondition.any_deps_updated().since(dg.AutomationCondition.newly_requested())
    judged = dg.AutomationCondition.check_passed() | dg.AutomationCondition.check_failed()
    return (
        _recent(lookback)
        & made
        & ~judged
        & ~dg.AutomationCondition.any_deps_missing()
        & ~dg.AutomationCondition.any_deps_in_progress()
        & ~dg.AutomationCondition.in_progress()
    )


def _recent(
    lookback: dt.timedelta,
) -> dg.AutomationCondition[dg.AssetKey | dg.AssetCheckKey]:
    return dg.AutomationCondition.in_latest_time_window(lookback_delta=lookback)


def follows_any_window() -> dg.AutomationCondition[dg.AssetKey | dg.AssetCheckKey]:
    """When any window upstream was made again; captures in progress don't hold it back."""
    updated = dg.AutomationCondition.any_deps_updated().since_last_handled()
    return updated & ~dg.AutomationCondition.in_progress()


def follows_its_day() -> dg.AutomationCondition[dg.AssetKey]:
    """When a day is over and nothing of it is being made; once more after every later change.

    At 00:15 in any case: a day of which nothing was captured has a verdict too, and a window
    without files is no longer waited for.
    """
    latest = dg.AutomationCondition.in_latest_time_window
    is_over = latest(lookback_delta=DAYS_LOOKED_BACK) & ~latest()
    is_due = dg.AutomationCondition.cron_tick_passed("15 0 * * *") & latest(
        lookback_delta=dt.timedelta(days=2)
    )
    changed = dg.AutomationCondition.any_deps_updated() | is_due
    return (
        is_over
        & changed.since_last_handled()
        & ~dg.AutomationCondition.any_deps_in_progress()
        & ~dg.AutomationCondition.in_progress()
    )


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
