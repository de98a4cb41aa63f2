"""Decoding again finds what the lake holds, or says exactly what differs."""

import datetime as dt
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from atelier_pipeline import pipeline
from atelier_pipeline.errors import JournalError, LakeError
from atelier_pipeline.housekeeping.compact import compact_day, days_to_compact
from atelier_pipeline.housekeeping.redecode import redecode, windows_with_frames
from atelier_pipeline.housekeeping.selection import NS_PER_DAY, Selection
from atelier_pipeline.lake.footer import Footer, to_text
from atelier_pipeline.lake.journal import JournalMeta
from atelier_pipeline.lake.journal_writer import JournalWriter
from atelier_pipeline.lake.names import FileKind
from atelier_pipeline.lake.reader import read_footer, read_table
from atelier_pipeline.lake.writer import write_table
from atelier_pipeline.settings import Settings
from atelier_pipeline_tests.housekeeping.captured import (
    COLLECTOR,
    T0,
    captured,
    installation,
    journal,
    sealed,
    trades,
    window,
)
from atelier_pipeline_tests.housekeeping.lakes import contents


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Settings:
    """Two sealed windows; their journals are gone."""
    settings = captured(tmp_path_factory.mktemp("original"), 2)
    shutil.rmtree(settings.journal)
    return settings


@pytest.fixture
def settings(original, tmp_path) -> Settings:
    """A copy that a test may change."""
    shutil.copytree(original.lake, tmp_path / "lake")
    return installation(tmp_path)


def rewritten(path: Path, rows: pa.Table) -> None:
    """Put other rows into a file of the lake."""
    write_table(rows, path, read_footer(path))


def test_what_was_sealed_is_found_again(settings):
    for number in (0, 1):
        done = redecode(sealed(settings, number), settings)
        assert (done.collector, done.window) == (COLLECTOR, window(number))
        assert (done.same, done.differences) == (8, ())


def test_a_lost_row_is_told_by_file_and_row(settings):
    path = trades(settings)[0]
    held = read_table(path)
    rewritten(path, held.slice(1))
    done = redecode(sealed(settings), settings)
    (difference,) = done.differences
    assert (done.same, difference.path, difference.symbol, difference.kind) == (
        7,
        path,
        "BTC/USD",
        FileKind.TRADES,
    )
    assert str(difference) == "1 added"
    (row,) = difference.rows.sample.to_pylist()
    assert (row["kind"], row["new_row"], row["row"]) == ("added", 0, f"id={held['id'][0]}")


def test_rows_count_and_not_what_a_footer_says_of_them(settings):
    path = trades(settings)[0]
    rows = read_table(path)
    write_lying(path, rows.take([0, *range(rows.num_rows)]), read_footer(path))
    assert [str(each) for each in redecode(sealed(settings), settings).differences] == ["1 missing"]


def write_lying(path: Path, rows: pa.Table, footer: Footer) -> None:
    """A file that promises the content hash of other rows."""
    with pq.ParquetWriter(path, rows.schema, store_schema=False) as writer:
        writer.write_table(rows)
        writer.add_key_value_metadata(to_text(footer))


def test_a_missing_and_a_damaged_file_are_told(settings):
    rows = read_table(trades(settings)[0]).num_rows
    trades(settings, "ETH/USD")[0].write_bytes(b"PAR1")
    trades(settings)[0].unlink()
    told = [str(each) for each in redecode(sealed(settings), settings).differences]
    assert told[0] == f"no such file: {rows} added"
    assert "is no whole Parquet file" in told[1]


def test_only_the_chosen_symbol_is_compared(settings):
    trades(settings)[0].unlink()
    done = redecode(sealed(settings), settings, symbol="ETH-USD")
    assert (done.same, done.differences) == (4, ())
    assert redecode(sealed(settings), settings, symbol="SOL/USD").same == 0


def test_writing_restores_every_byte(settings, original):
    trades(settings, "ETH/USD")[0].unlink()
    rewritten(trades(settings)[0], read_table(trades(settings)[0]).slice(1))
    assert len(redecode(sealed(settings), settings, write=True).differences) == 2
    assert contents(settings.lake) == contents(original.lake)


def test_the_same_frames_give_the_same_bytes_on_another_machine(original, tmp_path):
    settings = installation(tmp_path)
    for number in (0, 1):
        place = sealed(settings, number)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(sealed(original, number), place)
        redecode(place, settings, write=True)
    assert contents(settings.lake) == contents(original.lake)


def test_a_journal_that_was_never_sealed_is_decoded_and_sealed(original, tmp_path):
    settings = installation(tmp_path)
    folder = journal(settings)
    done = redecode(folder, settings, write=True)
    assert (done.frames, len(done.differences)) == (folder, 8)
    assert redecode(sealed(settings), settings).differences == ()
    assert sealed(settings).read_bytes() == sealed(original).read_bytes()


def test_a_compacted_day_is_compared_and_not_replaced(settings):
    pipeline.synchronise(COLLECTOR, window(0), settings)
    pipeline.synchronise(COLLECTOR, window(1), settings)
    pipeline.aggregate(COLLECTOR, window(0), settings)
    pipeline.aggregate(COLLECTOR, window(1), settings)
    rewritten(trades(settings)[1], read_table(trades(settings)[1]).slice(1))
    plan = days_to_compact(settings.lake, settings.journal, T0 + 3 * NS_PER_DAY, Selection())
    for day in plan.days:
        compact_day(day)
    before = contents(settings.lake)
    assert redecode(sealed(settings, 0), settings).differences == ()
    (difference,) = redecode(sealed(settings, 1), settings).differences
    assert (difference.symbol, str(difference)) == ("BTC/USD", "1 added")
    with pytest.raises(LakeError, match="`atelier compact --undo`"):
        redecode(sealed(settings, 1), settings, write=True)
    assert contents(settings.lake) == before


def test_a_journal_that_is_being_written_is_refused(tmp_path):
    settings = installation(tmp_path)
    folder = journal(settings)
    meta = JournalMeta(
        exchange="kraken",
        collector="pairs",
        url="",
        source="simulated",
        manifest=COLLECTOR.text,
        window=window(),
    )
    with (
        JournalWriter.open(folder, meta),
        pytest.raises(LakeError, match="is still being written"),
    ):
        redecode(folder, settings)
    shutil.rmtree(folder)
    folder.mkdir()
    with pytest.raises(JournalError, match="holds no journal"):
        redecode(folder, settings)


def test_windows_are_found_by_their_frames_or_their_journals(tmp_path):
    settings = captured(tmp_path, 2)
    journal(settings, 2)
    (settings.journal / "kraken" / "pairs" / "notes").mkdir()
    (settings.journal / "kraken" / "pairs" / "20261301_000000.000").mkdir()
    late = settings.journal / "kraken" / "pairs" / "20260101_000008.000"

    def found(**chosen):
        return windows_with_frames(settings.lake, settings.journal, Selection(**chosen))

    assert found() == [sealed(settings, 0), sealed(settings, 1), late]
    assert found(exchange="bybit") == found(collector="others") == []
    first, second = dt.date(2026, 1, 1), dt.date(2026, 1, 2)
    assert found(first_day=first, last_day=first) == found()
    assert found(first_day=second) == []
