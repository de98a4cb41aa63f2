"""The raw assets: one op that captures a window, or rebuilds it from the frames that it left.

How it is captured is not here: the op decides which of the two, and holds terminations back.
"""

import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import dagster as dg
from pydantic import Field

from atelier_pipeline import pipeline
from atelier_pipeline.capture import CaptureProgress, CaptureReport, Ending
from atelier_pipeline.errors import (
    AtelierError,
    ConnectionFailedError,
    JournalError,
    SubscriptionRejectedError,
    WindowOverError,
)
from atelier_pipeline.lake.names import FileKind, Mode
from atelier_pipeline.orchestration.freshness import produced
from atelier_pipeline.orchestration.installation import Installation
from atelier_pipeline.orchestration.instance import CAPTURE_POOL
from atelier_pipeline.orchestration.interrupts import terminations_held
from atelier_pipeline.orchestration.ledger import Ledger
from atelier_pipeline.orchestration.materialise import (
    Target,
    asset_key,
    materialised,
    measured,
)
from atelier_pipeline.orchestration.metadata import columns_of

NS_PER_SEC = 1_000_000_000
METRICS_NS = 15 * NS_PER_SEC
"""Between two writes of a running capture's figures; Prometheus asks about as often."""

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
            dg.AssetSpec(
                asset_key(Mode.RAW, kind),
                description=text,
                kinds={"parquet"},
                metadata=columns_of(kind, Mode.RAW),
            )
            for kind, text in RAW.items()
        ],
        partitions_def=partitions,
        pool=CAPTURE_POOL,
    )
    def raw(
        context: dg.AssetExecutionContext,
        config: CaptureConfig,
        installation: dg.ResourceParam[Installation],
    ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetMaterialization]:
        collector, window = target = installation.target(context.partition_key)
        is_present = installation.now_ns() < window.end_ns
        with terminations_held() as termination:
            failure = captured(target, installation, config, termination.poll, context.log)
            make = partial(pipeline.seal, *target, installation.settings)
            result = measured("raw", target, installation, make)
        ledger = Ledger.read(installation.settings.lake, *target)
        installation.metrics(collector).feeds(ledger.gaps, ledger.captures)
        yield from materialised(RAW, Mode.RAW, result, ledger, context)
        if is_present:
            yield from produced(collector.name, ledger)
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
    captured, or the disk took no more: what the journal holds is sealed before the run fails.

    Raises:
        JournalError: there is no journal, since it can't be begun.
    """
    window, now_ns = target[1], installation.now_ns()
    if now_ns >= window.end_ns:
        return None
    ends_ns = config.ends_ns(max(now_ns, window.start_ns))
    tell = _metrics_of(target, installation)
    try:
        report = pipeline.capture(*target, installation.settings, stop, ends_ns, tell)
    except WindowOverError:
        # It ended in this very moment.
        return None
    except (ConnectionFailedError, SubscriptionRejectedError) as error:
        return error
    except JournalError as error:
        if not pipeline.journal_of(*target, installation.settings).is_dir():
            raise
        return error
    for error in report.errors:
        log.error(error)
    return _full(report, installation) if report.ending is Ending.DISK_FLOOR else None


def _full(report: CaptureReport, installation: Installation) -> JournalError:
    floor_mib = installation.settings.disk_floor_mib
    return JournalError(
        f"{report.journal}: no more than {floor_mib} MiB free (ATELIER_DISK_FLOOR_MIB): the "
        "capture has ended and its files are sealed; free some disk and start the window again"
    )


def _metrics_of(target: Target, installation: Installation) -> Callable[[CaptureProgress], None]:
    """What writes the figures of a running capture, while its window is the one in progress."""
    collector, window = target
    metrics, due_ns = installation.metrics(collector), window.start_ns

    def tell(progress: CaptureProgress) -> None:
        nonlocal due_ns
        now_ns = installation.now_ns()
        if now_ns >= due_ns and now_ns in window:
            due_ns = now_ns + METRICS_NS
            metrics.capture(window, progress)

    return tell
