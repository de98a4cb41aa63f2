"""A file is proved whole and in order, and the sync rows of a market tick by tick."""

from pathlib import Path

import pyarrow as pa
import pytest

from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake.footer import Footer, to_text
from atelier_pipeline.lake.names import FileKind, lake_path
from atelier_pipeline.lake.pieces import PIECES_KEY, Piece, to_note
from atelier_pipeline.lake.verify import newest_files, verify_file, verify_ticks
from atelier_pipeline.lake.writer import write_batches, write_table
from atelier_pipeline_tests.lake.rows import T0, trades
from atelier_pipeline_tests.validate.small_lake import TICKS, SmallLake

NAME = "BTCUSDT_trades_raw_20260226_153000.123.parquet"
FACTS = Footer(exchange="bybit", symbol="BTCUSDT")
FACTS_OF_SCHEMA_1 = {"exchange": "bybit", "symbol": "BTCUSDT", "schema_version": 1}
MORE_THAN_A_BATCH = 20_000


def swapped(rows: list[dict]) -> list[dict]:
    """The rows with the last one first: whatever they are sorted by, they no longer are."""
    return [rows[-1], *rows[:-1]]


def doubled(rows: list[dict]) -> list[dict]:
    return [rows[0], *rows]


@pytest.mark.parametrize("name", SmallLake().rows)
def test_every_file_of_a_sound_lake_is_proved(tmp_path, name):
    lake = SmallLake()
    lake.write(tmp_path)
    assert verify_file(lake.path(tmp_path, name)) == len(lake.rows[name])


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("trades", "ts_event, ts_recv"),
        ("fundings", "ts_event, ts_recv"),
        ("orderbooks", "message"),
        ("orderbooks_sync", "grid_ts"),
        ("trades_sync", "grid_ts"),
        ("snapshots", "grid_ts"),
        ("aggregates", "ts_ns"),
    ],
)
def test_rows_out_of_order_are_found(tmp_path, name, columns):
    lake = SmallLake().damaged(name, swapped)
    path = lake.path(lake.write(tmp_path, [name]), name)
    with pytest.raises(LakeError, match=f"is not sorted by {columns}: see its row 1"):
        verify_file(path)


@pytest.mark.parametrize("name", ["snapshots", "aggregates"])
def test_a_tick_that_comes_twice_is_found(tmp_path, name):
    lake = SmallLake().damaged(name, doubled)
    path = lake.path(lake.write(tmp_path, [name]), name)
    with pytest.raises(LakeError, match="see its row 1"):
        verify_file(path)


def test_trades_of_one_time_may_be_in_any_order_of_their_ids(tmp_path):
    same = pa.concat_tables([trades(1), trades(1), trades(2)])
    write_table(same, tmp_path / NAME, FACTS)
    assert verify_file(tmp_path / NAME) == 4


def test_order_is_kept_over_the_batches_of_a_large_file(tmp_path):
    rows = trades(MORE_THAN_A_BATCH)
    write_table(rows, tmp_path / NAME, FACTS)
    assert verify_file(tmp_path / NAME) == MORE_THAN_A_BATCH
    cut = 16_384
    turned = pa.concat_tables([rows.slice(1, cut), rows.slice(0, 1), rows.slice(cut + 1)])
    write_table(turned, tmp_path / NAME, FACTS)
    with pytest.raises(LakeError, match=f"see its row {cut}"):
        verify_file(tmp_path / NAME)


def test_each_piece_of_a_compacted_file_has_an_order_of_its_own(tmp_path):
    rows = trades(6)
    pieces = [Piece("first", 4, to_text(FACTS)), Piece("second", 2, to_text(FACTS))]
    notes = {PIECES_KEY: to_note(pieces, to_text(FACTS))}

    def write(*cuts: pa.Table) -> Path:
        write_batches(cuts, tmp_path / NAME, FACTS, notes=notes)
        return tmp_path / NAME

    assert verify_file(write(rows.slice(2, 4), rows.slice(0, 2))) == 6
    with pytest.raises(LakeError, match="see its row 3"):
        verify_file(write(rows.slice(3, 3), rows.slice(0, 3)))


def test_the_index_counts_the_rows_of_every_tick(tmp_path):
    lake = SmallLake()
    lake.write(tmp_path)
    index = lake.path(tmp_path, "snapshots")
    assert verify_ticks(tmp_path, "bybit", "BTC/USD", index) == TICKS


@pytest.mark.parametrize(
    ("name", "counted", "found"),
    [("trades_sync", 1, 0), ("orderbooks_sync", 4, 3), ("liquidations_sync", 1, 0)],
)
def test_a_row_that_a_tick_lacks_is_found(tmp_path, name, counted, found):
    lake = SmallLake().damaged(name, lambda rows: rows[:-1])
    lake.write(tmp_path)
    told = rf"counts {counted} rows of \w+ at the tick .* the lake has {found}; 1 of 20 ticks"
    with pytest.raises(LakeError, match=told):
        verify_ticks(tmp_path, "bybit", "BTC/USD", lake.path(tmp_path, "snapshots"))


def test_the_rows_of_a_tick_are_found_in_whichever_files_they_lie(tmp_path):
    """A file without windows is stamped by its own first tick."""
    lake = SmallLake()
    lake.write(tmp_path, [name for name in lake.rows if name != "trades_sync"])
    rows = lake.table("trades_sync")
    for part in (rows.slice(0, 5), rows.slice(5)):
        t0 = part["grid_ts"][0].value
        path = lake_path(tmp_path, "bybit", "BTC/USD", FileKind.TRADES, "sync", t0)
        write_table(part, path, Footer(exchange="bybit", symbol="BTC/USD", source="replay"))
    index = lake.path(tmp_path, "snapshots")
    assert verify_ticks(tmp_path, "bybit", "BTC/USD", index) == TICKS


def test_an_index_without_ticks_counts_nothing(tmp_path):
    lake = SmallLake().damaged("snapshots", lambda _rows: [])
    lake.write(tmp_path)
    assert verify_ticks(tmp_path, "bybit", "BTC/USD", lake.path(tmp_path, "snapshots")) == 0


def test_the_newest_file_of_each_kind_is_found(tmp_path):
    later = T0 + 3_600_000_000_000
    SmallLake(t0=T0).write(tmp_path)
    SmallLake(t0=later).write(tmp_path, ["trades", "snapshots"])
    found = {
        (file.kind, file.mode): file.t0_ns for file in newest_files(tmp_path, "bybit", "BTC/USD")
    }
    new = {key for key, t0 in found.items() if t0 == later}
    assert new == {("trades", "raw"), ("snapshots", "sync")}
    assert len(found) == len(SmallLake().rows)
    assert newest_files(tmp_path, "bybit", "ETH/USD") == []


def test_a_file_whose_hash_was_made_in_another_way_is_not_called_damaged(tmp_path):
    path = write_table(trades(3), tmp_path / NAME, Footer(**FACTS_OF_SCHEMA_1)).path
    with pytest.raises(LakeError, match="has schema 1, not 2: its hash was made in another way"):
        verify_file(path)
