"""What the simulated exchanges trade: the built-in symbols, in each exchange's own spelling.

Precisions follow the real listings where they are known; prices are where the market once was.
"""

from dataclasses import dataclass

ASSETS: dict[str, float] = {
    "BTC": 83_000.0,
    "ETH": 2_660.0,
    "SOL": 188.0,
    "XRP": 2.4,
    "ADA": 0.71,
    "DOGE": 0.21,
    "LTC": 95.0,
    "LINK": 17.2,
    "AVAX": 24.6,
    "SHIB": 0.000_012_4,
}
"""Asset → the price around which it moves, in US dollars."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One symbol of one exchange.

    Attributes:
        symbol: the exchange's own spelling.
        asset: key of ASSETS.
        price_digits, size_digits: decimals of the smallest unit of a price and of a size.
        tick: the price step, in units of 10^-price_digits.
    """

    symbol: str
    asset: str
    price_digits: int
    size_digits: int
    tick: int = 1


def _listings(pattern: str, *rows: tuple[str, int, int, int]) -> dict[str, Listing]:
    listed = (
        Listing(pattern.format(asset), asset, price_digits, size_digits, tick)
        for asset, price_digits, tick, size_digits in rows
    )
    return {listing.symbol: listing for listing in listed}


# asset, price digits, tick in units of the last price digit, size digits
LISTINGS: dict[str, dict[str, Listing]] = {
    "bybit": _listings(
        "{}USDT",
        ("BTC", 2, 10, 3),
        ("ETH", 2, 1, 2),
        ("SOL", 3, 10, 1),
        ("XRP", 4, 1, 1),
        ("ADA", 4, 1, 0),
        ("DOGE", 5, 1, 0),
        ("LTC", 2, 1, 1),
        ("LINK", 3, 1, 1),
        ("AVAX", 3, 1, 1),
    ),
    "bybit_spot": _listings(
        "{}USDT",
        ("BTC", 1, 1, 6),
        ("ETH", 2, 1, 5),
        ("SOL", 2, 1, 3),
        ("XRP", 4, 1, 2),
        ("ADA", 4, 1, 2),
        ("DOGE", 5, 1, 1),
        ("LTC", 2, 1, 5),
        ("LINK", 3, 1, 3),
        ("AVAX", 3, 1, 3),
        ("SHIB", 8, 1, 0),
    ),
    "coinbase": _listings(
        "{}-USD",
        ("BTC", 2, 1, 8),
        ("ETH", 2, 1, 8),
        ("SOL", 2, 1, 8),
        ("XRP", 4, 1, 6),
        ("ADA", 4, 1, 8),
        ("DOGE", 5, 1, 1),
        ("LTC", 2, 1, 8),
        ("LINK", 3, 1, 2),
        ("AVAX", 2, 1, 8),
        ("SHIB", 8, 1, 0),
    ),
    "kraken": _listings(
        "{}/USD",
        ("BTC", 1, 1, 8),
        ("ETH", 2, 1, 8),
        ("SOL", 2, 1, 8),
        ("XRP", 5, 1, 8),
        ("ADA", 6, 1, 8),
        ("DOGE", 7, 1, 8),
        ("LTC", 2, 1, 8),
        ("LINK", 5, 1, 8),
        ("AVAX", 2, 1, 8),
        ("SHIB", 8, 1, 5),
    ),
}
LISTINGS["coinbase_exchange"] = LISTINGS["coinbase"]
"""Exchange → symbol → listing."""
