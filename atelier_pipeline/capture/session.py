"""The capture of one window: from the lead before it to the end of its feeds, into the journal."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from atelier_pipeline.capture.limits import CaptureLimits
from atelier_pipeline.capture.report import CaptureProgress, CaptureReport
from atelier_pipeline.capture.supervisor import Plan, Supervisor
from atelier_pipeline.decode.watch import Sight
from atelier_pipeline.errors import WindowOverError
from atelier_pipeline.lake.journal import JournalMeta
from atelier_pipeline.lake.journal_writer import JournalWriter
from atelier_pipeline.manifest import Collector
from atelier_pipeline.market.window import Window

_DEFAULT_LIMITS = CaptureLimits()


def capture_window(  # noqa: PLR0913 - a capture has that many surroundings; most are optional
    collector: Collector,
    window: Window,
    *,
    url: str,
    journal: Path,
    stop: Callable[[], bool],
    now_ns: Callable[[], int] = time.time_ns,
    on_progress: Callable[[CaptureProgress], None] | None = None,
    on_sight: Callable[[Sight, int], None] | None = None,
    ends_ns: int | None = None,
    limits: CaptureLimits = _DEFAULT_LIMITS,
) -> CaptureReport:
    """Capture one window of one collector; blocks until it has ended and its journal is closed.

    It waits for the lead before the window, connects and journals every frame. It ends when every
    feed's own time has passed the window's end, or else when the linger after that end is over.

    Args:
        collector: what is captured.
        window: the window; it may have begun, it must not be over.
        url: the address to connect to.
        journal: the folder of this window's journal; each call adds a segment.
        stop: asked every 0.1 s; True ends the capture.
        now_ns: the receive clock, UTC ns.
        on_progress: told once a second.
        on_sight: given what the frames told, and the time (UTC ns) up to which all that was
            received has been given. It must neither wait nor raise. Not called any more once
            decoding has failed.
        ends_ns: ends the capture at this time, UTC ns, where that is sooner.
        limits: bytes in memory, on disk, and of a frame.

    Raises:
        WindowOverError: the window is over.
        JournalError: the journal can't be written, or the disk has no room for a window.
        ConnectionFailedError: the exchange was never reached.
        SubscriptionRejectedError: the exchange refused every feed, or answered for none.

    After the last two the journal is closed like any other and can be sealed.
    """
    _refuse_past(collector, window, now_ns())
    limits.check_disk(journal)
    plan = Plan(
        collector, window, url, journal, stop, now_ns, on_progress, on_sight, ends_ns, limits
    )
    with JournalWriter.open(journal, _meta(plan)) as writer:
        report, failure = asyncio.run(Supervisor(plan, writer).run())
    if failure is not None:
        raise failure
    return report


def _refuse_past(collector: Collector, window: Window, now_ns: int) -> None:
    if now_ns >= window.end_ns:
        raise WindowOverError(
            f"{collector.name}: the window ended at {window.end_ns} ns UTC and it is {now_ns} ns: "
            "time can't be captured again; rebuild the window from its frames if there are any"
        )


def _meta(plan: Plan) -> JournalMeta:
    return JournalMeta(
        exchange=plan.collector.exchange.name,
        collector=plan.collector.name,
        url=plan.url,
        source=plan.collector.source,
        manifest=plan.collector.text,
        window=plan.window,
    )
