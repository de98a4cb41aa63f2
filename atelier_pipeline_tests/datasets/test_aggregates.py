"""Aggregates of several symbols and windows out of the lake."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from atelier_pipeline.aggregate import with_zeros
from atelier_pipeline.datasets import read_aggregates
from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake.schemas import AGGREGATES, FEATURES
from atelier_pipeline_tests.validate.small_lake import PERIOD_NS, T0, TICKS, SmallLake

WINDOW_NS = TICKS * PERIOD_NS
SYMBOLS = ["BTC/USD", "ETH/USD"]


@pytest.fixture(scope="module")
def markets() -> list[SmallLake]:
    """Two symbols of two windows each."""
    return [
        SmallLake(exchange="kraken", symbol=symbol, price=price, t0=T0 + window * WINDOW_NS)
        for symbol, price in zip(SYMBOLS, (100.0, 50.0), strict=True)
        for window in range(2)
    ]


@pytest.fixture(scope="module")
def lake(markets: list[SmallLake], tmp_path_factory: pytest.TempPathFactory) -> Path:
    lake = tmp_path_factory.mktemp("aggregates")
    for market in markets:
        market.write(lake)
    return lake


def test_all_of_some_symbols_come_symbol_by_symbol(lake, markets):
    whole = pa.concat_tables(market.table("aggregates") for market in markets)
    assert read_aggregates(lake, "kraken", SYMBOLS).equals(whole)
    assert read_aggregates(str(lake), "kraken", tuple(SYMBOLS[::-1])).equals(
        pa.concat_tables([whole.slice(2 * TICKS), whole.slice(0, 2 * TICKS)])
    )
    assert whole.schema == AGGREGATES


def test_one_symbol_may_be_given_as_it_is(lake):
    one = read_aggregates(lake, "kraken", "ETH/USD")
    assert one.equals(read_aggregates(lake, "kraken", ["ETH/USD"]))
    assert one["symbol"].unique().to_pylist() == ["ETH/USD"]


def test_a_range_has_the_ticks_of_the_windows_that_it_spans(lake, markets):
    second = read_aggregates(lake, "kraken", "BTC/USD", T0 + WINDOW_NS, T0 + 2 * WINDOW_NS)
    assert second.equals(markets[1].table("aggregates"))
    start = datetime.fromtimestamp(T0 / 1e9 + 1.5, UTC)
    across = read_aggregates(lake, "kraken", "BTC/USD", start, T0 + WINDOW_NS + 3 * PERIOD_NS)
    assert across["ts_ns"].to_pylist() == [T0 + k * PERIOD_NS for k in range(16, 24)]


def test_missing_is_null_or_zero(lake):
    plain = read_aggregates(lake, "kraken", "BTC/USD", missing="null")
    assert plain["ob_mid_price"].null_count == 4
    zeros = read_aggregates(lake, "kraken", "BTC/USD", missing="zero")
    assert zeros.equals(with_zeros(plain))
    assert [zeros[name].null_count for name, _ in FEATURES] == [0] * len(FEATURES)
    assert zeros["ob_mid_price"].to_pylist().count(0.0) == 4
    with pytest.raises(ValueError, match="missing='nan' is neither 'null' nor 'zero'"):
        read_aggregates(lake, "kraken", "BTC/USD", missing="nan")


@pytest.mark.parametrize(
    ("exchange", "symbols", "start", "words"),
    [
        ("bybit", SYMBOLS, None, "no aggregates of exchange 'bybit', but of kraken"),
        (
            "kraken",
            ["BTC/USD", "SOL/USD"],
            None,
            "no aggregates of kraken 'SOL/USD', but of BTC-USD, ETH-USD",
        ),
        ("kraken", SYMBOLS, T0 + 2 * WINDOW_NS, "no aggregates of kraken BTC/USD after 2026-02-26"),
    ],
)
def test_what_the_lake_lacks_is_refused(lake, exchange, symbols, start, words):
    with pytest.raises(LakeError, match=words):
        read_aggregates(lake, exchange, symbols, start)


def test_no_symbols_are_refused(lake):
    with pytest.raises(ValueError, match="at least one symbol"):
        read_aggregates(lake, "kraken", [])
