"""Workers against the simulated exchanges: what they hand on, and how they end."""

import pytest

from atelier_pipeline.workers import DataWorker, MarketWorker
from atelier_pipeline_tests.capture.servers import simulated
from atelier_pipeline_tests.workers.samples import manifest, settings


@pytest.fixture(scope="module")
def exchanges():
    """The address of the simulated exchanges."""
    with simulated() as url:
        yield url


def test_a_data_worker_hands_on_every_event_and_reports_them_by_topic(exchanges, tmp_path):
    worker = DataWorker(manifest(), settings=settings(tmp_path, exchanges), duration_secs=2)
    assert worker.topics == worker.registry.names
    subscriptions = {topic: worker.registry.subscribe(topic) for topic in worker.topics}
    report = worker.run()
    assert report.errors == ()
    assert report.snapshots == {}
    got = {topic: len(list(subscription)) for topic, subscription in subscriptions.items()}
    assert got == report.events
    assert got["bybit.orderbook.50.BTCUSDT"] > 0
    assert got["bybit.trade.all.BTCUSDT"] > 0


def test_a_market_worker_hands_on_every_tick(exchanges, tmp_path):
    quick = manifest(collect="sync.emission_delay_ms = 300")
    worker = MarketWorker(quick, settings=settings(tmp_path, exchanges), duration_secs=2)
    ticks = worker.registry.subscribe("bybit.snapshot.100ms.BTCUSDT")
    report = worker.run()
    assert report.errors == ()
    stamps = [tick.ts_ns for tick in ticks]
    assert len(stamps) == report.snapshots["bybit.snapshot.100ms.BTCUSDT"] > 0
    assert stamps == list(range(stamps[0], stamps[-1] + 1, 100_000_000))
