"""Market snapshots by the letter of the rules: what the reference of the grid says, as objects."""

from atelier_pipeline.market import MarketSnapshot, Orderbook
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.snapshot import Quality
from atelier_pipeline_tests.synchronise.markets import NAMES
from atelier_pipeline_tests.synchronise.reference import Reference, Tick


def expected_snapshots(reference: Reference, ticks: list[Tick]) -> list[MarketSnapshot]:
    return [
        MarketSnapshot(
            **NAMES,
            ts_ns=tick.stamp,
            orderbook=_book(reference, tick),
            trades=tick.events[Dataset.TRADES],
            liquidations=tick.events[Dataset.LIQUIDATIONS],
            funding_rate=tick.states[Dataset.FUNDINGS],
            open_interest=tick.states[Dataset.OPEN_INTERESTS],
            quality=Quality(**{name: tick.snapshot[name] for name in Quality.__struct_fields__}),
        )
        for tick in ticks
    ]


def _book(reference: Reference, tick: Tick) -> Orderbook | None:
    if tick.book is None:
        return None
    bids, asks = reference.levels(tick)
    return Orderbook(**NAMES, orderbook_ts=tick.stamp, bids=bids, asks=asks)
