"""What the files of an installation tell of its windows."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl


def whole_windows(lake: Path, collectors: int) -> list[datetime]:
    """Starts of the windows that every collector captured, and whose aggregates are there."""
    made: dict[str, set[str]] = defaultdict(set)
    for path in lake.glob("*/*/aggregates/*/*.parquet"):
        made[path.stem.split("_agg_sync_")[1]].add(path.relative_to(lake).parts[0])
    return sorted(
        datetime.strptime(stamp, "%Y%m%d_%H%M%S.%f").replace(tzinfo=UTC)
        for stamp, exchanges in made.items()
        if len(exchanges) == collectors
    )


def rows(lake: Path, kind: str, window: datetime) -> list[dict[str, Any]]:
    """All rows of one kind of file of one window, of every collector."""
    stamp = f"{window:%Y%m%d_%H%M%S}.000"
    paths = sorted(lake.glob(f"*/*/{kind}/*/*_{stamp}.parquet"))
    return [row for path in paths for row in pl.read_parquet(path).to_dicts()]


def seams(
    lake: Path, before: datetime, after: datetime
) -> Iterator[tuple[str, str | None, str | None]]:
    """(feed, what the one window saw last, what the next one's lead saw of that) of every feed."""

    def feeds(window: datetime) -> dict[str, dict[str, Any]]:
        captures = rows(lake, "captures", window)
        return {f"{row['exchange']} {row['symbol']} {row['dataset']}": row for row in captures}

    one, next_one = feeds(before), feeds(after)
    for feed, row in sorted(one.items()):
        yield feed, row["tail_hash"], next_one[feed]["head_hash"]
