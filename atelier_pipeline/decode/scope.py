"""What a decode covers: which symbols and datasets of one exchange, for which collector."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from atelier_pipeline.exchanges.contract import Exchange
from atelier_pipeline.market.datasets import Dataset


@dataclass(frozen=True, slots=True)
class Scope:
    """The feeds of one collector on one exchange.

    Attributes:
        source: live | simulated | replay, as it is written into `captures`.
        datasets: what is captured of each symbol, by the symbol as subscribed.
        depth: subscribed levels per side, None for the whole book. Book messages that name another
            depth belong to another feed and are left out.
        symbol_depths: subscribed levels of the symbols for which they differ from `depth`.
    """

    exchange: Exchange
    collector: str
    source: str
    datasets: Mapping[str, frozenset[Dataset]]
    depth: int | None
    symbol_depths: Mapping[str, int | None] = field(default_factory=dict[str, int | None])

    def depth_of(self, symbol: str) -> int | None:
        """Subscribed levels per side of a symbol, None for the whole book."""
        return self.symbol_depths.get(symbol, self.depth)

    def kept_depth_of(self, symbol: str) -> int | None:
        """Levels per side that the book of a symbol is cut to after each message, None for none."""
        return self.depth_of(symbol) if self.exchange.cuts_to_depth else None


def capture_id(exchange: str, collector: str, t0_ns: int) -> str:
    """The id of a collector's window: 16 hex digits, equal on every machine."""
    return hashlib.sha256(f"{exchange}|{collector}|{t0_ns}".encode()).hexdigest()[:16]
