"""What exchanges publish from a running market: books cut to a depth, batches, and to whom."""

from collections.abc import Callable
from typing import NamedTuple

from atelier_pipeline.simulator.agenda import next_boundary
from atelier_pipeline.simulator.market import Fill, Ladder, Step
from atelier_pipeline.simulator.session import Line
from atelier_pipeline.simulator.venue import Tape


class Audience:
    """The connections that get a channel's messages, in order of subscription."""

    def __init__(self) -> None:
        self._lines: dict[Line, None] = {}

    def __bool__(self) -> bool:
        return bool(self._lines)

    def join(self, line: Line) -> None:
        """Send `line` what comes from now on."""
        self._lines[line] = None

    def leave(self, line: Line) -> None:
        """Send `line` nothing more."""
        self._lines.pop(line, None)

    def send(self, text: str, ts: int) -> None:
        """Send every connection the same text."""
        for line in self._lines:
            line.send(text, ts)


class Boundary:
    """Calls `flush` at the next multiple of a period, once, however often it is asked to."""

    def __init__(self, tape: Tape, period_ns: int, flush: Callable[[int], None]) -> None:
        self._agenda = tape.agenda
        self._period_ns = period_ns
        self._flush = flush
        self._is_set = False

    def ask(self, now: int) -> None:
        """Something is to be published that happened at `now`."""
        if not self._is_set:
            self._is_set = True
            self._agenda.at(next_boundary(now, self._period_ns), self._run)

    def _run(self, now: int) -> None:
        self._is_set = False
        self._flush(now)


class Moves(NamedTuple):
    """How the best levels of a side differ from what was last published.

    `put` are levels that are new among them or have another size; `gone` are keys that left the
    book; `evicted` are keys that are still in the book, but below the depth. Each best first.
    """

    put: list[tuple[int, int]]
    gone: list[int]
    evicted: list[int]


class DepthWindow:
    """The best `depth` levels of a side, as subscribers know them."""

    def __init__(self, ladder: Ladder, depth: int) -> None:
        self._ladder = ladder
        self._depth = depth
        self._touched = True
        self.shown: dict[int, int] = {}
        self._worst = 0
        self.refresh()

    def touch(self, key: int) -> None:
        """A level changed."""
        if key <= self._worst or len(self.shown) < self._depth:
            self._touched = True

    def refresh(self) -> Moves | None:
        """What subscribers must be told since the last time; None where it is nothing."""
        if not self._touched:
            return None
        self._touched = False
        sizes, before = self._ladder.sizes, self.shown
        now = {key: sizes[key] for key in self._ladder.keys[: self._depth]}
        if now == before:
            return None
        self.shown = now
        self._worst = next(reversed(now), 0)
        left = sorted(before.keys() - now.keys())
        return Moves(
            put=sorted(now.items() - before.items()),
            gone=[key for key in left if key not in sizes],
            evicted=[key for key in left if key in sizes],
        )

    def levels(self) -> list[tuple[int, int]]:
        """(key, size) as last published, best first."""
        return list(self.shown.items())


class LevelChange(NamedTuple):
    """A level of the whole book that changed, and when it last did."""

    is_bid: bool
    key: int
    size: int
    ts: int


class BookBatch:
    """Changes of a whole book, gathered until the next boundary and then published once.

    A level that is as it was before the batch is left out. Bids come first, then asks, best first.
    """

    def __init__(
        self, tape: Tape, period_ns: int, publish: Callable[[list[LevelChange], int], None]
    ) -> None:
        self._publish = publish
        self._pending: dict[tuple[bool, int], tuple[int, int, int]] = {}
        self._boundary = Boundary(tape, period_ns, self.flush)
        tape.listen(self._gather)

    def _gather(self, step: Step) -> None:
        pending = self._pending
        for change in step.changes:
            level = (change.is_bid, change.key)
            before = pending[level][0] if level in pending else change.before
            pending[level] = (before, change.size, step.ts)
        self._boundary.ask(step.ts)

    def flush(self, now: int) -> None:
        """Publish what there is."""
        changes = [
            LevelChange(is_bid, key, size, ts)
            for (is_bid, key), (before, size, ts) in self._pending.items()
            if size != before
        ]
        self._pending.clear()
        if changes:
            self._publish(sorted(changes, key=_book_order), now)


def _book_order(change: LevelChange) -> tuple[bool, int]:
    return not change.is_bid, change.key


class TradeBatch:
    """Trades, gathered until the next boundary and then published together, oldest first."""

    def __init__(
        self, tape: Tape, period_ns: int, publish: Callable[[list[Fill], int], None]
    ) -> None:
        self._publish = publish
        self._pending: list[Fill] = []
        self._boundary = Boundary(tape, period_ns, self.flush)
        tape.listen(self._gather)

    def _gather(self, step: Step) -> None:
        if step.fills:
            self._pending.extend(step.fills)
            self._boundary.ask(step.ts)

    def flush(self, now: int) -> None:
        """Publish what there is."""
        if self._pending:
            fills, self._pending = self._pending, []
            self._publish(fills, now)
