"""One capture and the line behind it: no line delays a capture, and no journal is shared."""

import threading

import pytest

from atelier_pipeline.decode.watch import Sight
from atelier_pipeline.errors import JournalError
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.window import Window
from atelier_pipeline.workers.line import DataLine
from atelier_pipeline.workers.session import LineThread, claim_window
from atelier_pipeline_tests.workers.samples import settings
from atelier_pipeline_tests.workers.test_line import WINDOW, collector


class SlowLine(DataLine):
    """Takes nothing in before it is let go."""

    def __init__(self):
        super().__init__(collector("kraken"), WINDOW, lambda _: None)
        self.go_on, self.taken = threading.Event(), []

    def take(self, sights):
        self.go_on.wait(10)
        self.taken += [until for _, until in sights]


def sight(events: int) -> Sight:
    feed = "BTC/USD", Dataset.TRADES
    return Sight(answers=(), broken=(), undecodable=(), events={feed: events})


def test_a_line_that_falls_behind_takes_all_that_waits_at_once_and_in_order():
    line = SlowLine()
    behind = LineThread(line)
    for until in range(5):
        behind.put(sight(10), until)
    line.go_on.set()
    behind.finish(WINDOW.end_ns)
    assert line.taken == [0, 1, 2, 3, 4]
    assert behind.failure == ""


def test_a_line_that_is_too_slow_is_cut_off_and_says_so():
    line = SlowLine()
    behind = LineThread(line, most_waiting=25)
    for until in range(9):
        behind.put(sight(10), until)
    line.go_on.set()
    behind.finish(WINDOW.end_ns)
    assert line.taken in ([0, 1], [0, 1, 2])
    assert "too slow" in behind.failure


def test_an_error_of_ours_in_a_line_is_raised_where_the_worker_waits():
    class BrokenLine(SlowLine):
        def take(self, _sights):
            raise ZeroDivisionError("ours")

    behind = LineThread(BrokenLine())
    behind.put(sight(1), 0)
    with pytest.raises(ZeroDivisionError, match="ours"):
        behind.finish(WINDOW.end_ns)
    assert behind.failure == "the outputs end early: ours"


def test_each_worker_claims_a_journal_of_its_own(tmp_path):
    made, own = collector("kraken"), settings(tmp_path)
    claimed = [claim_window(made, WINDOW, own) for _ in range(3)]
    period_ns = made.sync.period_ns
    assert claimed == [
        Window(WINDOW.start_ns - earlier * period_ns, WINDOW.end_ns) for earlier in range(3)
    ]


def test_a_journal_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "journal").write_text("a file")
    with pytest.raises(JournalError, match=r"can't be made: Not a directory"):
        claim_window(collector("kraken"), WINDOW, settings(tmp_path))
