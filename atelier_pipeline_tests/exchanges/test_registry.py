import pytest

from atelier_pipeline.errors import SettingsError
from atelier_pipeline.exchanges import kraken
from atelier_pipeline.exchanges.registry import EXCHANGES, exchange_named


def test_the_five_exchanges_are_registered():
    assert list(EXCHANGES) == ["bybit", "bybit_spot", "coinbase", "coinbase_exchange", "kraken"]


def test_an_exchange_is_found_by_its_name():
    assert exchange_named("kraken") is kraken.EXCHANGE


def test_an_unknown_name_is_refused_with_the_names_there_are():
    with pytest.raises(
        SettingsError, match=r"no exchange 'binance'; choose one of bybit, .*kraken"
    ):
        exchange_named("binance")
