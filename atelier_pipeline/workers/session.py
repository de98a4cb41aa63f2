"""One capture of a worker and the line behind it, each in a thread of its own."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from atelier_pipeline.capture import CaptureLimits, CaptureReport, capture_window
from atelier_pipeline.decode.watch import Sight
from atelier_pipeline.errors import AtelierError, JournalError
from atelier_pipeline.manifest import Collector
from atelier_pipeline.market.window import Window
from atelier_pipeline.pipeline import journal_of
from atelier_pipeline.settings import Settings
from atelier_pipeline.workers.line import Line

logger = logging.getLogger("atelier_pipeline.workers")

MOST_WAITING = 2_000_000
"""Events that wait for a line; with more it is cut off from the capture, which goes on."""


class LineThread:
    """A line at work: sights go in at one end and are taken in when the line comes to them.

    Attributes:
        failure: why the line was cut off; "" while it is not.
    """

    def __init__(self, line: Line, most_waiting: int = MOST_WAITING) -> None:
        self.failure = ""
        self.error: BaseException | None = None
        self._line = line
        self._most_waiting = most_waiting
        self._waiting: list[tuple[Sight, int]] = []
        self._events = 0
        self._end_ns: int | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="line", daemon=True)
        self._thread.start()

    def put(self, sight: Sight, received_ns: int) -> None:
        """Give it a sight; never waits."""
        with self._changed:
            if self.failure:
                return
            self._events += sum(sight.events.values())
            if self._events > self._most_waiting:
                self.failure = (
                    "the outputs end early: this machine is too slow for them; "
                    "what was received since is in the journal alone"
                )
                logger.error(self.failure)
                return
            self._waiting.append((sight, received_ns))
            self._changed.notify()

    def finish(self, end_ns: int) -> None:
        """Let it take in all that waits and end; blocks until it has."""
        with self._changed:
            self._end_ns = end_ns
            self._changed.notify()
        self._thread.join()
        if self.error is not None:
            raise self.error

    def _run(self) -> None:
        try:
            while (sights := self._next()) is not None:
                self._line.take(sights)
            self._line.finish(self._end_ns or 0)
        except BaseException as error:
            logger.exception("the outputs end early; the capture goes on")
            with self._changed:
                self.failure = f"the outputs end early: {error}"
                self.error = error

    def _next(self) -> list[tuple[Sight, int]] | None:
        """Everything that waits, in order; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._end_ns is not None)
            sights, self._waiting, self._events = self._waiting, [], 0
            return sights or None


def claim_window(collector: Collector, window: Window, settings: Settings) -> Window:
    """The window, begun earlier where its journal is another worker's; the journal is claimed.

    Raises JournalError where there can be no journal.
    """
    folder = journal_of(collector, window, settings)
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        earlier = Window(window.start_ns - collector.sync.period_ns, window.end_ns)
        return claim_window(collector, earlier, settings)
    except OSError as error:
        raise JournalError(f"{folder} can't be made: {error.strerror or error}") from error
    return window


class Session:
    """One collector of a worker, to be run once.

    Attributes:
        line: what has come of it.
        report: of its capture; None where nothing was captured.
        errors: what went wrong, one sentence each.
    """

    def __init__(
        self,
        collector: Collector,
        line: Line,
        window: Window,
        ends_ns: int | None,
        settings: Settings,
    ) -> None:
        self.line = line
        self.report: CaptureReport | None = None
        self.errors: list[str] = []
        self._collector = collector
        self._window = window
        self._ends_ns = ends_ns
        self._settings = settings

    def run(self, stop: Callable[[], bool]) -> None:
        """Capture until the end, `stop` or a failure; then the line ends too."""
        behind = LineThread(self.line)
        try:
            self.report = self._capture(stop, behind.put)
        except AtelierError as error:
            self.errors.append(f"{self._collector.name}: {error}")
        finally:
            behind.finish(time.time_ns())
        if behind.failure:
            self.errors.append(f"{self._collector.name}: {behind.failure}")
        if self.report is not None:
            self.errors += [f"{self._collector.name}: {error}" for error in self.report.errors]

    def _capture(
        self, stop: Callable[[], bool], on_sight: Callable[[Sight, int], None]
    ) -> CaptureReport:
        return capture_window(
            self._collector,
            self._window,
            url=self._collector.url(self._settings.simulator_url),
            journal=self.journal,
            stop=stop,
            on_sight=on_sight,
            ends_ns=self._ends_ns,
            limits=CaptureLimits.from_settings(self._settings),
        )

    @property
    def journal(self) -> Path:
        """The folder of its journal."""
        return journal_of(self._collector, self._window, self._settings)
