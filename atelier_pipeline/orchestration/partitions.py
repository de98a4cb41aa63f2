"""Partitions: collector x window, and the way between their keys and the lake's own terms.

Nothing here captures, touches a file or knows a job.
"""

import datetime as dt
import warnings
from collections.abc import Iterable

import dagster as dg
from dagster import BetaWarning

from atelier_pipeline.errors import SettingsError
from atelier_pipeline.market.window import Window

COLLECTOR = "collector"
WINDOW = "window"
DAY = "day"
KEY_FORMAT = "%Y-%m-%dT%H:%M"
DAY_FORMAT = "%Y-%m-%d"
NS_PER_SEC = 1_000_000_000
NS_PER_MINUTE = 60 * NS_PER_SEC
MINUTES_PER_HOUR = 60
MINUTES_PER_DAY = 1440


def capture_partitions(
    collectors: Iterable[str], window_minutes: int, start: dt.datetime
) -> dg.MultiPartitionsDefinition:
    """One partition for each collector and window from `start`, an hour, on.

    Longer windows begin with their day, so that the one that holds `start` is among them.
    The window in progress and the next one have keys before they end, so that a window can be
    requested before it opens.

    Raises:
        SettingsError: windows of `window_minutes` can't be told to Dagster.
    """
    first = start.replace(hour=0) if window_minutes > MINUTES_PER_HOUR else start
    windows = dg.TimeWindowPartitionsDefinition(
        cron_schedule=_cron(window_minutes), start=first, fmt=KEY_FORMAT, end_offset=2
    )
    names = dg.StaticPartitionsDefinition(sorted(collectors))
    return dg.MultiPartitionsDefinition({COLLECTOR: names, WINDOW: windows})


def day_partitions(collectors: Iterable[str], start: dt.datetime) -> dg.MultiPartitionsDefinition:
    """One partition for each collector and UTC day from that of `start` on, today's included."""
    days = dg.TimeWindowPartitionsDefinition(
        cron_schedule=_cron(MINUTES_PER_DAY),
        start=start.replace(hour=0),
        fmt=DAY_FORMAT,
        end_offset=1,
    )
    names = dg.StaticPartitionsDefinition(sorted(collectors))
    return dg.MultiPartitionsDefinition({COLLECTOR: names, DAY: days})


def windows_of_days() -> dg.PartitionMapping:
    """Which windows a collector's day depends on: its own.

    Dagster calls mappings between two dimensions each a beta.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*MultiPartitionMapping.*", BetaWarning)
        return dg.MultiPartitionMapping(
            {
                COLLECTOR: dg.DimensionPartitionMapping(COLLECTOR, dg.IdentityPartitionMapping()),
                WINDOW: dg.DimensionPartitionMapping(DAY, dg.TimeWindowPartitionMapping()),
            }
        )


def parse_day_key(key: str) -> tuple[str, int]:
    """The collector's name and the start of the day, UTC ns, that a partition key stands for."""
    collector, _, day = key.rpartition("|")
    began = dt.datetime.strptime(day, DAY_FORMAT).replace(tzinfo=dt.UTC)
    return collector, int(began.timestamp()) * NS_PER_SEC


def _cron(minutes: int) -> str:
    if MINUTES_PER_HOUR % minutes == 0:
        return f"*/{minutes} * * * *" if minutes < MINUTES_PER_HOUR else "0 * * * *"
    if minutes == MINUTES_PER_DAY:
        return "0 0 * * *"
    if minutes % MINUTES_PER_HOUR == 0 and MINUTES_PER_DAY % minutes == 0:
        return f"0 */{minutes // MINUTES_PER_HOUR} * * *"
    raise SettingsError(
        f"ATELIER_WINDOW_MINUTES = {minutes}: Dagster's partitions need minutes that divide an "
        "hour, or whole hours that divide a day"
    )


def partition_key(collector: str, window: Window) -> dg.MultiPartitionKey:
    """The key of one window of one collector, such as `bybit|2026-02-26T15:00`."""
    return dg.MultiPartitionKey({COLLECTOR: collector, WINDOW: window_key(window)})


def window_key(window: Window) -> str:
    """The window's own key: its start, to the minute, in UTC."""
    return _utc(window.start_ns).strftime(KEY_FORMAT)


def parse_key(key: str, window_minutes: int) -> tuple[str, Window]:
    """The collector's name and the window that a partition key stands for."""
    collector, _, start = key.rpartition("|")
    opened = dt.datetime.strptime(start, KEY_FORMAT).replace(tzinfo=dt.UTC)
    start_ns = int(opened.timestamp()) * NS_PER_SEC
    return collector, Window(start_ns, start_ns + window_minutes * NS_PER_MINUTE)


def window_at(time_ns: int, window_minutes: int) -> Window:
    """The window that holds `time_ns`."""
    length = window_minutes * NS_PER_MINUTE
    start_ns = time_ns - time_ns % length
    return Window(start_ns, start_ns + length)


def next_window(window: Window) -> Window:
    """The window that begins where `window` ends."""
    return Window(window.end_ns, 2 * window.end_ns - window.start_ns)


def _utc(time_ns: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(time_ns // NS_PER_SEC, dt.UTC)
