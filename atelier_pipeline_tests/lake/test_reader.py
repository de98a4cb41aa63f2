from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake.footer import Footer
from atelier_pipeline.lake.names import FileKind, Mode, lake_path
from atelier_pipeline.lake.reader import (
    DiskUse,
    disk_use,
    iterate,
    read_footer,
    read_kind,
    read_table,
)
from atelier_pipeline.lake.schemas import SCHEMA_VERSION
from atelier_pipeline.lake.verify import verify_file
from atelier_pipeline.lake.writer import write_table
from atelier_pipeline.market.window import Window
from atelier_pipeline_tests.lake.rows import T0, trades

HOUR_NS = 3_600_000_000_000
NAME = "BTCUSDT_trades_raw_20260226_153000.123.parquet"


def put(lake: Path, exchange: str, symbol: str, hour: int, rows: int) -> pa.Table:
    table = trades(rows, T0 + hour * HOUR_NS)
    path = lake_path(lake, exchange, symbol, FileKind.TRADES, "raw", T0 + hour * HOUR_NS)
    write_table(table, path, Footer(exchange=exchange, symbol=symbol, source="live"))
    return table


def test_chosen_columns_are_read_in_the_order_asked_for(tmp_path):
    write_table(trades(5), tmp_path / NAME, Footer(exchange="bybit", symbol="BTCUSDT"))
    wanted = trades(5).select(["price", "ts_recv"])
    assert read_table(tmp_path / NAME, ["price", "ts_recv"]).equals(wanted)
    with pytest.raises(LakeError, match=r"has no columns \['cost'\]"):
        read_table(tmp_path / NAME, ["price", "cost"])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(LakeError, match=f"{NAME} does not exist"):
        read_table(tmp_path / NAME)


def test_a_file_that_others_wrote_is_refused(tmp_path):
    pq.write_table(trades(3), tmp_path / NAME)
    with pytest.raises(LakeError, match="has no footer of this lake"):
        read_table(tmp_path / NAME)
    with pytest.raises(LakeError, match="is no lake file"):
        read_table(tmp_path / "trades.parquet")


def test_a_file_under_the_name_of_another_kind_is_refused(tmp_path):
    write_table(trades(3), tmp_path / NAME, Footer(exchange="bybit", symbol="BTCUSDT"))
    other = tmp_path / NAME.replace("trades", "oi")
    (tmp_path / NAME).rename(other)
    for read in (read_table, lambda path: list(iterate(path))):
        with pytest.raises(LakeError, match=r"columns are not \['ts', 'symbol'"):
            read(other)


def test_a_file_of_a_newer_schema_is_refused(tmp_path):
    footer = Footer(exchange="bybit", symbol="BTCUSDT", schema_version=99)
    write_table(trades(3), tmp_path / NAME, footer)
    with pytest.raises(LakeError, match=f"has schema 99, newer than {SCHEMA_VERSION}"):
        read_footer(tmp_path / NAME)


def test_a_file_cut_anywhere_is_never_read_as_whole(tmp_path):
    write_table(trades(20), tmp_path / NAME, Footer(exchange="bybit", symbol="BTCUSDT"))
    whole = (tmp_path / NAME).read_bytes()
    for size in range(0, len(whole), 7):
        (tmp_path / NAME).write_bytes(whole[:size])
        with pytest.raises(LakeError, match=NAME):
            read_table(tmp_path / NAME)


def test_a_flipped_bit_in_any_byte_is_noticed_or_changes_no_value(tmp_path):
    path = tmp_path / NAME
    write_table(trades(20), path, Footer(exchange="bybit", symbol="BTCUSDT"))
    whole = path.read_bytes()
    unnoticed = 0
    for position in range(len(whole)):
        data = bytearray(whole)
        data[position] ^= 1 << position % 8
        path.write_bytes(data)
        with suppress(LakeError):
            verify_file(path)
            assert read_table(path).equals(trades(20))
            unnoticed += 1
    assert unnoticed < len(whole) / 2


def test_a_column_name_that_is_no_text_is_damage(tmp_path):
    path = tmp_path / NAME
    write_table(trades(20), path, Footer(exchange="bybit", symbol="BTCUSDT"))
    path.write_bytes(path.read_bytes().replace(b"amount", b"\xe1mount"))
    with pytest.raises(LakeError, match="is no whole Parquet file"):
        read_table(path)


def test_values_that_are_not_those_of_the_footer_are_found(tmp_path):
    write_table(trades(3), tmp_path / NAME, Footer(exchange="bybit", symbol="BTCUSDT"))
    verify_file(tmp_path / NAME)
    notes = pq.read_metadata(tmp_path / NAME).metadata
    pq.write_table(trades(4).replace_schema_metadata(notes), tmp_path / NAME)
    assert read_table(tmp_path / NAME).equals(trades(4))
    with pytest.raises(LakeError, match="holds values of hash"):
        verify_file(tmp_path / NAME)


def test_a_kind_is_read_over_windows_and_symbols_in_order_of_time(tmp_path):
    tables = {
        (exchange, symbol, hour): put(tmp_path, exchange, symbol, hour, 3 + hour)
        for exchange, symbol in [("bybit", "BTCUSDT"), ("bybit", "ETHUSDT"), ("kraken", "BTC/USD")]
        for hour in range(3)
    }
    everything = [
        tables[exchange, symbol, hour]
        for hour in range(3)
        for exchange, symbol in [("bybit", "BTCUSDT"), ("bybit", "ETHUSDT"), ("kraken", "BTC/USD")]
    ]
    assert read_kind(tmp_path, FileKind.TRADES, "raw").equals(pa.concat_tables(everything))
    last_two = Window(T0 + HOUR_NS, T0 + 3 * HOUR_NS)
    chosen = read_kind(tmp_path, FileKind.TRADES, "raw", "kraken", "BTC/USD", last_two, ["price"])
    wanted = [tables["kraken", "BTC/USD", hour].select(["price"]) for hour in (1, 2)]
    assert chosen.equals(pa.concat_tables(wanted))


def test_a_kind_without_files_has_its_schema_and_no_rows(tmp_path):
    schema = FileKind.AGGREGATES.schema(Mode.SYNC)
    assert read_kind(tmp_path, FileKind.AGGREGATES, "sync").equals(schema.empty_table())


def test_a_file_is_iterated_in_batches_without_its_footer(tmp_path):
    write_table(trades(20), tmp_path / NAME, Footer(exchange="bybit", symbol="BTCUSDT"))
    batches = list(iterate(tmp_path / NAME))
    assert pa.Table.from_batches(batches, trades(0).schema).equals(trades(20))
    assert {batch.schema.metadata for batch in batches} == {None}


def test_what_lies_on_disk_is_told_by_symbol_and_kind(tmp_path):
    for hour in range(2):
        put(tmp_path, "bybit", "BTCUSDT", hour, 3 + hour)
    put(tmp_path, "kraken", "BTC/USD", 5, 9)
    sizes = {
        exchange: sum(path.stat().st_size for path in tmp_path.glob(f"{exchange}/**/*.parquet"))
        for exchange in ("bybit", "kraken")
    }
    bybit, kraken = disk_use(tmp_path)
    whole_ms = T0 // 1_000_000 * 1_000_000
    assert bybit == DiskUse(
        exchange="bybit",
        name="BTCUSDT",
        kind=FileKind.TRADES,
        mode=Mode.RAW,
        files=2,
        rows=7,
        bytes=sizes["bybit"],
        first_t0_ns=whole_ms,
        last_t0_ns=whole_ms + HOUR_NS,
    )
    assert kraken == DiskUse(
        exchange="kraken",
        name="BTC-USD",
        kind=FileKind.TRADES,
        mode=Mode.RAW,
        files=1,
        rows=9,
        bytes=sizes["kraken"],
        first_t0_ns=whole_ms + 5 * HOUR_NS,
        last_t0_ns=whole_ms + 5 * HOUR_NS,
    )
    assert disk_use(tmp_path, "kraken") == [kraken]
