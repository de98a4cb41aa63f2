"""The raw assets: one op that captures a window, or rebuilds it from the frames that it left.

How it is captured is not here: the op decides which of the two, and holds terminations back.
"""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg
from pydantic import Field

from atelier_pipeline import pipeline
from atelier_pipeline.errors import AtelierError, ConnectionFailedError, SubscriptionRejectedError
from atelier_pipeline.lake.names import FileKind, Mode
from atelier_pipeline.orchestration.installation import Installation
from atelier_pipeline.orchestration.instance import CAPTURE_POOL
from atelier_pipeline.orchestration.interrupts import terminations_held
from atelier_pipeline.orchestration.materialise import Target, asset_key, materialised

NS_PER_SEC = 1_000_000_000

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

    seconds: float | None = Field(
        default=None,
        gt=0,
        description="End the capture this long after it began, or after its window began, "
        "instead of at the window's end.",
    )

    def ends_ns(self, began_ns: int) -> int | None:
        """When to end a capture that began at `began_ns` (UTC ns); None: with its window."""
        return None if self.seconds is None else began_ns + round(self.seconds * NS_PER_SEC)


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
            failure = captured(target, installation, config, termination.poll, context.log)
            result = pipeline.seal(*target, installation.settings)
        yield from materialised(RAW, Mode.RAW, result, target, installation.settings)
        termination.end_run()
        if failure is not None:
            raise dg.Failure(str(failure), allow_retries=False) from failure

    return raw


def captured(
    target: Target,
    installation: Installation,
    config: CaptureConfig,
    stop: Callable[[], bool],
    log: logging.Logger,
) -> AtelierError | None:
    """Capture a window that is not over; one that is over is left to its frames.

    Feeds that were refused are logged, the others go on. Returns the error if nothing could be
    captured: the journal says so too, and is sealed before the run fails.

    Raises:
        JournalError: the journal can't be written.
    """
    window, now_ns = target[1], installation.now_ns()
    if now_ns >= window.end_ns:
        return None
    ends_ns = config.ends_ns(max(now_ns, window.start_ns))
    try:
        report = pipeline.capture(*target, installation.settings, stop, ends_ns=ends_ns)
    except (ConnectionFailedError, SubscriptionRejectedError) as error:
        return error
    for error in report.errors:
        log.error(error)
    return None
