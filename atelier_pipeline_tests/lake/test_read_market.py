"""Snapshots → files → snapshots is identity, whichever files the ticks lie in."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake import read_market_snapshots
from atelier_pipeline.lake.footer import Footer
from atelier_pipeline.lake.names import FileKind, Mode, lake_path
from atelier_pipeline.lake.read_market import _Feed
from atelier_pipeline.lake.writer import write_table
from atelier_pipeline.market import MarketSnapshot
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.window import Window
from atelier_pipeline.synchronise import Synchronised, SyncSettings
from atelier_pipeline_tests.lake.expected_snapshots import expected_snapshots
from atelier_pipeline_tests.synchronise.markets import (
    EXCHANGE,
    MS,
    PERIOD,
    SECOND,
    SYMBOL,
    T0,
    Market,
    random_market,
)
from atelier_pipeline_tests.synchronise.reference import Reference
from atelier_pipeline_tests.synchronise.test_window import synchronise

SYNC = SyncSettings(period_ns=PERIOD, depth=3)
TICKS = SECOND // PERIOD


def second(number: int, seed: int, datasets: list[Dataset]) -> Market:
    """One of several windows of a second, each a market of its own."""
    window = Window(T0 + number * SECOND, T0 + (number + 1) * SECOND)
    return random_market(seed, counts=dict.fromkeys(datasets, 20), gaps=2, window=window)


def synchronised(market: Market) -> Synchronised:
    return synchronise(market, SYNC)


def tables_of(rows: Synchronised) -> dict[FileKind, pa.Table]:
    return {**{FileKind(d): t for d, t in rows.tables.items()}, FileKind.SNAPSHOTS: rows.snapshots}


def write(lake: Path, tables: dict[FileKind, pa.Table], t0: int) -> list[Path]:
    footer = Footer(exchange=EXCHANGE, symbol=SYMBOL, source="replay")
    paths = {k: lake_path(lake, EXCHANGE, SYMBOL, k, Mode.SYNC, t0) for k in tables}
    return [write_table(tables[k], path, footer).path for k, path in paths.items()]


def of_the_rules(markets: list[Market]) -> list[MarketSnapshot]:
    references = [Reference(market, SYNC) for market in markets]
    return [s for r in references for s in expected_snapshots(r, r.window())]


def read(lake: Path, start: int | None = None, end: int | None = None) -> list[MarketSnapshot]:
    return list(read_market_snapshots(lake, EXCHANGE, SYMBOL, start, end))


def pieces(tables: dict[FileKind, pa.Table], lengths: list[int]) -> Iterator[tuple[dict, int]]:
    """The same rows as files of some ticks each, every one named after its own first tick."""
    stamps = tables[FileKind.SNAPSHOTS]["grid_ts"].cast(pa.int64()).to_numpy()
    for ticks in np.split(stamps, np.cumsum(lengths)):
        for kind, table in tables.items():
            of_row = table["grid_ts"].cast(pa.int64()).to_numpy()
            rows = table.filter(pa.array(np.isin(of_row, ticks)))
            if rows.num_rows:
                yield {kind: rows}, rows["grid_ts"].cast(pa.int64())[0].as_py()


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.integers(0, 2**32), min_size=1, max_size=3),
    st.lists(st.sampled_from(list(Dataset)), unique=True),
)
def test_snapshots_of_windows_come_back_as_they_were(tmp_path_factory, seeds, datasets):
    lake = tmp_path_factory.mktemp("lake")
    markets = [second(number, seed, datasets) for number, seed in enumerate(seeds)]
    for market in markets:
        write(lake, tables_of(synchronised(market)), market.window.start_ns)
    assert read(lake) == of_the_rules(markets)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.integers(0, 5), max_size=4))
def test_snapshots_of_a_worker_come_back_as_they_were(tmp_path_factory, seed, lengths):
    lake, market = tmp_path_factory.mktemp("lake"), second(0, seed, list(Dataset))
    for tables, t0 in pieces(tables_of(synchronised(market)), lengths):
        write(lake, tables, t0)
    assert read(lake) == of_the_rules([market])


def test_windows_that_lie_in_one_file_of_their_day_come_back_as_they_were(tmp_path, markets):
    days = [tables_of(synchronised(market)) for market in markets]
    write(tmp_path, {kind: pa.concat_tables(day[kind] for day in days) for kind in days[0]}, T0)
    assert read(tmp_path) == of_the_rules(markets)
    assert read(tmp_path, T0 + SECOND, T0 + 2 * SECOND) == of_the_rules(markets[1:2])


@pytest.fixture(scope="module")
def markets() -> list[Market]:
    return [second(number, seed=number, datasets=list(Dataset)) for number in range(3)]


@pytest.fixture(scope="module")
def lake(markets: list[Market], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three windows of a second."""
    lake = tmp_path_factory.mktemp("three_windows")
    for market in markets:
        write(lake, tables_of(synchronised(market)), market.window.start_ns)
    return lake


@settings(deadline=None)
@given(st.integers(-5, 35), st.integers(1, 40))
def test_a_range_has_its_own_ticks_across_windows(lake, markets, first, count):
    start, end = T0 + first * PERIOD, T0 + (first + count) * PERIOD
    expected = [s for s in of_the_rules(markets) if start < s.ts_ns <= end]
    if expected:
        assert read(lake, start, end) == expected
    else:
        with pytest.raises(LakeError, match="no snapshots of bybit BTCUSDT after"):
            read_market_snapshots(lake, EXCHANGE, SYMBOL, start, end)


def test_a_range_may_be_given_as_datetimes(lake):
    start, end = (datetime.fromtimestamp((T0 + k * SECOND) / 1e9, UTC) for k in (1, 2))
    assert list(read_market_snapshots(str(lake), EXCHANGE, SYMBOL, start, end)) == read(
        lake, T0 + SECOND, T0 + 2 * SECOND
    )


def test_snapshots_are_read_as_they_are_asked_for(tmp_path):
    markets = [second(number, seed=7, datasets=list(Dataset)) for number in range(3)]
    for market in markets:
        paths = write(tmp_path, tables_of(synchronised(market)), market.window.start_ns)
    for path in paths:
        path.write_bytes(b"damaged")
    coming = read_market_snapshots(tmp_path, EXCHANGE, SYMBOL)
    assert list(islice(coming, TICKS)) == of_the_rules(markets[:1])
    with pytest.raises(LakeError, match="no whole Parquet file"):
        list(coming)


def test_what_is_missing_is_refused_before_the_first_snapshot_is_asked_for(lake, tmp_path):
    with pytest.raises(LakeError, match="no snapshots of bybit 'ETHUSDT', but of BTCUSDT"):
        read_market_snapshots(lake, EXCHANGE, "ETHUSDT")
    with pytest.raises(LakeError, match="is no lake"):
        read_market_snapshots(tmp_path, EXCHANGE, SYMBOL)


def test_a_dataset_whose_file_is_gone_is_refused(tmp_path):
    market = second(0, seed=1, datasets=list(Dataset))
    tables = tables_of(synchronised(market))
    del tables[FileKind.TRADES]
    write(tmp_path, tables, T0)
    with pytest.raises(LakeError, match=r"rows of trades at the tick .*a file is missing"):
        read(tmp_path)


def test_many_ticks_are_read_through_the_seams_of_batches(tmp_path):
    ticks = 1_000
    market = random_market(
        5,
        counts={Dataset.ORDERBOOKS: 3_000, Dataset.TRADES: 20_000},
        window=Window(T0, T0 + ticks * PERIOD),
        step=3 * MS,
    )
    write(tmp_path, tables_of(synchronised(market)), T0)
    assert read(tmp_path) == of_the_rules([market])


def test_a_tick_s_rows_are_given_out_together_also_where_batches_cut_through_them():
    market = second(0, seed=2, datasets=[Dataset.TRADES])
    trades = synchronised(market).tables[Dataset.TRADES].combine_chunks()
    stamps = trades["grid_ts"].cast(pa.int64()).to_numpy()
    crowded = next(tick for tick in stamps if (stamps == tick).sum() > 1)
    cut = int(np.searchsorted(stamps, crowded)) + 1
    [batch] = trades.to_batches()
    feed = _Feed(Dataset.TRADES, iter([batch.slice(0, cut), batch.slice(cut)]))
    end = int(np.searchsorted(stamps, crowded, "right"))
    assert feed.up_to(crowded).equals(trades.slice(0, end))
    assert feed.up_to(int(stamps[-1])).equals(trades.slice(end))
