"""Which encodings a file's columns get, and that text shares a dictionary however it was cut."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from atelier_pipeline.lake.encodings import encoded, encoded_schema
from atelier_pipeline.lake.footer import Footer
from atelier_pipeline.lake.names import FileKind, Mode, lake_path
from atelier_pipeline.lake.reader import read_table
from atelier_pipeline.lake.schemas import RAW, SYNC, UTC_NS
from atelier_pipeline.lake.writer import write_table
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.validate.catalog import lake_connection
from atelier_pipeline_tests.lake.rows import T0

FOOTER = Footer(exchange="bybit", symbol="BTCUSDT", source="live")
NS = 1_000_003
NS_PER_MS = 1_000_000
MANY = 70_000


def books(rows: int, *, values: int, rows_a_time: int, opening: int = 0, step_ns: int = NS):
    """Raw book rows with so many different prices and sizes, received so many at a time."""
    at = np.arange(rows)
    times = pa.array(T0 + at // rows_a_time * step_ns).cast(UTC_NS)
    columns = {
        "orderbook_ts": pa.array(T0 + at, pa.uint64()),
        "symbol": pa.array(["BTCUSDT"] * rows),
        "exchange": pa.array(["bybit"] * rows),
        "side": pa.array(np.where(at % 2 == 0, "bid", "ask").tolist()),
        "level": pa.nulls(rows, pa.uint64()),
        "price": pa.array((at % values) + 0.5),
        "size": pa.array((at % values) * 2.0),
        "ts_event": pa.array(T0 + at).cast(UTC_NS),
        "ts_recv": times,
        "message": pa.array(np.maximum(at - opening + 1, 0), pa.uint64()),
        "update_id": pa.array(at, pa.uint64()),
        "is_snapshot": pa.array(at < opening),
        "opening": pa.array(at < opening),
    }
    return pa.table(columns, schema=RAW[Dataset.ORDERBOOKS])


def written(folder, table, mode=Mode.RAW):
    path = lake_path(folder, "bybit", "BTCUSDT", FileKind.ORDERBOOKS, mode, T0)
    write_table(table, path, FOOTER)
    assert read_table(path).equals(table)
    return pq.read_metadata(path)


def is_plain(metadata, name: str) -> bool:
    group = metadata.row_group(0)
    column = next(c for c in map(group.column, range(13)) if c.path_in_schema == name)
    return "PLAIN" in column.encodings and not column.has_dictionary_page


@pytest.mark.parametrize(("values", "plain"), [(1_000, True), (100, False)])
def test_prices_and_sizes_have_a_dictionary_where_they_come_back(tmp_path, values, plain):
    metadata = written(tmp_path, books(1_000, values=values, rows_a_time=1))
    assert {is_plain(metadata, name) for name in ("price", "size")} == {plain}


@pytest.mark.parametrize(
    ("rows_a_time", "step_ns", "plain"), [(5, NS, True), (2, NS, False), (5, 1_000_000, False)]
)
def test_receive_times_of_long_messages_are_written_as_they_are(
    tmp_path, rows_a_time, step_ns, plain
):
    table = books(1_000, values=10, rows_a_time=rows_a_time, step_ns=step_ns)
    times = pa.array(T0 // NS_PER_MS * NS_PER_MS + np.arange(1_000) // rows_a_time * step_ns)
    table = table.set_column(8, "ts_recv", times.cast(UTC_NS))
    assert is_plain(written(tmp_path, table), "ts_recv") == plain


def test_the_opening_rows_of_a_large_file_are_a_row_group_that_a_count_passes_over(tmp_path):
    metadata = written(tmp_path, books(MANY, values=10, rows_a_time=5, opening=40))
    sizes = [metadata.row_group(k).num_rows for k in range(metadata.num_row_groups)]
    assert sizes == [40, MANY - 40]
    with lake_connection(tmp_path) as connection:
        found = connection.execute("SELECT count(*), min(message) FROM orderbooks").fetchall()
    assert found == [(MANY - 40, 1)]


@pytest.mark.parametrize(("rows", "opening"), [(1_000, 40), (MANY, 0), (MANY, MANY)])
def test_other_files_have_one_row_group(tmp_path, rows, opening):
    table = books(rows, values=10, rows_a_time=5, opening=opening)
    assert written(tmp_path, table).num_row_groups == 1


def test_text_has_one_dictionary_in_order_of_appearance_however_it_was_cut():
    schema = SYNC[Dataset.TRADES]
    rows = [{"side": side, "symbol": "S"} for side in ("sell", None, "buy", "sell")]
    whole = pa.Table.from_pylist(rows, schema=schema)
    cut = pa.concat_tables([whole.slice(0, 1), whole.slice(1, 2), whole.slice(3)])
    for table in (whole, cut):
        side = encoded(table, encoded_schema(schema))["side"].chunk(0)
        assert (side.indices.to_pylist(), side.dictionary.to_pylist()) == (
            [0, None, 1, 0],
            ["sell", "buy"],
        )
