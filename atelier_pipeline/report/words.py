"""Times, spans and shares as a person reads them; all times are UTC."""

import datetime as dt
from collections.abc import Sequence

from atelier_pipeline.market.window import Window

NS_PER_SEC = 1_000_000_000
SECS_PER_MINUTE = 60
SECS_PER_HOUR = 3600
MOST_SPANS = 4


def clock(time_ns: int) -> str:
    """The time of day to the minute."""
    return f"{_utc(time_ns):%H:%M}"


def instant(time_ns: int) -> str:
    """Day and time to the second."""
    return f"{_utc(time_ns):%Y-%m-%d %H:%M:%S} UTC"


def precise(time_ns: int) -> str:
    """The time of day to the millisecond."""
    return f"{_utc(time_ns):%H:%M:%S}.{time_ns % NS_PER_SEC // 1_000_000:03d}"


def seconds(span_ns: int) -> str:
    """A span with the unit that suits it."""
    span = span_ns / NS_PER_SEC
    if span < SECS_PER_MINUTE:
        return f"{span:.1f} s"
    if span < SECS_PER_HOUR:
        return f"{span / SECS_PER_MINUTE:.1f} min"
    return f"{span / SECS_PER_HOUR:.1f} h"


def percent(share: float | None) -> str:
    """A share to two digits, never rounded up to 100 %."""
    if share is None:
        return "-"
    return "100 %" if share >= 1.0 else f"{min(share, 0.9999) * 100:.2f} %"


def at_windows(windows: Sequence[Window]) -> str:
    """Which windows, neighbours as one span: `at 03:00-05:00, 09:00-10:00 (3 windows)`."""
    spans = _joined(windows)
    shown = [f"{clock(start)}-{clock(end)}" for start, end in spans[:MOST_SPANS]]
    more = [f"{len(spans) - MOST_SPANS} more"] if len(spans) > MOST_SPANS else []
    number = f"{len(windows)} window{'' if len(windows) == 1 else 's'}"
    return f"at {', '.join([*shown, *more])} ({number})"


def _joined(windows: Sequence[Window]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for window in windows:
        if spans and spans[-1][1] == window.start_ns:
            spans[-1] = spans[-1][0], window.end_ns
        else:
            spans.append((window.start_ns, window.end_ns))
    return spans


def _utc(time_ns: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(time_ns // NS_PER_SEC, dt.UTC)
