"""A worker's files: bounded, whole, named by what they hold, never overwritten."""

import pyarrow as pa
import pytest

from atelier_pipeline.aggregate import aggregate
from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake.footer import Footer
from atelier_pipeline.lake.names import FileKind, Mode, find_files
from atelier_pipeline.lake.reader import read_footer, read_table
from atelier_pipeline.lake.schemas import GAPS
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.synchronise import MarketSynchronizer, Synchronised, SyncSettings
from atelier_pipeline.workers import GapBatch, ParquetSink, SnapshotBatch
from atelier_pipeline_tests.synchronise.markets import (
    MS,
    NAMES,
    PERIOD,
    T0,
    book_message,
    open_interest,
    raw_table,
    trade,
)
from atelier_pipeline_tests.synchronise.rows import assert_equal_rows
from atelier_pipeline_tests.workers.samples import trades

NO_GAPS = GAPS.empty_table()
TICKS = 25


def parts() -> list[Synchronised]:
    """Twenty-five ticks of a market, as a live engine gives them, a few at a time."""
    sync = SyncSettings(period_ns=PERIOD, emission_delay_ns=0)
    datasets = [Dataset.ORDERBOOKS, Dataset.TRADES, Dataset.OPEN_INTERESTS]
    engine = MarketSynchronizer(sync, **NAMES, datasets=datasets)
    given = []
    for number in range(TICKS):
        time = T0 + number * PERIOD + 10 * MS
        books = [book_message(time, [(99.0, 1.0 + number)], is_snapshot=number == 0)]
        engine.feed(Dataset.ORDERBOOKS, raw_table(Dataset.ORDERBOOKS, books))
        engine.feed(Dataset.TRADES, raw_table(Dataset.TRADES, [trade(time + MS, 100.0 + number)]))
        interests = [open_interest(time + 2 * MS, 1000.0 + number**2)]
        engine.feed(Dataset.OPEN_INTERESTS, raw_table(Dataset.OPEN_INTERESTS, interests))
        if number % 4 == 3:
            given.append(engine.drain(time, NO_GAPS))
    return [*given, engine.finalize(NO_GAPS)]


def whole() -> Synchronised:
    made = parts()
    tables = {d: pa.concat_tables([part.tables[d] for part in made]) for d in made[0].tables}
    return Synchronised(tables, pa.concat_tables([part.snapshots for part in made]))


def stored(lake, kind: FileKind, mode: Mode = Mode.SYNC) -> list[pa.Table]:
    return [read_table(file.path) for file in find_files(lake, kind, mode)]


def test_sync_files_hold_so_many_ticks_each_and_together_all_rows(tmp_path):
    sink = ParquetSink(tmp_path, source="simulated", flush_threshold=10, collector="mine")
    for rows in parts():
        sink.receive(SnapshotBatch("topic", NAMES["exchange"], NAMES["symbol"], rows))
    sink.close()
    assert [t.num_rows for t in stored(tmp_path, FileKind.SNAPSHOTS)] == [10, 10, 5]
    wanted = whole()
    assert_equal_rows(pa.concat_tables(stored(tmp_path, FileKind.SNAPSHOTS)), wanted.snapshots)
    for dataset, table in wanted.tables.items():
        assert_equal_rows(pa.concat_tables(stored(tmp_path, FileKind(dataset))), table)
    # The change of open interest at the first tick of a file is measured from the file before.
    assert_equal_rows(pa.concat_tables(stored(tmp_path, FileKind.AGGREGATES)), aggregate(wanted))
    assert sink.flushes == 3
    assert sorted(sink.files) == sorted(tmp_path.rglob("*.parquet"))


def test_the_features_of_a_batch_are_those_of_the_whole():
    batches = [SnapshotBatch("topic", **NAMES, rows=rows) for rows in parts()]
    features = pa.concat_tables([batch.aggregates for batch in batches])
    assert_equal_rows(features, aggregate(whole()))


def test_a_sync_file_is_stamped_with_its_first_tick_and_says_where_it_is_from(tmp_path):
    sink = ParquetSink(tmp_path, source="simulated", collector="mine")
    sink.receive(SnapshotBatch("topic", NAMES["exchange"], NAMES["symbol"], parts()[0]))
    sink.close()
    (file,) = find_files(tmp_path, FileKind.SNAPSHOTS, Mode.SYNC)
    assert file.t0_ns == T0 + PERIOD
    footer = read_footer(file.path)
    assert footer == Footer(
        **NAMES, collector="mine", source="simulated", content_hash=footer.content_hash
    )


def test_raw_files_gather_events_for_a_span_and_are_ordered_by_time(tmp_path):
    sink = ParquetSink(tmp_path, source="simulated", raw_span_ns=5)
    for first in (0, 3, 6, 9):
        sink.receive(trades(first, 3))
    sink.close()
    files = stored(tmp_path, FileKind.TRADES, Mode.RAW)
    assert [t["id"].to_pylist() for t in files] == [
        [str(number) for number in range(6)],
        [str(number) for number in range(6, 12)],
    ]


def test_a_name_that_is_taken_is_left_alone_and_the_next_millisecond_is_used(tmp_path):
    for _ in range(2):
        sink = ParquetSink(tmp_path, source="simulated")
        sink.receive(trades(0, 2))
        sink.close()
    files = find_files(tmp_path, FileKind.TRADES, Mode.RAW)
    assert [file.t0_ns for file in files] == [2_000_000_000, 2_001_000_000]
    assert len({read_footer(file.path).content_hash for file in files}) == 1


def test_the_losses_of_a_market_are_a_file_of_their_own(tmp_path):
    sink = ParquetSink(tmp_path, source="simulated")
    sink.receive_gaps(GapBatch("bybit", "BTCUSDT", T0, NO_GAPS))
    sink.close()
    (file,) = find_files(tmp_path, FileKind.GAPS, Mode.RAW)
    assert (file.t0_ns, read_table(file.path).num_rows) == (T0, 0)


def test_a_lake_of_another_source_is_refused_before_anything_is_received(tmp_path):
    ParquetSink(tmp_path, source="simulated")
    with pytest.raises(LakeError, match="live data needs a lake of its own"):
        ParquetSink(tmp_path, source="live")
