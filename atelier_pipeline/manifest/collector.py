"""A collector: the symbols of one exchange that are captured together, by window."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from atelier_pipeline.errors import SettingsError
from atelier_pipeline.exchanges.contract import Exchange
from atelier_pipeline.manifest.plan import WorkerPlan
from atelier_pipeline.manifest.refusals import Refusals
from atelier_pipeline.manifest.schema import (
    CaptureWindow,
    Clock,
    Manifest,
    Reconnect,
    Source,
    SyncMode,
)
from atelier_pipeline.market.datasets import Dataset

NS_PER_MS = 1_000_000
COLLECTOR_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """How a window's events become rows: period and delay in ns, `depth` in levels per side."""

    period_ns: int
    mode: SyncMode
    clock: Clock
    emission_delay_ns: int
    depth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector:
    """What one manifest captures by window.

    Attributes:
        name: the manifest's file stem.
        datasets: datasets by symbol, in the manifest's order.
        depth: levels per side kept in sync files and features.
        subscribed_depth: levels per side asked of the exchange; None = the whole book.
        sync: how events become rows; `sync_of` applies a symbol's own clock mode.
        sync_modes: clock mode by symbol.
        text: the manifest as it was read.
        settings_hash: 16 hex digits over every value of the manifest, defaults included.
    """

    name: str
    exchange: Exchange
    source: Source
    datasets: Mapping[str, frozenset[Dataset]]
    depth: int
    subscribed_depth: int | None
    sync: SyncPlan
    sync_modes: Mapping[str, SyncMode]
    window: CaptureWindow
    reconnect: Reconnect
    staleness_timeout_secs: float
    gap_threshold_secs: float
    text: str
    settings_hash: str

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols in the manifest's order."""
        return tuple(self.datasets)

    def sync_of(self, symbol: str) -> SyncPlan:
        """How the events of `symbol` become rows."""
        return replace(self.sync, mode=self.sync_modes[symbol])

    def url(self, simulator_url: str) -> str:
        """The address to connect to.

        Raises:
            SettingsError: the collector's source is recorded frames, which have no address.
        """
        if self.source == "replay":
            raise SettingsError(f'{self.name}: source = "replay" has no address to capture from')
        simulated = f"{simulator_url}/{self.exchange.name}"
        return self.exchange.url if self.source == "live" else simulated


def make_collector(
    name: str, manifest: Manifest, plans: list[WorkerPlan], text: str, refusals: Refusals
) -> Collector:
    """The collector of a manifest, which must have one exchange and one book depth."""
    _check_name(name, refusals)
    _check_agreement(plans, refusals)
    _check_symbols(plans, refusals)
    refusals.check()
    collect = manifest.collect
    sync = SyncPlan(
        period_ns=collect.sync.update_frequency.period_ns,
        mode=collect.sync.sync_mode,
        clock=collect.sync.clock,
        emission_delay_ns=collect.sync.emission_delay_ms * NS_PER_MS,
        depth=plans[0].depth,
    )
    return Collector(
        name=name,
        exchange=plans[0].exchange,
        source=collect.source,
        datasets={plan.symbol: plan.datasets for plan in plans},
        depth=plans[0].depth,
        subscribed_depth=plans[0].subscribed_depth,
        sync=sync,
        sync_modes={plan.symbol: plan.sync_mode for plan in plans},
        window=collect.window,
        reconnect=collect.reconnect,
        staleness_timeout_secs=collect.staleness_timeout_secs,
        gap_threshold_secs=collect.gap_threshold_secs,
        text=text,
        settings_hash=_settings_hash(manifest),
    )


def _check_name(name: str, refusals: Refusals) -> None:
    if not COLLECTOR_NAME.fullmatch(name):
        refusals.add("name of the file", name, "expected 1 to 64 of a-z 0-9 _ -, not _ or - first")


def _check_agreement(plans: list[WorkerPlan], refusals: Refusals) -> None:
    for number, plan in enumerate(plans):
        if plan.exchange is not plans[0].exchange:
            refusals.add(
                f"workers[{number}].exchange",
                plan.exchange.name,
                f"a collector captures one exchange, here {plans[0].exchange.name}: "
                "give it a manifest of its own",
            )
        elif plan.depth != plans[0].depth:
            refusals.add(
                f"workers[{number}].datatypes.orderbook.depth",
                plan.depth,
                f"a collector keeps one depth, here {plans[0].depth}: "
                "give it a manifest of its own",
            )


def _check_symbols(plans: list[WorkerPlan], refusals: Refusals) -> None:
    answered = Counter(plan.exchange.feed_symbol(plan.symbol) for plan in plans)
    for number, plan in enumerate(plans):
        name = plan.exchange.feed_symbol(plan.symbol)
        if answered[name] > 1:
            expected = f"several symbols here are answered as {name}: keep one of them"
            refusals.add(f"workers[{number}].symbol", plan.symbol, expected)


def _settings_hash(manifest: Manifest) -> str:
    values = json.dumps(manifest.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(values.encode()).hexdigest()[:16]
