"""Workers against the simulated exchanges: what they hand on, what they leave, how they end."""

import asyncio
import logging
import re
import threading
from contextlib import asynccontextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from atelier_pipeline import pipeline
from atelier_pipeline.errors import LakeError, SettingsError
from atelier_pipeline.lake.journal_reader import read_journal
from atelier_pipeline.lake.names import FileKind, Mode, find_files
from atelier_pipeline.lake.reader import read_footer, read_table
from atelier_pipeline.manifest import parse_collector
from atelier_pipeline.settings import Settings
from atelier_pipeline.simulator import Fault, Faults, Script, serve
from atelier_pipeline.workers import (
    Batch,
    DataWorker,
    Lagged,
    MarketWorker,
    WorkerReport,
    run_workers,
)
from atelier_pipeline_tests.capture.servers import running, simulated
from atelier_pipeline_tests.synchronise.rows import assert_equal_rows
from atelier_pipeline_tests.workers.samples import manifest, settings

SNAPSHOTS = "bybit.snapshot.100ms.BTCUSDT"
TWO_SYMBOLS = '[[workers]]\nsymbol = "BTCUSDT"\n[[workers]]\nsymbol = "{}"\n'


@pytest.fixture(scope="module")
def exchanges():
    """The address of the simulated exchanges."""
    with simulated() as url:
        yield url


class FailingSink:
    """Fails from the third batch on."""

    name = "failing"

    def __init__(self):
        self.batches = 0

    def receive(self, batch: Batch) -> None:
        self.batches += 1
        if self.batches > 2:
            raise OSError(f"no room for {batch.topic}")

    def close(self) -> None:
        pass


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
    assert report.rate == pytest.approx(sum(got.values()) / report.seconds)


@pytest.fixture(scope="module")
def three_sinks(exchanges, tmp_path_factory) -> tuple[WorkerReport, list, Path]:
    """Ten seconds of a market worker with a file sink, a channel and a sink that fails."""
    folder = tmp_path_factory.mktemp("worker")
    outputs = (
        f'[[collect.output]]\ntype = "parquet"\ndir = "{folder}/lake"\n'
        '[[collect.output]]\ntype = "channel"\n'
    )
    worker = MarketWorker(
        manifest(outputs, collect="sync.flush_threshold = 30"),
        name="mine",
        sinks=[FailingSink()],
        settings=settings(folder, exchanges),
        duration_secs=10,
    )
    ticks = worker.registry.subscribe(SNAPSHOTS)
    return worker.run(), list(ticks), folder


def test_one_failing_sink_stops_neither_the_others_nor_the_run(three_sinks):
    report, ticks, _ = three_sinks
    parquet, channel, failing = report.sinks
    assert (parquet.events, channel.events) == (len(ticks), len(ticks))
    assert (parquet.failures, channel.failures) == (0, 0)
    assert failing.batches - failing.failures == 2
    assert failing.failures > 0
    told = f"sink failing: failed {failing.failures} times: OSError: no room for {SNAPSHOTS}"
    assert report.errors == (told,)


def test_every_tick_comes_out_once_and_in_order(three_sinks):
    report, ticks, _ = three_sinks
    stamps = [tick.ts_ns for tick in ticks]
    assert stamps == list(range(stamps[0], stamps[-1] + 1, 100_000_000))
    assert report.snapshots == {SNAPSHOTS: len(stamps)}


def sync_rows(lake: Path, kind: FileKind) -> tuple[pa.Table, list[int]]:
    """All rows of a kind, and how many each file has."""
    tables = [read_table(file.path) for file in find_files(lake, kind, Mode.SYNC)]
    return pa.concat_tables(tables), [table.num_rows for table in tables]


def test_its_files_hold_what_the_windowed_path_makes_of_its_journal(three_sinks):
    report, ticks, folder = three_sinks
    (capture,) = report.captures
    meta = read_journal(capture.journal).meta
    collector = parse_collector(meta.collector, meta.manifest, "its journal")
    again = Settings(lake=folder / "windowed", journal=folder / "journal")
    pipeline.seal(collector, meta.window, again)
    pipeline.synchronise(collector, meta.window, again)
    pipeline.aggregate(collector, meta.window, again)
    index, per_file = sync_rows(folder / "lake", FileKind.SNAPSHOTS)
    assert per_file[:-1] == [30] * (len(ticks) // 30)
    windowed = sync_rows(again.lake, FileKind.SNAPSHOTS)[0]
    wanted = windowed.filter(pc.greater_equal(windowed["grid_ts"], index["grid_ts"][0]))
    on_time = wanted.filter(pc.equal(wanted["n_late"], 0))["grid_ts"]
    assert len(on_time) > 30
    for kind in FileKind:
        if Mode.SYNC in kind.modes:
            ours, theirs = (sync_rows(lake, kind)[0] for lake in (folder / "lake", again.lake))
            assert_equal_rows(at(ours, on_time), at(theirs, on_time))


def at(table: pa.Table, stamps: pa.ChunkedArray) -> pa.Table:
    """The rows of some ticks."""
    name = "grid_ts" if "grid_ts" in table.column_names else "ts_ns"
    times = pc.is_in(table[name].cast("int64"), stamps.cast("int64"))
    return table.filter(times)


def test_its_losses_are_the_ones_that_sealing_finds(three_sinks):
    _, _, folder = three_sinks
    (ours,) = find_files(folder / "lake", FileKind.GAPS, Mode.RAW)
    gaps = read_table(ours.path)
    assert set(gaps["cause"].to_pylist()) == {"late_start"}
    assert read_footer(ours.path).source == "simulated"


def test_a_second_run_overwrites_no_file_and_another_source_is_refused(exchanges, tmp_path):
    outputs = f'[[collect.output]]\ntype = "parquet"\ndir = "{tmp_path}/lake"\n'
    made = [
        DataWorker(manifest(outputs), settings=settings(tmp_path, exchanges), duration_secs=1)
        for _ in range(2)
    ]
    reports = run_workers(made)
    assert [report.errors for report in reports] == [(), ()]
    files = [path for report in reports for sink in report.sinks for path in sink.files]
    assert len(files) == len(set(files)) == len(list((tmp_path / "lake").rglob("*.parquet")))
    (tmp_path / "lake" / "_source").write_text("live\n")
    with pytest.raises(LakeError, match="holds live data"):
        DataWorker(manifest(outputs), settings=settings(tmp_path, exchanges), duration_secs=1).run()


def test_the_raw_files_of_a_data_worker_hold_its_events(exchanges, tmp_path):
    outputs = f'[[collect.output]]\ntype = "parquet"\ndir = "{tmp_path}/lake"\n'
    made = manifest(outputs, collect="sync.flush_threshold = 10")
    worker = DataWorker(made, settings=settings(tmp_path, exchanges), duration_secs=3)
    report = worker.run()
    assert report.errors == ()
    trades = find_files(tmp_path / "lake", FileKind.TRADES, Mode.RAW)
    assert (
        sum(read_table(f.path).num_rows for f in trades) == report.events["bybit.trade.all.BTCUSDT"]
    )
    books = [
        read_table(file.path)["message"].to_pylist()
        for file in find_files(tmp_path / "lake", FileKind.ORDERBOOKS, Mode.RAW)
    ]
    assert len(books) > 1
    messages = sorted({message for book in books for message in book})
    assert messages == list(range(1, report.events["bybit.orderbook.50.BTCUSDT"] + 1))


def test_workers_may_capture_other_exchanges_and_datasets_and_have_outputs_of_their_own(
    exchanges, tmp_path
):
    workers = (
        '[[workers]]\nsymbol = "BTCUSDT"\ndatatypes.liquidations.enabled = false\n'
        '[[workers]]\nexchange = "kraken"\nsymbol = "BTC/USD"\nsync_mode = "on_time"\n'
        f'output = [{{ type = "parquet", dir = "{tmp_path}/lake" }}]\n[workers.datatypes]\n'
        "liquidations.enabled = false\nfunding_rates.enabled = false\nopen_interest.enabled = false"
    )
    quick = manifest(workers=workers, collect="sync.emission_delay_ms = 200")
    worker = MarketWorker(quick, settings=settings(tmp_path, exchanges), duration_secs=2)
    assert worker.topics == (SNAPSHOTS, "kraken.snapshot.100ms.BTC/USD")
    report = worker.run()
    assert report.errors == ()
    assert "bybit.liquidation.all.BTCUSDT" not in report.events
    assert len(report.captures) == 2
    parquet = next(sink for sink in report.sinks if sink.files)
    assert parquet.events == report.snapshots["kraken.snapshot.100ms.BTC/USD"] > 0
    assert {path.relative_to(tmp_path / "lake").parts[0] for path in parquet.files} == {"kraken"}
    assert {read_footer(path).collector for path in parquet.files} == {"worker"}


def test_a_refused_subscription_is_an_error_of_the_report(exchanges, tmp_path):
    two = manifest(workers=TWO_SYMBOLS.format("NOTHINGUSDT"))
    report = DataWorker(two, settings=settings(tmp_path, exchanges), duration_secs=2).run()
    assert not report.ok
    assert any("NOTHINGUSDT" in error and "refused" in error for error in report.errors)


def test_an_exchange_that_cannot_be_reached_is_an_error_of_the_report(tmp_path):
    once = manifest(collect="reconnect.max_attempts = 1")
    report = DataWorker(once, settings=settings(tmp_path), duration_secs=5).run()
    (error,) = report.errors
    assert re.search(r"worker: ws://127.0.0.1:1/bybit: .*atelier simulate", error)
    assert set(report.events.values()) == {0}


def test_a_lost_connection_is_made_again_counted_and_logged_with_its_reason(tmp_path, caplog):
    closed = Fault(what="close", code=1001, reason="maintenance", connection=1, after_secs=1)

    @asynccontextmanager
    async def faulty():
        async with serve(faults=Faults(Script(faults=[closed]))) as simulators:
            yield simulators.url

    caplog.set_level(logging.INFO)
    with running(faulty) as url:
        worker = DataWorker(manifest(), settings=settings(tmp_path, url), duration_secs=3)
        report = worker.run()
    assert report.reconnects == 1
    assert report.gaps["disconnect"] == 5
    told = [record.getMessage() for record in caplog.records]
    told = [message.removeprefix("worker 1/1: ") for message in told if "1/1: " in message]
    assert told[3] == "reconnecting 1: closed by the exchange: 1001 (going away) maintenance"
    assert [message.split(": ")[0] for message in told] == [
        *("connecting", "subscribing", "streaming", "reconnecting 1"),
        *("connecting", "subscribing", "streaming", "disconnected"),
    ]


def test_a_worker_is_stopped_from_another_thread_and_runs_once(exchanges, tmp_path):
    worker = DataWorker(manifest(), settings=settings(tmp_path, exchanges))
    threading.Timer(1.0, worker.stop).start()
    report = worker.run()
    assert [capture.ending for capture in report.captures] == ["stopped"]
    assert report.errors == ()
    assert report.gaps["shutdown"] == 5
    with pytest.raises(SettingsError, match="runs once"):
        worker.run()


def test_asyncio_code_runs_a_worker_reads_it_and_ends_it_by_cancelling(exchanges, tmp_path):
    worker = DataWorker(manifest(), settings=settings(tmp_path, exchanges))
    trades = worker.registry.subscribe("bybit.trade.all.BTCUSDT")

    async def read_some() -> list:
        running = asyncio.create_task(worker.run_async())
        got = [await trades.get_async() for _ in range(3)]
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return got

    got = asyncio.run(read_some())
    assert [trade.symbol for trade in got] == ["BTCUSDT"] * 3


def test_a_subscriber_that_sleeps_is_told_what_it_missed_and_memory_stays_flat(exchanges, tmp_path):
    small = manifest(collect="channel_capacity = 5")
    worker = DataWorker(small, settings=settings(tmp_path, exchanges), duration_secs=3)
    topic = "bybit.orderbook.50.BTCUSDT"
    sleeper = worker.registry.subscribe(topic)
    report = worker.run()
    woken = list(sleeper)
    assert woken[0] == Lagged(topic, report.events[topic] - 5)
    assert len(woken) == 6
    assert all(worker.registry.topic(name).held() <= 5 + 100 for name in worker.topics)


def test_a_duration_that_is_none_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="above 0 seconds"):
        DataWorker(manifest(), settings=settings(tmp_path), duration_secs=0)


def test_recorded_frames_have_no_address_to_run_a_worker_on(tmp_path):
    text = manifest(collect="").model_copy(
        update={"collect": manifest().collect.model_copy(update={"source": "replay"})}
    )
    with pytest.raises(SettingsError, match="no address"):
        DataWorker(text, settings=settings(tmp_path))
