"""The 15 features: the contract's figures, and whole markets against a plain reference."""

from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings

from atelier_pipeline.aggregate import aggregate, with_zeros
from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake.schemas import FEATURES
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.window import Window
from atelier_pipeline.synchronise import ClockMode, MarketSynchronizer, Synchronised, SyncSettings
from atelier_pipeline_tests.aggregate.reference import expected_aggregates
from atelier_pipeline_tests.synchronise.markets import (
    DELAY,
    MS,
    NAMES,
    PERIOD,
    SECOND,
    T0,
    Market,
    book_message,
    funding,
    gap,
    liquidation,
    markets,
    open_interest,
    random_market,
    raw_table,
    trade,
)
from atelier_pipeline_tests.synchronise.reference import Reference
from atelier_pipeline_tests.synchronise.rows import assert_equal_rows
from atelier_pipeline_tests.synchronise.test_window import any_settings, synchronise

SYNC = SyncSettings(period_ns=PERIOD)
NAMES_OF_FEATURES = [name for name, _ in FEATURES]
BOOK = book_message(
    T0 - MS, [(100.0, 6.0), (99.0, 4.0)], [(101.0, 3.0), (102.0, 2.0)], is_snapshot=True
)


def features(market: Market, row: int = 0, sync: SyncSettings = SYNC) -> dict:
    table = aggregate(synchronise(market, sync))
    return table.select(NAMES_OF_FEATURES).slice(row, 1).to_pylist()[0]


def test_the_features_have_the_figures_of_the_contract():
    market = Market(
        {
            Dataset.ORDERBOOKS: [],
            Dataset.TRADES: [trade(T0, 100.0, 0.5), trade(T0, 200.0, 1.0)],
            Dataset.LIQUIDATIONS: [
                liquidation(T0, 100.0, 2.0, side="buy"),
                liquidation(T0, 90.0, 1.0, side="sell"),
            ],
            Dataset.FUNDINGS: [funding(T0, 0.0001, next_ms=T0 // MS + 1100)],
            Dataset.OPEN_INTERESTS: [open_interest(T0 + MS, 1007.5, value=5e7)],
        },
        opening={
            Dataset.ORDERBOOKS: BOOK,
            Dataset.OPEN_INTERESTS: open_interest(T0 - MS, 1000.0),
        },
    )
    assert features(market) == {
        "ob_mid_price": 100.5,
        "ob_spread": 1.0,
        "ob_imbalance": 5 / 15,
        "trade_volume": 1.5,
        "trade_vwap": 250 / 1.5,
        "trade_count": 2,
        "liq_notional": 290.0,
        "liq_count": 2,
        "liq_imbalance": 110 / 290,
        "fr_rate": 0.0001,
        "fr_annualized": pytest.approx(0.1095, rel=1e-15),
        "fr_next_settlement_delta": 1000,
        "oi_contracts": 1007.5,
        "oi_value": 5e7,
        "oi_change": 7.5,
    }


def test_a_market_that_was_not_captured_has_no_features():
    assert features(Market({})) == dict.fromkeys(NAMES_OF_FEATURES)


def test_a_quiet_market_has_counts_and_sums_of_zero_and_no_ratios():
    market = Market({Dataset.TRADES: [], Dataset.LIQUIDATIONS: []})
    zero = {"trade_volume": 0.0, "trade_count": 0, "liq_notional": 0.0, "liq_count": 0}
    assert features(market) == {**dict.fromkeys(NAMES_OF_FEATURES), **zero}


def test_a_feed_that_nobody_heard_has_no_counts_and_no_sums():
    market = Market(
        {Dataset.TRADES: [], Dataset.LIQUIDATIONS: []},
        gaps=[gap(d, "disconnect", T0, None) for d in (Dataset.TRADES, Dataset.LIQUIDATIONS)],
    )
    assert features(market) == dict.fromkeys(NAMES_OF_FEATURES)


def test_a_one_sided_book_has_an_imbalance_but_neither_mid_nor_spread():
    one_sided = book_message(T0 - MS, [(100.0, 6.0)], is_snapshot=True)
    market = Market({Dataset.ORDERBOOKS: []}, opening={Dataset.ORDERBOOKS: one_sided})
    assert features(market) == {**dict.fromkeys(NAMES_OF_FEATURES), "ob_imbalance": 1.0}


def test_a_book_that_is_not_valid_has_no_features():
    crossing = book_message(T0 + MS, [(101.5, 1.0)])
    market = Market({Dataset.ORDERBOOKS: [crossing]}, opening={Dataset.ORDERBOOKS: BOOK})
    assert features(market) == dict.fromkeys(NAMES_OF_FEATURES)


def test_an_emptied_book_has_no_features_though_it_is_valid():
    emptying = book_message(T0, [(100.0, 0), (99.0, 0)], [(101.0, 0), (102.0, 0)])
    market = Market({Dataset.ORDERBOOKS: [emptying]}, opening={Dataset.ORDERBOOKS: BOOK})
    assert features(market) == dict.fromkeys(NAMES_OF_FEATURES)


def test_the_imbalance_covers_the_kept_depth():
    market = Market({Dataset.ORDERBOOKS: []}, opening={Dataset.ORDERBOOKS: BOOK})
    shallow = SyncSettings(period_ns=PERIOD, depth=1)
    assert features(market, sync=shallow)["ob_imbalance"] == 3 / 9


def test_the_settlement_delta_is_signed_and_the_tick_is_rounded_down_to_ms():
    sync = SyncSettings(period_ns=PERIOD // 64)
    assert sync.period_ns % MS
    market = Market({Dataset.FUNDINGS: [funding(T0, next_ms=T0 // MS + 4, hours=1.0)]})
    deltas = [features(market, row, sync)["fr_next_settlement_delta"] for row in range(4)]
    assert deltas == [3, 1, 0, -2]
    assert features(market, 0, sync)["fr_annualized"] == 0.0001 * 8760


def test_the_change_of_open_interest_is_from_tick_to_tick():
    events = [open_interest(T0 + 150 * MS, 5.0), open_interest(T0 + 350 * MS, 3.0)]
    table = aggregate(synchronise(Market({Dataset.OPEN_INTERESTS: events}), SYNC))
    assert table["oi_change"].to_pylist() == [None, None, 0.0, -2.0] + 6 * [0.0]


def test_with_zeros_fills_every_feature_and_nothing_else():
    table = aggregate(synchronise(Market({}), SYNC))
    filled = with_zeros(table)
    assert filled.schema == table.schema
    assert filled.select(NAMES_OF_FEATURES).to_pylist()[0] == dict.fromkeys(NAMES_OF_FEATURES, 0)
    others = [name for name in table.column_names if name not in NAMES_OF_FEATURES]
    assert filled.select(others).equals(table.select(others))


def test_rows_of_another_grid_are_refused():
    market = Market({Dataset.TRADES: [trade(T0)]})
    rows = synchronise(market, SYNC)
    coarser = synchronise(market, SyncSettings(period_ns=5 * PERIOD))
    with pytest.raises(LakeError, match="trades at 1700000000100000000 ns have no snapshots row"):
        aggregate(Synchronised(rows.tables, coarser.snapshots))


@pytest.mark.parametrize("depth", [1, 2])
def test_books_of_another_depth_than_the_snapshots_are_refused(depth):
    market = Market({Dataset.ORDERBOOKS: []}, opening={Dataset.ORDERBOOKS: BOOK})
    rows = synchronise(market, SyncSettings(period_ns=PERIOD, depth=depth))
    others = synchronise(market, SyncSettings(period_ns=PERIOD, depth=3 - depth))
    with pytest.raises(LakeError, match="orderbooks are not what snapshots count"):
        aggregate(Synchronised(rows.tables, others.snapshots))


def test_books_of_other_ticks_than_the_snapshots_are_refused():
    market = Market({Dataset.ORDERBOOKS: []}, opening={Dataset.ORDERBOOKS: BOOK})
    rows = synchronise(market, SYNC)
    next_window = Window(market.window.end_ns, market.window.end_ns + SECOND)
    later = synchronise(replace(market, window=next_window), SYNC)
    with pytest.raises(LakeError, match="orderbooks are not what snapshots count"):
        aggregate(Synchronised(rows.tables, later.snapshots))


@settings(max_examples=150, deadline=None)
@given(markets(), any_settings())
def test_the_features_of_a_window_are_those_of_the_definitions(market, sync):
    reference = Reference(market, sync)
    wanted = expected_aggregates(reference, reference.window())
    assert_equal_rows(aggregate(synchronise(market, sync)), wanted)


MINUTE = random_market(
    23,
    counts={
        Dataset.ORDERBOOKS: 3000,
        Dataset.TRADES: 2500,
        Dataset.LIQUIDATIONS: 300,
        Dataset.FUNDINGS: 300,
        Dataset.OPEN_INTERESTS: 300,
    },
    gaps=4,
    window=Window(T0, T0 + 60 * SECOND),
    step=13 * MS,
)


def test_the_features_of_a_long_minute_are_those_of_the_definitions():
    reference = Reference(MINUTE, SYNC)
    wanted = expected_aggregates(reference, reference.window())
    assert_equal_rows(aggregate(synchronise(MINUTE, SYNC)), wanted)


def test_the_features_from_files_are_those_from_memory(tmp_path):
    rows = synchronise(MINUTE, SYNC)
    read = {}
    for name, table in {**rows.tables, "snapshots": rows.snapshots}.items():
        pq.write_table(table, tmp_path / f"{name}.parquet", row_group_size=1000)
        read[name] = pq.read_table(tmp_path / f"{name}.parquet")
    from_files = Synchronised({d: read[d] for d in rows.tables}, read["snapshots"])
    raw = MINUTE.table(Dataset.OPEN_INTERESTS)
    assert_equal_rows(aggregate(from_files, raw), aggregate(rows))


def test_the_features_of_live_pieces_are_those_of_the_definitions():
    sync = SyncSettings(period_ns=PERIOD, mode=ClockMode.ExternalClock, emission_delay_ns=DELAY)
    market = Market(MINUTE.events, gaps=MINUTE.gaps)
    worker = MarketSynchronizer(sync, **NAMES, datasets=market.events)
    for dataset, events in market.events.items():
        worker.feed(dataset, raw_table(dataset, events))
    pieces = [
        worker.drain(T0 + seconds * SECOND, market.gap_table()) for seconds in (1, 1, 7, 20, 50)
    ]
    pieces.append(worker.finalize(market.gap_table()))
    table = pa.concat_tables([aggregate(piece) for piece in pieces])
    reference = Reference(market, sync, live=True)
    first, last = table["ts_ns"][0].as_py(), table["ts_ns"][-1].as_py()
    assert_equal_rows(table, expected_aggregates(reference, list(reference.ticks(first, last))))
