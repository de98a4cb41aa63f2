import hashlib
import itertools
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atelier_pipeline import __version__
from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake import storage, writer
from atelier_pipeline.lake.content import content_hash
from atelier_pipeline.lake.footer import Footer
from atelier_pipeline.lake.names import FileKind, Mode, frames_path, lake_path
from atelier_pipeline.lake.reader import read_footer, read_table
from atelier_pipeline.lake.verify import verify_file
from atelier_pipeline.lake.writer import Written, write_batches, write_table
from atelier_pipeline_tests.lake.rows import T0, tables, trades

KINDS = [(kind, mode) for kind in FileKind for mode in kind.modes]
FOOTER = Footer(
    exchange="bybit",
    symbol="BTC/USDT",
    collector="main",
    window_start=T0,
    window_end=T0 + 3_600_000_000_000,
    source="live",
    settings_hash="abc",
    input_hashes={"b.parquet": "02", "a.parquet": "01"},
)


def place(lake: Path, kind: FileKind, mode: Mode) -> Path:
    if kind is FileKind.FRAMES:
        return frames_path(lake, "bybit", "main", T0)
    return lake_path(lake, "bybit", "BTC/USDT", kind, mode, T0)


@pytest.mark.parametrize(("kind", "mode"), KINDS)
@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_any_rows_of_any_kind_come_back_as_they_were(kind, mode, data):
    table = data.draw(tables(kind.schema(mode), max_rows=12))
    with TemporaryDirectory() as folder:
        path = place(Path(folder), kind, mode)
        written = write_table(table, path, FOOTER)
        back = read_table(path)
        size = path.stat().st_size
        footer = read_footer(path)
    assert back.schema.equals(kind.schema(mode), check_metadata=True)
    assert content_hash(back) == content_hash(table)
    assert written == Written(path, table.num_rows, size, content_hash(table))
    assert footer.content_hash == content_hash(table)


@pytest.mark.parametrize(("kind", "mode"), KINDS)
def test_a_file_without_rows_has_the_whole_schema(tmp_path, kind, mode):
    path = place(tmp_path, kind, mode)
    assert write_table(kind.schema(mode).empty_table(), path, FOOTER).rows == 0
    assert read_table(path).equals(kind.schema(mode).empty_table())


def test_the_footer_says_everything_about_the_file(tmp_path):
    table = FileKind.GAPS.schema("raw").empty_table()
    written = write_table(table, place(tmp_path, FileKind.GAPS, Mode.RAW), FOOTER)
    kept = pq.read_metadata(written.path).metadata
    assert kept == {
        b"schema_version": b"2",
        b"package_version": __version__.encode(),
        b"exchange": b"bybit",
        b"symbol": b"BTC/USDT",
        b"collector": b"main",
        b"window_start": b"1772119800123000000",
        b"window_end": b"1772123400123000000",
        b"source": b"live",
        b"settings_hash": b"abc",
        b"input_hashes": b'{"a.parquet":"01","b.parquet":"02"}',
        b"content_hash": content_hash(table).encode(),
    }
    assert read_footer(written.path) == Footer(
        exchange="bybit",
        symbol="BTC/USDT",
        collector="main",
        window_start=1772119800123000000,
        window_end=1772123400123000000,
        source="live",
        settings_hash="abc",
        input_hashes={"a.parquet": "01", "b.parquet": "02"},
        schema_version=2,
        package_version=__version__,
        content_hash=content_hash(table),
    )


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 3_000), max_size=6), st.randoms(use_true_random=False))
def test_the_same_rows_give_the_same_bytes_however_they_are_cut(cuts, random):
    table = trades(3_000)
    edges = sorted({0, *cuts, 3_000})
    pieces = [table.slice(a, b - a) for a, b in itertools.pairwise(edges)]
    pieces.insert(random.randrange(len(pieces)), table.slice(0, 0))
    footer = Footer(exchange="bybit", symbol="BTCUSDT", source="live")
    name = "BTCUSDT_trades_raw_20260226_153000.123.parquet"
    with TemporaryDirectory() as folder:
        whole = Path(folder) / "whole" / name
        cut = Path(folder) / "cut" / name
        write_table(table, whole, footer)
        write_batches(iter(pieces), cut, footer)
        assert cut.read_bytes() == whole.read_bytes()


def test_the_cut_into_row_groups_does_not_depend_on_the_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "ROWS_PER_GROUP", 100)
    footer = Footer(exchange="bybit", symbol="BTCUSDT", source="live")
    table = trades(250)
    digests = set()
    for step in (1, 7, 100, 250):
        path = lake_path(tmp_path / str(step), "bybit", "BTCUSDT", FileKind.TRADES, "raw", T0)
        write_batches((table.slice(at, step) for at in range(0, 250, step)), path, footer)
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
        parts = pq.ParquetFile(path).metadata
        assert [parts.row_group(k).num_rows for k in range(3)] == [100, 100, 50]
        assert read_table(path).equals(table)
    assert len(digests) == 1


def test_other_readers_see_the_same_values(tmp_path):
    table = trades(1_000)
    path = lake_path(tmp_path, "bybit", "BTCUSDT", FileKind.TRADES, "raw", T0)
    write_table(table, path, Footer(exchange="bybit", symbol="BTCUSDT", source="live"))
    assert pl.read_parquet(path).equals(pl.DataFrame(table))
    with duckdb.connect() as connection:
        rows = connection.execute(
            "select trade_ts, symbol, side, price, amount, exchange, id, epoch_ns(ts_event),"
            " epoch_ns(ts_recv) from read_parquet(?)",
            [str(path)],
        ).fetchall()
    plain = [c.cast(pa.int64()) if pa.types.is_timestamp(c.type) else c for c in table.columns]
    assert rows == list(zip(*(column.to_pylist() for column in plain), strict=True))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop_columns(["id"]), r"missing \['id'\], unknown \[\]"),
        (
            lambda t: t.append_column("note", pa.nulls(t.num_rows)),
            r"missing \[\], unknown \['note'\]",
        ),
        (lambda t: t.select(t.column_names[::-1]), "columns are not .* in this order"),
        (
            lambda t: t.set_column(3, "price", t["price"].cast(pa.float32())),
            "column 'price' is float, not double",
        ),
        (
            lambda t: t.set_column(1, "symbol", t["symbol"].cast(pa.large_string())),
            "column 'symbol' is large_string, not string",
        ),
        (
            lambda t: t.set_column(1, "symbol", t["symbol"].dictionary_encode()),
            "column 'symbol' is .*dictionary",
        ),
        (
            lambda t: t.set_column(7, "ts_event", t["ts_event"].cast(pa.timestamp("us", "UTC"))),
            r"column 'ts_event' is timestamp\[us, tz=UTC\], not timestamp\[ns, tz=UTC\]",
        ),
    ],
)
def test_another_schema_is_refused_by_column_and_type_and_nothing_is_written(
    tmp_path, change, message
):
    path = tmp_path / "BTCUSDT_trades_raw_20260226_153000.123.parquet"
    table = trades(3).set_column(
        7, "ts_event", pa.array([T0 // 1000 * 1000] * 3, trades(0).schema.types[7])
    )
    footer = Footer(exchange="bybit", symbol="BTCUSDT")
    with pytest.raises(LakeError, match=message):
        write_table(change(table), path, footer)
    with pytest.raises(LakeError, match=message):
        write_batches([table, change(table)], path, footer)
    assert list(tmp_path.iterdir()) == []


def test_a_table_keeps_no_metadata_of_its_own(tmp_path):
    path = lake_path(tmp_path, "bybit", "BTCUSDT", FileKind.TRADES, "raw", T0)
    footer = Footer(exchange="bybit", symbol="BTCUSDT", source="live")
    plain = write_table(trades(3), path, footer).path.read_bytes()
    marked = trades(3).replace_schema_metadata({"pandas": "something"})
    assert write_table(marked, path, footer).path.read_bytes() == plain


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"symbol": "ETH/USDT"}, "can't hold ETH-USDT"),
        ({"exchange": "kraken"}, "can't hold kraken data"),
        ({"symbol": ""}, "can't name a file"),
    ],
)
def test_a_footer_that_contradicts_the_path_is_refused(tmp_path, changes, message):
    table = FileKind.GAPS.schema("raw").empty_table()
    facts = {"exchange": "bybit", "symbol": "BTC/USDT", "source": "live"} | changes
    with pytest.raises(LakeError, match=message):
        write_table(table, place(tmp_path, FileKind.GAPS, Mode.RAW), Footer(**facts))
    assert list(tmp_path.iterdir()) == []


def test_a_file_with_a_foreign_name_is_not_written(tmp_path):
    with pytest.raises(LakeError, match="is no lake file"):
        write_table(trades(1), tmp_path / "trades.parquet", FOOTER)
    assert list(tmp_path.iterdir()) == []


def test_a_taken_name_is_kept_where_it_must_not_be_replaced(tmp_path):
    path = lake_path(tmp_path, "bybit", "BTCUSDT", FileKind.TRADES, "raw", T0)
    footer = Footer(exchange="bybit", symbol="BTCUSDT", source="live")
    write_table(trades(3), path, footer)
    with pytest.raises(FileExistsError):
        write_table(trades(4), path, footer, replace=False)
    assert read_table(path).equals(trades(3))
    write_table(trades(5), path, footer)
    assert read_table(path).equals(trades(5))


def test_a_full_disk_while_writing_leaves_the_file_of_before(tmp_path, monkeypatch):
    path = lake_path(tmp_path, "bybit", "BTCUSDT", FileKind.TRADES, "raw", T0)
    footer = Footer(exchange="bybit", symbol="BTCUSDT", source="live")
    write_table(trades(3), path, footer)

    def refuse(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage.os, "fsync", refuse)
    with pytest.raises(LakeError, match="No space left on device"):
        write_table(trades(4), path, footer)
    monkeypatch.undo()
    assert list(path.parent.iterdir()) == [path]
    assert read_table(path).equals(trades(3))


def test_every_column_has_statistics_and_every_page_a_checksum(tmp_path):
    path = lake_path(tmp_path, "bybit", "BTCUSDT", FileKind.TRADES, "raw", T0)
    write_table(trades(100), path, Footer(exchange="bybit", symbol="BTCUSDT", source="live"))
    group = pq.read_metadata(path).row_group(0)
    assert [group.column(k).statistics.has_min_max for k in range(9)] == [True] * 9
    assert {group.column(k).compression for k in range(9)} == {"ZSTD"}
    damaged = bytearray(path.read_bytes())
    prices = group.column(3)
    damaged[prices.data_page_offset + prices.total_compressed_size // 2] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(LakeError, match=r"is damaged|is no whole Parquet file"):
        verify_file(path)
