"""The five datasets of market events, by the names that files, views and the ledger use."""

from enum import StrEnum


class Dataset(StrEnum):
    """One kind of market event; the value is its folder and view name."""

    ORDERBOOKS = "orderbooks"
    TRADES = "trades"
    LIQUIDATIONS = "liquidations"
    FUNDINGS = "fundings"
    OPEN_INTERESTS = "open_interests"
