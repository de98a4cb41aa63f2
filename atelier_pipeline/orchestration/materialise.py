"""From what a stage wrote to what Dagster records of it: one result per asset, with metadata."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import dagster as dg

from atelier_pipeline.lake.names import FileKind, Mode
from atelier_pipeline.manifest import Collector
from atelier_pipeline.market.window import Window
from atelier_pipeline.orchestration.installation import Installation
from atelier_pipeline.orchestration.ledger import Ledger
from atelier_pipeline.orchestration.metadata import described
from atelier_pipeline.pipeline import StageResult

Target: TypeAlias = tuple[Collector, Window]


def asset_key(mode: Mode, kind: FileKind) -> dg.AssetKey:
    """The key of the asset that the files of one kind and mode are, such as `raw/trades`."""
    return dg.AssetKey([mode.value, kind.value])


def measured(
    stage: str, target: Target, installation: Installation, make: Callable[[], StageResult]
) -> StageResult:
    """What `make` gives; its size and the time that it took go to the metrics."""
    collector, window = target
    began = time.monotonic()
    result = make()
    seconds = time.monotonic() - began
    now_ns = installation.now_ns()
    installation.metrics(collector).stage(stage, window, result.files, seconds, now_ns)
    return result


def materialised(
    kinds: Iterable[FileKind],
    mode: Mode,
    result: StageResult,
    ledger: Ledger,
    context: dg.AssetExecutionContext,
) -> Iterator[dg.MaterializeResult[Any]]:
    """One result for each of `kinds`, in their order.

    A kind that the exchange does not offer has a result too, of no files: what is downstream of a
    result that was left out would be left out as well.
    """
    for kind in kinds:
        key = asset_key(mode, kind)
        tell(context, described(kind, mode, result.files, ledger), key)
        yield dg.MaterializeResult(asset_key=key)


def tell(
    context: dg.AssetExecutionContext,
    metadata: Mapping[str, Any],
    asset: dg.AssetKey | None = None,
) -> None:
    """Record metadata with the materialisation of an asset, and nowhere else.

    Metadata of a result would be stored twice, as those of the op's output too: a quarter of what a
    run leaves in Dagster's database.
    """
    context.add_asset_metadata(metadata, asset_key=asset)
