"""A fetch asks for everything that its markets offer."""

from pathlib import Path

import pytest

from atelier_pipeline.errors import SettingsError
from atelier_pipeline.exchanges.registry import EXCHANGES
from atelier_pipeline.manifest import Manifest
from atelier_pipeline.manifest.plan import plan_workers
from atelier_pipeline.manifest.refusals import Refusals
from atelier_pipeline.workers.fetch import fetch_manifest, known_exchanges

USUAL = {
    "bybit": ("BTCUSDT", "ETHUSDT"),
    "coinbase": ("BTC-USD", "ETH-USD"),
    "kraken": ("BTC/USD", "ETH/USD"),
}


def fetched(*markets: str, lake: Path | None = None) -> Manifest:
    return fetch_manifest(markets, "live", lake, terminal=lake is None)


def asked(manifest: Manifest) -> list[tuple[str, str]]:
    plans = plan_workers(manifest, Refusals("fetch"))
    assert all(plan.datasets == plan.exchange.datasets for plan in plans)
    return [(plan.exchange.name, plan.symbol) for plan in plans]


def test_without_markets_the_usual_symbols_of_all_known_exchanges_are_fetched():
    assert known_exchanges() == list(USUAL)
    assert asked(fetched()) == [(name, s) for name, symbols in USUAL.items() for s in symbols]


def test_markets_are_fetched_in_the_order_in_which_they_are_named_and_once():
    found = asked(fetched("kraken:XRP/USD", "bybit", "bybit:BTCUSDT"))
    assert found == [("kraken", "XRP/USD"), ("bybit", "BTCUSDT"), ("bybit", "ETHUSDT")]


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_every_exchange_can_be_fetched_by_symbol(exchange):
    assert asked(fetched(f"{exchange}:BTC-USD")) == [(exchange, "BTC-USD")]


def test_files_and_terminal_are_as_asked_for_and_never_neither():
    def outputs(lake: Path | None, *, terminal: bool) -> list[str]:
        manifest = fetch_manifest(["kraken"], "live", lake, terminal=terminal)
        return [f"{output.type} {output.dir}" for output in manifest.collect.output]

    assert outputs(Path("raw"), terminal=True) == ["parquet raw", "terminal None"]
    assert outputs(Path("raw"), terminal=False) == ["parquet raw"]
    assert outputs(None, terminal=False) == ["terminal None"]


@pytest.mark.parametrize(
    ("market", "told"),
    [
        ("mtgox", "no exchange 'mtgox'; choose one of bybit, "),
        ("bybit_spot", "fetch: bybit_spot has no usual symbols: say bybit_spot:SYMBOL"),
        ("kraken:BTC_USD", 'fetch: workers[0].symbol = "BTC_USD": expected 1 to 64 of '),
    ],
)
def test_a_market_that_there_is_not_is_refused(market, told):
    with pytest.raises(SettingsError) as refusal:
        fetched(market)
    assert str(refusal.value).startswith(told)
