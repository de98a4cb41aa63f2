"""A window at once: every row as the rules say it."""

import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atelier_pipeline.errors import SettingsError
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.window import Window
from atelier_pipeline.synchronise import ClockMode, Synchronised, SyncSettings, synchronise_window
from atelier_pipeline_tests.synchronise.markets import (
    DELAY,
    EXCHANGE,
    MS,
    PERIOD,
    SECOND,
    SYMBOL,
    T0,
    Market,
    markets,
    random_market,
)
from atelier_pipeline_tests.synchronise.reference import Reference
from atelier_pipeline_tests.synchronise.rows import assert_equal_rows, assert_same, expected


def any_settings() -> st.SearchStrategy:
    return st.builds(
        SyncSettings,
        period_ns=st.just(PERIOD),
        depth=st.sampled_from([1, 3, 50]),
        mode=st.sampled_from(ClockMode),
        clock=st.sampled_from(["event", "receive"]),
        emission_delay_ns=st.sampled_from([0, DELAY]),
    )


def synchronise(market: Market, sync: SyncSettings) -> Synchronised:
    return synchronise_window(
        market.raw(),
        market.gap_table(),
        sync,
        market.window,
        exchange=EXCHANGE,
        symbol=SYMBOL,
        cut_depth=market.cut_depth,
    )


@settings(max_examples=200, deadline=None)
@given(markets(), any_settings())
def test_a_window_has_the_rows_of_the_rules(market, sync):
    reference = Reference(market, sync)
    assert_same(synchronise(market, sync), expected(reference, reference.window()))


@pytest.mark.parametrize("clock", ["event", "receive"])
@pytest.mark.parametrize("cut_depth", [None, 10])
def test_a_long_minute_has_the_rows_of_the_rules(clock, cut_depth):
    market = random_market(
        11,
        counts={
            Dataset.ORDERBOOKS: 3000,
            Dataset.TRADES: 1500,
            Dataset.LIQUIDATIONS: 200,
            Dataset.FUNDINGS: 300,
            Dataset.OPEN_INTERESTS: 300,
        },
        gaps=6,
        cut_depth=cut_depth,
        window=Window(T0, T0 + 60 * SECOND),
        step=13 * MS,
    )
    sync = SyncSettings(period_ns=PERIOD, clock=clock, depth=5, emission_delay_ns=DELAY)
    reference = Reference(market, sync)
    assert_same(synchronise(market, sync), expected(reference, reference.window()))


@settings(max_examples=100, deadline=None)
@given(markets(), any_settings(), st.integers(0, 40))
def test_no_row_looks_ahead(market, sync, steps):
    end = T0 + steps * 25 * MS
    whole, cut = synchronise(market, sync), synchronise(market.up_to(end, sync.clock), sync)
    assert_equal_rows(_before(cut.snapshots, end), _before(whole.snapshots, end))
    for dataset, table in whole.tables.items():
        assert_equal_rows(_before(cut.tables[dataset], end), _before(table, end))


def _before(table, end: int):
    columns = [name for name in table.column_names if name != "gap"]
    stamps = table["grid_ts"].cast("int64")
    return table.filter(pc.less_equal(stamps, end)).select(columns)


def test_a_window_that_the_period_does_not_divide_is_refused_with_the_numbers():
    sync = SyncSettings(period_ns=300 * MS)
    with pytest.raises(SettingsError, match=rf"{300 * MS} ns .* \({T0} ns .* \({SECOND} ns\)"):
        synchronise(Market({}), sync)


def test_a_window_whose_start_is_off_the_grid_is_refused():
    market = Market({}, window=Window(T0 + 50 * MS, T0 + 150 * MS))
    with pytest.raises(SettingsError, match="must divide"):
        synchronise(market, SyncSettings(period_ns=PERIOD))
