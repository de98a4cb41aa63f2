"""What a worker's manifest asks for."""

import pytest

from atelier_pipeline.errors import SettingsError
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.window import Window
from atelier_pipeline.workers.plan import (
    collector_name,
    collectors_of,
    duration_of,
    outputs_of,
    session_window,
    worker_plans,
)
from atelier_pipeline_tests.workers.samples import manifest

SEC = 1_000_000_000
SPOT = (
    "[workers.datatypes]\nliquidations.enabled = false\nfunding_rates.enabled = false\n"
    "open_interest.enabled = false\n"
)
MIXED = (
    '[[workers]]\nsymbol = "BTCUSDT"\nsync_mode = "on_trade"\n'
    f'[[workers]]\nexchange = "kraken"\nsymbol = "BTC/USD"\n{SPOT}'
    '[[workers]]\nsymbol = "ETHUSDT"\n'
)


def test_symbols_of_one_exchange_and_depth_share_a_collector():
    made = collectors_of(manifest(workers=MIXED), "Mixed Markets")
    assert [(c.name, c.exchange.name, c.symbols) for c in made] == [
        ("mixed-markets-bybit-50", "bybit", ("BTCUSDT", "ETHUSDT")),
        ("mixed-markets-kraken-50", "kraken", ("BTC/USD",)),
    ]
    assert made[0].sync_modes == {"BTCUSDT": "on_trade", "ETHUSDT": "on_orderbook"}
    assert made[1].datasets["BTC/USD"] == {Dataset.ORDERBOOKS, Dataset.TRADES}


def test_a_manifest_of_one_group_keeps_its_name_and_every_value():
    (made,) = collectors_of(manifest(collect="sync.emission_delay_ms = 7"), "btc")
    assert made.name == "btc"
    assert made.source == "simulated"
    assert made.sync.emission_delay_ns == 7_000_000


def test_a_manifest_that_cannot_be_run_is_refused_whole():
    refused = manifest().model_copy(
        update={"collect": manifest().collect.model_copy(update={"exchange": "mtgox"})}
    )
    with pytest.raises(SettingsError, match="mtgox"):
        worker_plans(refused, "mine")


@pytest.mark.parametrize(
    ("name", "called"), [("Bybit BTC", "bybit-btc"), ("__", "worker"), ("x" * 99, "x" * 40)]
)
def test_any_file_name_makes_a_collector_name(name, called):
    assert collector_name(name) == called


def test_a_session_begins_on_the_grid_and_ends_within_its_duration():
    assert session_window(10 * SEC + 7, SEC, 2.5) == Window(10 * SEC, 12 * SEC)
    assert session_window(10 * SEC + 7, SEC, 0.1) == Window(10 * SEC, 11 * SEC)
    assert session_window(10 * SEC, SEC, None).end_ns > 10 * SEC + 3650 * 86_400 * SEC - 1


def test_the_duration_is_told_in_hours():
    assert duration_of(manifest("[session]\nduration_hours = 0.5")) == 1800
    assert duration_of(manifest()) is None


def test_outputs_go_to_the_markets_that_name_them():
    workers = (
        '[[workers]]\nsymbol = "BTCUSDT"\noutput = [{ type = "parquet", dir = "a" }]\n'
        '[[workers]]\nsymbol = "ETHUSDT"\n'
    )
    common = (
        '[[collect.output]]\ntype = "terminal"\n[[collect.output]]\ntype = "parquet"\ndir = "a"'
    )
    assert outputs_of(worker_plans(manifest(collect=common, workers=workers), "mine")) == {
        ("parquet", "a"): {("bybit", "BTCUSDT"), ("bybit", "ETHUSDT")},
        ("terminal", None): {("bybit", "ETHUSDT")},
    }
