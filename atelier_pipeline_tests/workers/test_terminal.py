"""What a person sees: a table that renews itself, or lines where there is no terminal."""

import io

from rich.console import Console

from atelier_pipeline.workers import SnapshotBatch, TerminalSink
from atelier_pipeline_tests.synchronise.markets import NAMES
from atelier_pipeline_tests.workers.samples import trades
from atelier_pipeline_tests.workers.test_parquet import whole


class Clock:
    """Seconds that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def shown(*, is_terminal: bool) -> tuple[TerminalSink, io.StringIO, Clock]:
    screen, clock = io.StringIO(), Clock()
    console = Console(file=screen, force_terminal=is_terminal, width=120)
    return TerminalSink(console, clock), screen, clock


def test_without_a_terminal_a_market_has_a_line_every_five_seconds():
    sink, screen, clock = shown(is_terminal=False)
    for second in range(12):
        clock.now = 100.0 + second
        sink.receive(trades(second, 1))
    sink.close()
    lines = screen.getvalue().splitlines()
    assert lines == [
        "00:00:02.000 bybit BTCUSDT bid - ask - last 100 0/s 1 trade",
        "00:00:02.000 bybit BTCUSDT bid - ask - last 105 1/s 6 trade",
        "00:00:02.000 bybit BTCUSDT bid - ask - last 110 1/s 11 trade",
    ]


def test_in_a_terminal_the_newest_state_is_left_on_the_screen():
    sink, screen, _ = shown(is_terminal=True)
    sink.receive(SnapshotBatch("topic", NAMES["exchange"], NAMES["symbol"], whole()))
    sink.close()
    row = next(line for line in screen.getvalue().splitlines() if NAMES["symbol"] in line)
    assert "valid" in row
    assert " 99 " in row
    assert "25 ticks" in row


def test_a_shared_terminal_ends_with_its_last_user():
    screen = io.StringIO()
    sink = TerminalSink(Console(file=screen, force_terminal=True, width=120), Clock())
    sink.users = 2
    sink.receive(trades(0, 1))
    sink.close()
    sink.receive(trades(1, 1))
    sink.close()
    assert "2 trade" in screen.getvalue()
