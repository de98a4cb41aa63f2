"""The fan-out: each sink at its own pace, and what it did not take is counted."""

import threading

from atelier_pipeline.lake.schemas import GAPS
from atelier_pipeline.workers import GapBatch, OutputSinkSet, SinkReport
from atelier_pipeline_tests.workers.samples import trades

GAP = GapBatch("bybit", "BTCUSDT", 0, GAPS.empty_table())


class Keeping:
    """Keeps what it gets."""

    def __init__(self, name: str = "keeping"):
        self.name, self.got, self.closed = name, [], 0

    def receive(self, batch):
        self.got.append(batch)

    def receive_gaps(self, gaps):
        self.got.append(gaps)

    def close(self):
        self.closed += 1


class Stuck(Keeping):
    """Takes nothing until it is let go."""

    def __init__(self):
        super().__init__("stuck")
        self.go_on = threading.Event()

    def receive(self, batch):
        self.go_on.wait(10)
        super().receive(batch)


def test_every_sink_gets_every_batch_in_order_and_is_closed_once():
    sinks, one, other = OutputSinkSet(), Keeping(), Keeping()
    sinks.add(one)
    sinks.add(other)
    batches = [trades(0, 2), trades(2, 1), GAP]
    for batch in batches:
        sinks.publish(batch)
    sinks.close()
    assert one.got == other.got == batches
    assert (one.closed, other.closed) == (1, 1)
    assert sinks.reports() == (SinkReport(name="keeping", batches=2, events=3),) * 2


def test_a_sink_may_want_some_markets_alone():
    sinks, bitcoin, ether = OutputSinkSet(), Keeping(), Keeping()
    sinks.add(bitcoin, {("bybit", "BTCUSDT")})
    sinks.add(ether, {("bybit", "ETHUSDT")})
    sinks.publish(trades(0, 1))
    sinks.close()
    assert (len(bitcoin.got), len(ether.got)) == (1, 0)


def test_a_sink_that_fails_now_and_then_gets_the_next_batch_and_is_counted():
    class Moody(Keeping):
        def receive(self, batch):
            super().receive(batch)
            if len(self.got) % 2:
                raise ValueError(f"no {len(self.got)}")

        def close(self):
            raise OSError("can't close")

    sinks, moody, calm = OutputSinkSet(), Moody("moody"), Keeping()
    sinks.add(moody)
    sinks.add(calm)
    for number in range(4):
        sinks.publish(trades(number, 1))
    sinks.close()
    report = sinks.reports()[0]
    assert len(moody.got) == len(calm.got) == 4
    assert report.errors == ["sink moody: failed 3 times: OSError: can't close"]


def test_a_slow_sink_misses_what_does_not_fit_and_delays_nobody():
    size = trades(0, 10).nbytes
    sinks, stuck, calm = OutputSinkSet(queue_bytes=3 * size), Stuck(), Keeping()
    sinks.add(stuck)
    sinks.add(calm)
    for number in range(0, 200, 10):
        sinks.publish(trades(number, 10))
    stuck.go_on.set()
    sinks.close()
    report = sinks.reports()[0]
    assert report.events + report.missed == 200
    assert report.missed >= 160
    assert report.errors == [f"sink stuck: too slow, {report.missed} events were not given to it"]


def test_a_sink_that_does_not_end_is_left_behind_and_told_of():
    sinks, stuck = OutputSinkSet(), Stuck()
    sinks.add(stuck)
    sinks.publish(trades(0, 1))
    sinks.close(timeout_secs=0.05)
    assert sinks.reports()[0].errors == ["sink stuck: did not end within 0.05 s"]
    stuck.go_on.set()
