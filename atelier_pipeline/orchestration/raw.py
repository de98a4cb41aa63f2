"""The raw assets: one op that captures a window, or rebuilds it from the frames that it left.

How it is captured is not here: the op decides which of the two, and holds terminations back.
"""

from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg
from pydantic import Field

from atelier_pipeline import pipeline
from atelier_pipeline.lake.names import FileKind, Mode
from atelier_pipeline.orchestration.installation import Installation
from atelier_pipeline.orchestration.instance import CAPTURE_POOL
from atelier_pipeline.orchestration.interrupts import terminations_held
from atelier_pipeline.orchestration.materialise import Target, asset_key, materialised

RAW = {
    FileKind.ORDERBOOKS: "Order book changes as the exchange sent them, from an opening book on.",
    FileKind.TRADES: "Public trades, each id once.",
    FileKind.LIQUIDATIONS: "Forced liquidations of perpetuals.",
    FileKind.FUNDINGS: "Funding rates of perpetuals, at each change.",
    FileKind.OPEN_INTERESTS: "Open interest of perpetuals, at each change.",
    FileKind.GAPS: "Every known loss: its cause, its extent, and what it covers.",
    FileKind.CAPTURES: "What was captured, and how well: counts, latency, integrity.",
}


class CaptureConfig(dg.Config):
    """How this one capture differs from its window."""

    ends_ns: int | None = Field(
        default=None,
        description="End the capture at this time (UTC ns) instead of the window's end.",
    )


def raw_assets(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """raw/*: the events of one window of one collector, as received."""

    @dg.multi_asset(
        name="raw",
        group_name="raw",
        specs=[
            dg.AssetSpec(asset_key(Mode.RAW, kind), description=text, kinds={"parquet"})
            for kind, text in RAW.items()
        ],
        partitions_def=partitions,
        pool=CAPTURE_POOL,
    )
    def raw(
        context: dg.AssetExecutionContext,
        config: CaptureConfig,
        installation: dg.ResourceParam[Installation],
    ) -> Iterator[dg.MaterializeResult[Any]]:
        target = installation.target(context.partition_key)
        with terminations_held() as termination:
            result = raw_window(target, installation, config.ends_ns, termination.poll)
        yield from materialised(RAW, Mode.RAW, result, target, installation.settings)
        termination.end_run()

    return raw


def raw_window(
    target: Target, installation: Installation, ends_ns: int | None, stop: Callable[[], bool]
) -> pipeline.StageResult:
    """The raw files of a window: captured while it is not over, then sealed from its frames."""
    if installation.now_ns() < target[1].end_ns:
        pipeline.capture(*target, installation.settings, stop, ends_ns)
    return pipeline.seal(*target, installation.settings)
