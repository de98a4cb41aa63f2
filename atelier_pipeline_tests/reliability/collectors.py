"""Collectors of two symbols and every dataset on each simulated exchange."""

from atelier_pipeline.manifest import Collector, parse_collector
from atelier_pipeline.market.datasets import Dataset

NS_PER_SEC = 1_000_000_000

SYMBOLS = {
    "bybit": ("BTCUSDT", "ETHUSDT"),
    "bybit_spot": ("BTCUSDT", "ETHUSDT"),
    "coinbase": ("BTC-USD", "ETH-USD"),
    "coinbase_exchange": ("BTC-USD", "ETH-USD"),
    "kraken": ("BTC/USD", "ETH/USD"),
}
"""By exchange: the symbol that faults are made for, and another one on the same connection."""

PERPETUAL = ["liquidations", "funding_rates", "open_interest"]


def collector(
    exchange: str,
    *,
    name: str = "mine",
    lead_secs: float = 3,
    linger_secs: float = 0.5,
    staleness_secs: float = 60,
    more: str = "",
) -> Collector:
    """Both symbols of `exchange`, quick to connect again; `more` adds lines to [collect]."""
    wanted = ["trades", *(PERPETUAL if exchange == "bybit" else [])]
    text = "\n".join(
        [
            "[collect]",
            f'exchange = "{exchange}"',
            'source = "simulated"',
            f"staleness_timeout_secs = {staleness_secs}",
            "datatypes.orderbook = { enabled = true, depth = 10 }",
            *(f"datatypes.{dataset}.enabled = true" for dataset in wanted),
            f"window = {{ lead_secs = {lead_secs}, linger_secs = {linger_secs} }}",
            "reconnect = { initial_delay_ms = 100, jitter_factor = 0.0 }",
            more,
            *(f'[[workers]]\nsymbol = "{symbol}"' for symbol in SYMBOLS[exchange]),
        ]
    )
    return parse_collector(name, text, f"{name}.toml")


def datasets_of(exchange: str) -> list[Dataset]:
    """What a collector of `exchange` captures of each symbol, in order."""
    captured = collector(exchange).datasets[SYMBOLS[exchange][0]]
    return [dataset for dataset in Dataset if dataset in captured]
