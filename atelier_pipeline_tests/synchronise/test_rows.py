"""Whole rows of small markets, written out."""

from datetime import UTC, datetime

import pyarrow as pa

from atelier_pipeline.aggregate import opening_open_interest
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.synchronise import (
    BOOK_COLUMNS,
    ClockMode,
    MarketSynchronizer,
    SyncSettings,
)
from atelier_pipeline_tests.synchronise.markets import (
    MS,
    NAMES,
    PERIOD,
    T0,
    Market,
    book_message,
    funding,
    open_interest,
    trade,
)
from atelier_pipeline_tests.synchronise.rows import assert_same
from atelier_pipeline_tests.synchronise.test_window import synchronise

SYNC = SyncSettings(period_ns=PERIOD, depth=1)
BOOK = Dataset.ORDERBOOKS


def at(ms: int) -> datetime:
    return datetime.fromtimestamp((T0 + ms * MS) / 1e9, tz=UTC)


def rows(table) -> list[dict]:
    return table.drop_columns(["symbol", "exchange"]).to_pylist()


def test_a_tick_has_the_best_levels_of_the_book_just_before_it():
    opening = book_message(
        T0 - 30 * MS, [(98.0, 1.0), (99.0, 2.0)], [(101.0, 3.0), (102.0, 4.0)], is_snapshot=True
    )
    at_the_tick = book_message(T0 + 100 * MS, [(100.0, 5.0)], ts_recv=T0 + 130 * MS)
    market = Market({BOOK: [at_the_tick]}, opening={BOOK: opening})
    result = synchronise(market, SYNC)
    levels = rows(result.tables[BOOK].slice(0, 4))
    before = {"level": 0, "ts_event": at(-30), "ts_recv": at(-30), "grid_ts": at(100)}
    after = {"level": 0, "ts_event": at(100), "ts_recv": at(130), "grid_ts": at(200)}
    stamp = {"orderbook_ts": T0 + 100 * MS}
    later = {"orderbook_ts": T0 + 200 * MS}
    assert levels == [
        {**stamp, "side": "bid", "price": 99.0, "size": 2.0, **before},
        {**stamp, "side": "ask", "price": 101.0, "size": 3.0, **before},
        {**later, "side": "bid", "price": 100.0, "size": 5.0, **after},
        {**later, "side": "ask", "price": 101.0, "size": 3.0, **after},
    ]
    assert rows(result.snapshots.slice(0, 2)) == [
        {
            "grid_ts": at(100),
            "n_trades": None,
            "n_liquidations": None,
            "n_late": 0,
            "bid_levels": 1,
            "ask_levels": 1,
            "book_valid": True,
            "book_age_ns": 130 * MS,
            "driven": False,
            "filled": True,
            "gap": False,
            "known_at": at(100),
        },
        {
            "grid_ts": at(200),
            "n_trades": None,
            "n_liquidations": None,
            "n_late": 0,
            "bid_levels": 1,
            "ask_levels": 1,
            "book_valid": True,
            "book_age_ns": 100 * MS,
            "driven": True,
            "filled": False,
            "gap": False,
            "known_at": at(200),
        },
    ]


def test_a_book_message_stays_behind_a_newer_one_that_arrived_before_it():
    opening = book_message(T0 - MS, [(98.0, 1.0)], is_snapshot=True)
    newer = book_message(T0 + 150 * MS, [(98.0, 2.0)], ts_recv=T0 + 160 * MS)
    older = book_message(T0 + 50 * MS, [(98.0, 3.0)], ts_recv=T0 + 170 * MS)
    result = synchronise(Market({BOOK: [newer, older]}, opening={BOOK: opening}), SYNC)
    assert result.tables[BOOK]["size"].to_pylist()[:3] == [1.0, 3.0, 3.0]
    assert result.snapshots["book_age_ns"].to_pylist()[:3] == [101 * MS, 50 * MS, 150 * MS]


def test_the_trades_of_a_tick_are_ordered_by_event_then_receipt_then_arrival():
    times = [(30, 50, "d"), (20, 60, "b"), (20, 40, "a"), (20, 60, "c"), (100, 100, "e")]
    trades = [
        trade(T0 + event * MS, ts_recv=T0 + recv * MS, trade_id=name) for event, recv, name in times
    ]
    market = Market({Dataset.TRADES: trades})
    table = synchronise(market, SYNC).tables[Dataset.TRADES]
    assert table["id"].to_pylist() == ["a", "b", "c", "d", "e"]
    assert table["grid_ts"].to_pylist() == [at(100)] * 4 + [at(200)]


def test_a_row_is_known_when_the_last_thing_it_rests_on_was_received():
    events = {
        Dataset.TRADES: [trade(T0 + 150 * MS, ts_recv=T0 + 290 * MS)],
        Dataset.FUNDINGS: [funding(T0 + 250 * MS, ts_recv=T0 + 2600 * MS)],
    }
    table = synchronise(Market(events), SYNC).snapshots
    assert table["known_at"].to_pylist()[:4] == [at(100), at(290), at(2600), at(2600)]
    assert table["n_late"].to_pylist() == [0, 0, 1, 1, 1, 0, 0, 0, 0, 0]


def test_states_are_carried_with_their_true_time_and_opening_ones_are_no_events():
    opening = funding(T0 - 5 * MS, 0.0002, next_ms=7, hours=4.0)
    market = Market(
        {Dataset.FUNDINGS: [funding(T0 + 100 * MS, 0.0003)]}, opening={Dataset.FUNDINGS: opening}
    )
    result = synchronise(market, SYNC)
    assert rows(result.tables[Dataset.FUNDINGS].slice(0, 2)) == [
        {
            "ts": (T0 - 5 * MS) // MS,
            "funding_rate": 0.0002,
            "next_funding_ts": 7,
            "ts_event": at(-5),
            "ts_recv": at(-5),
            "interval_hours": 4.0,
            "grid_ts": at(100),
        },
        {
            "ts": T0 // MS + 100,
            "funding_rate": 0.0003,
            "next_funding_ts": None,
            "ts_event": at(100),
            "ts_recv": at(100),
            "interval_hours": None,
            "grid_ts": at(200),
        },
    ]
    assert result.tables[Dataset.FUNDINGS].num_rows == 10
    assert result.snapshots["filled"].to_pylist()[:3] == [True, False, True]


def test_the_open_interest_before_the_first_tick_is_the_opening_state():
    events = {Dataset.OPEN_INTERESTS: [open_interest(T0, 7.0)]}
    opened = Market(events, opening={Dataset.OPEN_INTERESTS: open_interest(T0 - 1, 5.0)})
    unopened = Market(events)
    for market, before in ((opened, 5.0), (unopened, None)):
        assert synchronise(market, SYNC).open_interest_before == before
        assert opening_open_interest(market.table(Dataset.OPEN_INTERESTS)) == before
    assert opening_open_interest(None) is None


def test_under_the_receive_clock_events_belong_to_the_period_of_their_receipt():
    trades = [trade(T0 + 90 * MS, ts_recv=T0 + 110 * MS), trade(T0 + 120 * MS)]
    sync = SyncSettings(period_ns=PERIOD, clock="receive", mode=ClockMode.TradeDriven)
    table = synchronise(Market({Dataset.TRADES: trades}), sync).snapshots
    assert table["n_trades"].to_pylist()[:3] == [0, 2, 0]
    assert table["driven"].to_pylist()[:3] == [False, True, False]
    assert table["known_at"].equals(table["grid_ts"])


def test_a_whole_book_of_many_levels_is_synchronised_at_every_tick():
    bids = [(50_000.0 - i, 1.0 + i) for i in range(22_500)]
    asks = [(50_001.0 + i, 2.0 + i) for i in range(22_500)]
    opening = book_message(T0 - MS, bids, asks, is_snapshot=True)
    update = book_message(T0 + 150 * MS, [(50_000.0, 0.0)], [(50_000.5, 9.0)])
    market = Market({BOOK: [update]}, opening={BOOK: opening})
    table = synchronise(market, SyncSettings(period_ns=PERIOD, depth=2)).tables[BOOK]
    levels = [[row["price"], row["size"]] for row in table.slice(0, 8).to_pylist()]
    assert levels[:4] == [[50_000.0, 1.0], [49_999.0, 2.0], [50_001.0, 2.0], [50_002.0, 3.0]]
    assert levels[4:] == [[49_999.0, 2.0], [49_998.0, 3.0], [50_000.5, 9.0], [50_001.0, 2.0]]


def test_a_raw_book_needs_no_more_columns_than_are_named():
    opening = book_message(T0 - MS, [(98.0, 1.0)], [(99.0, 4.0)], is_snapshot=True)
    update = book_message(T0 + 150 * MS, [(98.0, 2.0)], ts_recv=T0 + 160 * MS)
    market = Market({BOOK: [update]}, opening={BOOK: opening})
    engine = MarketSynchronizer(SYNC, **NAMES, datasets=[BOOK], window=market.window)
    engine.feed(BOOK, market.table(BOOK).select(list(BOOK_COLUMNS)))
    assert_same(engine.finalize(market.gap_table()), synchronise(market, SYNC))


def test_a_raw_row_without_a_price_stands_for_a_message_without_levels():
    opening = book_message(T0 - MS, [(98.0, 1.0)], is_snapshot=True)
    emptying = book_message(T0 + 150 * MS, [(1.0, 1.0)], is_snapshot=True)
    market = Market({BOOK: [emptying]}, opening={BOOK: opening})
    table = market.table(BOOK)
    nothing = pa.array([98.0, None])
    table = table.set_column(table.schema.get_field_index("price"), "price", nothing)
    engine = MarketSynchronizer(SYNC, **NAMES, datasets=[BOOK], window=market.window)
    engine.feed(BOOK, table)
    rows = engine.finalize(market.gap_table()).snapshots
    assert rows["bid_levels"].to_pylist()[:3] == [1, 0, 0]
    assert rows["driven"].to_pylist()[:3] == [False, True, False]
