"""The manifest of a fetch: the raw streams of several exchanges, from a few words."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from atelier_pipeline.errors import SettingsError
from atelier_pipeline.exchanges.registry import exchange_named
from atelier_pipeline.manifest import SHIPPED, Manifest, load_manifest, manifest_of
from atelier_pipeline.manifest.plan import DATASET_OF_KEY
from atelier_pipeline.manifest.schema import Source

USUAL = SHIPPED / "workers"
"""A manifest for each exchange that can be fetched without naming symbols."""


def known_exchanges() -> list[str]:
    """The exchanges whose usual symbols are known."""
    return sorted(path.stem for path in USUAL.glob("*.toml") if path.stem != "multi")


def fetch_manifest(
    markets: Sequence[str], source: Source, lake: Path | None, *, terminal: bool
) -> Manifest:
    """Every dataset that the exchanges offer of `markets`, to the lake, the terminal or both.

    A market is EXCHANGE or EXCHANGE:SYMBOL; without a symbol its usual ones are taken, without any
    market those of all known exchanges. Raises SettingsError for a market that there is not.
    """
    found = list(dict.fromkeys(_found(markets or known_exchanges())))
    outputs: list[dict[str, str]] = [] if lake is None else [{"type": "parquet", "dir": str(lake)}]
    if terminal or not outputs:
        outputs.append({"type": "terminal"})
    collect = {"exchange": found[0][0], "source": source, "output": outputs}
    workers = [_worker(exchange, symbol) for exchange, symbol in found]
    return manifest_of({"collect": collect, "workers": workers}, "fetch")


def _found(markets: Sequence[str]) -> Iterator[tuple[str, str]]:
    for market in markets:
        exchange, _, symbol = market.partition(":")
        exchange_named(exchange)
        if symbol:
            yield exchange, symbol
        elif exchange in known_exchanges():
            for worker in load_manifest(USUAL / f"{exchange}.toml").workers:
                yield exchange, worker.symbol
        else:
            raise SettingsError(f"fetch: {exchange} has no usual symbols: say {exchange}:SYMBOL")


def _worker(exchange: str, symbol: str) -> dict[str, Any]:
    offered = exchange_named(exchange).datasets
    keys = [key for key, dataset in DATASET_OF_KEY.items() if dataset in offered]
    datatypes = {key: {"enabled": True} for key in keys}
    return {"exchange": exchange, "symbol": symbol, "datatypes": datatypes}
