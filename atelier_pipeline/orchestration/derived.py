"""What is derived from raw files: sync files, market aggregates, the catalog.

Each body is one call that reads and writes, and a report; nothing is computed here.
"""

import datetime as dt
from collections.abc import Iterator
from functools import partial
from typing import Any

import dagster as dg

from atelier_pipeline import pipeline
from atelier_pipeline.lake.names import FileKind, Mode
from atelier_pipeline.orchestration.automation import follows, follows_any_window
from atelier_pipeline.orchestration.installation import Installation
from atelier_pipeline.orchestration.instance import COMPUTE_POOL
from atelier_pipeline.orchestration.ledger import Ledger
from atelier_pipeline.orchestration.materialise import asset_key, materialised, measured, tell
from atelier_pipeline.orchestration.metadata import columns_of, described

SYNC = {
    FileKind.ORDERBOOKS: "The order book at every tick at which it is known.",
    FileKind.TRADES: "Trades, each with the tick it belongs to.",
    FileKind.LIQUIDATIONS: "Liquidations, each with the tick it belongs to.",
    FileKind.FUNDINGS: "The last funding rate at every tick.",
    FileKind.OPEN_INTERESTS: "The last open interest at every tick.",
    FileKind.SNAPSHOTS: "One row per tick: what was known, and how good it is.",
}
_LOSSES = (FileKind.GAPS, FileKind.CAPTURES)
_COUNTED = (FileKind.ORDERBOOKS, FileKind.TRADES, FileKind.LIQUIDATIONS)


def _made_from(kind: FileKind) -> list[dg.AssetKey]:
    """The raw assets behind a sync asset; with the last one recorded, so that all are there."""
    events = _COUNTED if kind is FileKind.SNAPSHOTS else (kind,)
    return [asset_key(Mode.RAW, raw) for raw in (*events, *_LOSSES)]


def sync_assets(partitions: dg.PartitionsDefinition, lookback: dt.timedelta) -> dg.AssetsDefinition:
    """sync/*: the same events and states on the uniform grid."""

    @dg.multi_asset(
        name="sync",
        group_name="sync",
        specs=[
            dg.AssetSpec(
                asset_key(Mode.SYNC, kind),
                deps=_made_from(kind),
                description=text,
                kinds={"parquet"},
                metadata=columns_of(kind, Mode.SYNC),
                automation_condition=follows(lookback),
            )
            for kind, text in SYNC.items()
        ],
        partitions_def=partitions,
        pool=COMPUTE_POOL,
    )
    def sync(
        context: dg.AssetExecutionContext, installation: dg.ResourceParam[Installation]
    ) -> Iterator[dg.MaterializeResult[Any]]:
        target = installation.target(context.partition_key)
        make = partial(pipeline.synchronise, *target, installation.settings)
        result = measured("sync", target, installation, make)
        ledger = Ledger.read(installation.settings.lake, *target)
        yield from materialised(SYNC, Mode.SYNC, result, ledger, context)

    return sync


def aggregates_asset(
    partitions: dg.PartitionsDefinition, lookback: dt.timedelta
) -> dg.AssetsDefinition:
    """market_aggregates: the 15 features of every tick."""

    @dg.asset(
        group_name="aggregates",
        deps=[asset_key(Mode.SYNC, kind) for kind in SYNC],
        description="The 15 features of every tick, with the tick's quality.",
        kinds={"parquet"},
        metadata=columns_of(FileKind.AGGREGATES, Mode.SYNC),
        partitions_def=partitions,
        automation_condition=follows(lookback),
        pool=COMPUTE_POOL,
    )
    def market_aggregates(
        context: dg.AssetExecutionContext, installation: dg.ResourceParam[Installation]
    ) -> dg.MaterializeResult[Any]:
        target = installation.target(context.partition_key)
        make = partial(pipeline.aggregate, *target, installation.settings)
        result = measured("aggregates", target, installation, make)
        ledger = Ledger.read(installation.settings.lake, *target)
        tell(context, described(FileKind.AGGREGATES, Mode.SYNC, result.files, ledger))
        return dg.MaterializeResult()

    return market_aggregates


def catalog_asset() -> dg.AssetsDefinition:
    """catalog: the DuckDB file of views over all windows of all collectors."""

    @dg.asset(
        group_name="catalog",
        deps=[dg.AssetKey("market_aggregates")],
        description="Views over every file of the lake, for DuckDB and `atelier query`.",
        kinds={"duckdb"},
        automation_condition=follows_any_window(),
    )
    def catalog(installation: dg.ResourceParam[Installation]) -> dg.MaterializeResult[Any]:
        settings = installation.settings
        pipeline.rebuild_catalog(settings)
        return dg.MaterializeResult(metadata={"path": dg.MetadataValue.path(settings.catalog)})

    return catalog
