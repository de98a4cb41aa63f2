"""A day of four windows of six hours, captured without a loss; tests damage it."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from atelier_pipeline.report.facts import DayFacts, Feed, Loss, day_windows

NS_PER_SEC = 1_000_000_000
DAY_NS = int(dt.datetime(2026, 2, 26, tzinfo=dt.UTC).timestamp()) * NS_PER_SEC
HOUR_NS = 3600 * NS_PER_SEC
WINDOWS = day_windows(DAY_NS, 360)
BOOKS, TRADES = Feed("BTCUSDT", "orderbooks"), Feed("BTCUSDT", "trades")
NEXT_MORNING = DAY_NS + 33 * HOUR_NS


def at(hours: float) -> int:
    return DAY_NS + round(hours * HOUR_NS)


def capture(window: int, **values: Any) -> dict[str, Any]:
    """A row of CAPTURES of the `window`-th window; ids and hashes follow on their neighbours'."""
    return {
        "events": 100,
        "reconnects": 0,
        "duplicates": 1,
        "latency_p99_ns": 20_000_000 + window,
        "integrity": "trade_id",
        "first_trade_id": str(100 * window),
        "last_trade_id": str(100 * window + 99),
        "head_hash": f"seam {window}",
        "tail_hash": f"seam {window + 1}",
        **values,
    }


def whole_day(**changes: Any) -> DayFacts:
    facts = DayFacts(
        collector="perps",
        exchange="bybit",
        source="live",
        feeds=(BOOKS, TRADES),
        windows=WINDOWS,
        captures={
            (feed, at(6 * number)): capture(number)
            for feed in (BOOKS, TRADES)
            for number in range(-1, 4)
        },
        losses={},
        books={("BTCUSDT", window.start_ns): 1.0 for window in WINDOWS},
        derived=frozenset(("BTCUSDT", window.start_ns) for window in WINDOWS),
        failed=(),
        now_ns=NEXT_MORNING,
    )
    return replace(facts, **changes)


def with_capture(facts: DayFacts, feed: Feed, window: int, **values: Any) -> DayFacts:
    key = feed, at(6 * window)
    return replace(facts, captures={**facts.captures, key: {**facts.captures[key], **values}})


def without(facts: DayFacts, feed: Feed, *windows: int) -> DayFacts:
    gone = {(feed, at(6 * window)) for window in windows}
    kept: Mapping[Any, Any] = {k: row for k, row in facts.captures.items() if k not in gone}
    return replace(facts, captures=kept)


def with_loss(facts: DayFacts, feed: Feed, cause: str, start: float, end: float) -> DayFacts:
    """A loss between two hours of the day."""
    key = feed, at(start // 6 * 6)
    loss = Loss(cause, at(start), at(end), f"it was the {cause}")
    return replace(facts, losses={**facts.losses, key: (*facts.losses.get(key, ()), loss)})
