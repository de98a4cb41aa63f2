"""One asset for each collector, which Dagster shows as fresh while its captures produce events.

Nobody makes it: each capture records what it has produced, and nothing where that is nothing.
Windows that are made again from frames don't count, they say nothing of the present.
"""

import datetime as dt
from collections.abc import Iterable, Iterator

import dagster as dg

from atelier_pipeline.lake.names import FileKind, Mode
from atelier_pipeline.orchestration.ledger import Ledger
from atelier_pipeline.orchestration.materialise import asset_key
from atelier_pipeline.orchestration.partitions import window_key

SEALED_WITHIN = dt.timedelta(minutes=1)
"""From a window's end to the record of what it has produced, at most."""


def collector_key(collector: str) -> dg.AssetKey:
    """The key of a collector's asset."""
    return dg.AssetKey(["collectors", collector])


def collector_assets(collectors: Iterable[str], window_minutes: int) -> list[dg.AssetSpec]:
    """A warning after one window without events, a failure after two."""
    window = dt.timedelta(minutes=window_minutes)
    policy = dg.FreshnessPolicy.time_window(
        fail_window=2 * window + SEALED_WITHIN, warn_window=window + SEALED_WITHIN
    )
    return [
        dg.AssetSpec(
            collector_key(collector),
            deps=[asset_key(Mode.RAW, FileKind.CAPTURES)],
            group_name="collectors",
            description="Whether this collector produces events: red after two windows without.",
            freshness_policy=policy,
        )
        for collector in collectors
    ]


def produced(collector: str, ledger: Ledger) -> Iterator[dg.AssetMaterialization]:
    """The record of a capture that has just ended, where it has brought events."""
    events = ledger.total("events")
    if events:
        yield dg.AssetMaterialization(
            collector_key(collector),
            description=f"{events:,} events in window {window_key(ledger.window)}",
            metadata={"events": events, "losses": ledger.gaps.num_rows},
        )


def first_requests(
    collectors: Iterable[str], instance: dg.DagsterInstance
) -> Iterator[dg.AssetMaterialization]:
    """A record for collectors that have none: a first capture that brings nothing is late too."""
    for collector in collectors:
        if instance.get_latest_materialization_event(collector_key(collector)) is None:
            yield dg.AssetMaterialization(
                collector_key(collector), description="its first capture was requested"
            )
