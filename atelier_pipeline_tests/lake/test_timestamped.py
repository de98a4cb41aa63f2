from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atelier_pipeline import lake
from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake import timestamped
from atelier_pipeline.lake.names import FileKind
from atelier_pipeline.lake.reader import read_footer, read_table
from atelier_pipeline.lake.schemas import SYNC
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.events import (
    FundingRate,
    Liquidation,
    NormalizedDelta,
    OpenInterest,
    Trade,
)
from atelier_pipeline.market.orderbook import Orderbook
from atelier_pipeline_tests.lake.rows import T0, texts, times, trades

TICK_NS = 100_000_000

floats = st.floats(allow_nan=False)
sides = st.sampled_from(["buy", "sell"])
owner = {"exchange": st.just("kraken"), "symbol": st.just("BTC/USD")}
both_times = {"ts_event": times, "ts_recv": times}
levels = st.lists(st.tuples(floats, floats), max_size=4)


def struct(kind, **fields):
    return st.builds(kind, **owner, **fields)


trade = struct(Trade, side=sides, price=floats, amount=floats, id=texts, **both_times)
liquidation = struct(Liquidation, side=sides, price=floats, amount=floats, **both_times)
funding = struct(
    FundingRate,
    funding_rate=floats,
    next_funding_ts=st.none() | st.integers(0, 2**63 - 1),
    interval_hours=st.none() | floats,
    **both_times,
)
interest = struct(
    OpenInterest, open_interest=floats, open_interest_value=st.none() | floats, **both_times
)
message = struct(
    NormalizedDelta,
    is_snapshot=st.booleans(),
    bids=levels,
    asks=levels,
    update_id=st.none() | st.integers(0, 2**63 - 1),
    **both_times,
).filter(lambda m: m.bids or m.asks)
book = struct(Orderbook, orderbook_ts=times, bids=levels, asks=levels).filter(
    lambda b: b.bids or b.asks
)

EVENTS = [
    (trade, lake.write_trades_parquet_timestamped, lake.read_trades_parquet),
    (liquidation, lake.write_liquidations_parquet_timestamped, lake.read_liquidations_parquet),
    (funding, lake.write_funding_parquet_timestamped, lake.read_funding_parquet),
    (interest, lake.write_oi_parquet_timestamped, lake.read_oi_parquet),
]
NAMES = ["trades", "liquidations", "fundings", "open_interests"]


@pytest.mark.parametrize("mode", ["raw", "sync"])
@pytest.mark.parametrize(("event", "write", "read"), EVENTS, ids=NAMES)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_events_come_back_as_they_were_written(event, write, read, mode, data):
    rows = data.draw(st.lists(event, min_size=1, max_size=8))
    with TemporaryDirectory() as folder:
        assert read(write(rows, Path(folder), mode)) == rows


@settings(max_examples=40, deadline=None)
@given(st.lists(book | message, min_size=1, max_size=8))
def test_books_and_messages_come_back_as_they_were_written(rows):
    with TemporaryDirectory() as folder:
        assert lake.read_ob_parquet(lake.write_ob_parquet(rows, folder, "raw")) == rows


@settings(max_examples=40, deadline=None)
@given(st.lists(book, min_size=1, max_size=8, unique_by=lambda b: b.orderbook_ts))
def test_books_on_the_grid_come_back_as_they_were_written(rows):
    with TemporaryDirectory() as folder:
        assert lake.read_ob_parquet(lake.write_ob_parquet(rows, folder, "sync")) == rows


def one_trade(**changes) -> Trade:
    fields = {
        "exchange": "bybit",
        "symbol": "BTCUSDT",
        "side": "buy",
        "price": 80_000.5,
        "amount": 0.25,
        "id": "a-1",
        "ts_event": T0 - 1_999_999,
        "ts_recv": T0,
    }
    return Trade(**fields | changes)


def one_book(**changes) -> Orderbook:
    fields = {
        "exchange": "bybit",
        "symbol": "BTCUSDT",
        "orderbook_ts": T0,
        "bids": [(100.0, 6.0), (99.0, 4.0)],
        "asks": [(101.0, 3.0)],
    }
    return Orderbook(**fields | changes)


def test_a_trade_becomes_one_row_with_its_time_in_milliseconds(tmp_path):
    path = lake.write_trades_parquet_timestamped([one_trade()], tmp_path, "raw")
    assert path == tmp_path / "BTCUSDT_trades_raw_20260226_153000.123.parquet"
    plain = [
        column.cast(pa.int64()).to_pylist()
        if pa.types.is_timestamp(column.type)
        else column.to_pylist()
        for column in read_table(path).columns
    ]
    assert plain == [
        [1_772_119_800_121],
        ["BTCUSDT"],
        ["buy"],
        [80_000.5],
        [0.25],
        ["bybit"],
        ["a-1"],
        [T0 - 1_999_999],
        [T0],
    ]


def test_a_message_becomes_one_row_for_each_level_bids_first(tmp_path):
    delta = NormalizedDelta(
        exchange="bybit",
        symbol="BTCUSDT",
        ts_event=T0,
        ts_recv=T0 + 5,
        is_snapshot=False,
        bids=[(100.0, 0.0)],
        asks=[(101.0, 2.0)],
        update_id=8,
    )
    path = lake.write_ob_parquet([one_book(), delta], tmp_path, "raw")
    table = read_table(path)
    rows = table.drop_columns(["symbol", "exchange", "ts_event", "ts_recv"]).to_pydict()
    assert list(zip(*rows.values(), strict=True)) == [
        (T0, "bid", 0, 100.0, 6.0, 1, None, True, False),
        (T0, "bid", 1, 99.0, 4.0, 1, None, True, False),
        (T0, "ask", 0, 101.0, 3.0, 1, None, True, False),
        (T0, "bid", None, 100.0, 0.0, 2, 8, False, False),
        (T0, "ask", None, 101.0, 2.0, 2, 8, False, False),
    ]
    assert table["ts_event"].cast(pa.int64()).to_pylist() == [T0] * 5
    assert table["ts_recv"].cast(pa.int64()).to_pylist() == [None] * 3 + [T0 + 5] * 2


def test_a_message_without_changes_has_no_rows_and_keeps_its_ordinal(tmp_path):
    empty = NormalizedDelta(
        exchange="bybit",
        symbol="BTCUSDT",
        ts_event=T0,
        ts_recv=T0,
        is_snapshot=False,
        bids=[],
        asks=[],
    )
    path = lake.write_ob_parquet([one_book(), empty, one_book()], tmp_path, "raw")
    assert read_table(path)["message"].to_pylist() == [1, 1, 1, 3, 3, 3]


def test_a_book_on_the_grid_is_stamped_with_its_tick(tmp_path):
    path = lake.write_ob_parquet([one_book()], tmp_path, "sync")
    assert path.name == "BTCUSDT_ob_sync_20260226_153000.123.parquet"
    table = read_table(path)
    assert table["grid_ts"].cast(pa.int64()).to_pylist() == [T0] * 3
    assert table["level"].to_pylist() == [0, 1, 0]
    assert table["ts_event"].to_pylist() == [None] * 3


def test_an_event_with_one_time_has_that_time_twice(tmp_path):
    rows = [one_trade(ts_recv=0), one_trade(ts_event=0)]
    path = lake.write_trades_parquet_timestamped(rows, tmp_path, "raw")
    assert lake.read_trades_parquet(path) == [
        one_trade(ts_recv=T0 - 1_999_999),
        one_trade(ts_event=T0),
    ]
    with pytest.raises(LakeError, match="neither ts_event nor ts_recv"):
        lake.write_trades_parquet_timestamped([one_trade(ts_event=0, ts_recv=0)], tmp_path, "raw")


def test_a_name_that_is_taken_is_kept_and_the_next_millisecond_used(tmp_path):
    paths = [
        lake.write_trades_parquet_timestamped([one_trade(id=str(k))], tmp_path, "raw")
        for k in range(3)
    ]
    assert [path.name[-11:] for path in paths] == ["123.parquet", "124.parquet", "125.parquet"]
    assert [lake.read_trades_parquet(path)[0].id for path in paths] == ["0", "1", "2"]


def test_a_table_is_written_as_it_is_and_stamped_with_its_first_tick(tmp_path):
    raw = trades(3)
    ticks = pa.array([T0 + TICK_NS] * 3, SYNC[Dataset.TRADES].field("grid_ts").type)
    table = raw.append_column("grid_ts", ticks)
    path = lake.write_trades_parquet_timestamped(table, tmp_path, "sync")
    assert path.name == "BTCUSDT_trades_sync_20260226_153000.223.parquet"
    assert read_table(path).equals(table)
    with pytest.raises(LakeError, match=r"raw trades: columns .* unknown \['grid_ts'\]"):
        lake.write_trades_parquet_timestamped(table, tmp_path, "raw")


def test_opening_states_are_no_events(tmp_path):
    rate = FundingRate(
        exchange="bybit",
        symbol="BTCUSDT",
        funding_rate=0.0001,
        next_funding_ts=None,
        ts_event=T0,
        ts_recv=T0,
    )
    path = lake.write_funding_parquet_timestamped([rate, rate], tmp_path, "raw")
    table = read_table(path)
    opening = table.set_column(8, "opening", pa.array([True, False]))
    path = lake.write_funding_parquet_timestamped(opening, tmp_path, "raw")
    assert lake.read_funding_parquet(path) == [rate]


@pytest.mark.parametrize(
    ("rows", "mode", "message"),
    [
        ([], "raw", "no trades to write"),
        (trades(0), "raw", "no trades to write"),
        ([one_trade()], "live", "neither 'raw' nor 'sync'"),
        ([one_trade(), one_trade(symbol="ETHUSDT")], "raw", "one file holds one symbol"),
        ([one_trade(), one_trade(exchange="kraken")], "raw", "one file holds one exchange"),
        ([one_trade(symbol="../x")], "raw", "can't name a file"),
    ],
)
def test_rows_that_no_file_can_hold_are_refused(tmp_path, rows, mode, message):
    with pytest.raises(LakeError, match=message):
        lake.write_trades_parquet_timestamped(rows, tmp_path, mode)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("rows", "mode", "message"),
    [
        ([one_book(bids=[], asks=[])], "raw", "has no levels"),
        ([one_book(bids=[], asks=[])], "sync", "has no levels"),
        (
            [
                NormalizedDelta(
                    exchange="bybit",
                    symbol="BTCUSDT",
                    ts_event=T0,
                    ts_recv=T0,
                    is_snapshot=False,
                    bids=[(1.0, 1.0)],
                    asks=[],
                )
            ],
            "sync",
            "holds whole books",
        ),
    ],
)
def test_books_that_no_row_can_hold_are_refused(tmp_path, rows, mode, message):
    with pytest.raises(LakeError, match=message):
        lake.write_ob_parquet(rows, tmp_path, mode)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_kind_is_not_read(tmp_path):
    path = lake.write_trades_parquet_timestamped([one_trade()], tmp_path, "raw")
    with pytest.raises(LakeError, match="holds trades, not orderbooks"):
        lake.read_ob_parquet(path)


def test_a_folder_of_a_lake_asks_for_the_source(tmp_path):
    folder = tmp_path / "bybit" / "BTCUSDT" / FileKind.TRADES / "date=2026-02-26"
    with pytest.raises(LakeError, match="source '' is not one of"):
        lake.write_trades_parquet_timestamped([one_trade()], folder, "raw")
    path = lake.write_trades_parquet_timestamped([one_trade()], folder, "raw", source="live")
    assert read_footer(path).source == "live"
    assert (tmp_path / "_source").read_text() == "live\n"


def test_a_table_whose_first_row_has_no_time_can_not_be_named(tmp_path):
    table = trades(2)
    for column in ("ts_event", "ts_recv"):
        at = table.column_names.index(column)
        table = table.set_column(at, column, pa.nulls(2, table.schema.field(at).type))
    with pytest.raises(LakeError, match="the first row has none of ts_recv, ts_event"):
        lake.write_trades_parquet_timestamped(table, tmp_path, "raw")


def test_a_second_full_of_files_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(timestamped, "_MOST_TRIES", 2)
    for _ in range(2):
        lake.write_trades_parquet_timestamped([one_trade()], tmp_path, "raw")
    with pytest.raises(LakeError, match="has a file of BTCUSDT for each of 2 ms"):
        lake.write_trades_parquet_timestamped([one_trade()], tmp_path, "raw")


def test_a_file_that_appears_in_between_is_not_overwritten(tmp_path, monkeypatch):
    """Another process takes the name between our look and our write."""
    first = lake.write_trades_parquet_timestamped([one_trade(id="theirs")], tmp_path, "raw")
    monkeypatch.setattr(Path, "exists", lambda _: False)
    second = lake.write_trades_parquet_timestamped([one_trade(id="ours")], tmp_path, "raw")
    assert [lake.read_trades_parquet(path)[0].id for path in (first, second)] == ["theirs", "ours"]
