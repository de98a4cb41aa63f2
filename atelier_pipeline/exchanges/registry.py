"""The exchanges there are, by name. A new one is one line here and one file beside this one."""

from atelier_pipeline.errors import SettingsError
from atelier_pipeline.exchanges import bybit, bybit_spot, coinbase, coinbase_exchange, kraken
from atelier_pipeline.exchanges.contract import Exchange

EXCHANGES: dict[str, Exchange] = {
    "bybit": bybit.EXCHANGE,
    "bybit_spot": bybit_spot.EXCHANGE,
    "coinbase": coinbase.EXCHANGE,
    "coinbase_exchange": coinbase_exchange.EXCHANGE,
    "kraken": kraken.EXCHANGE,
}


def exchange_named(name: str) -> Exchange:
    """The exchange of that name. Raises SettingsError, which lists the names, for any other."""
    exchange = EXCHANGES.get(name)
    if exchange is None:
        raise SettingsError(f"no exchange {name!r}; choose one of {', '.join(EXCHANGES)}")
    return exchange
