"""What a manifest asks of exchanges: each worker with its overrides applied.

An exchange that does not exist, a dataset or a depth that it does not offer are refused here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from atelier_pipeline.errors import SettingsError
from atelier_pipeline.exchanges.contract import Exchange
from atelier_pipeline.exchanges.registry import exchange_named
from atelier_pipeline.manifest.refusals import Refusals
from atelier_pipeline.manifest.schema import Datatypes, Manifest, Output, SyncMode, Worker
from atelier_pipeline.market.datasets import Dataset

DATASET_OF_KEY: Mapping[str, Dataset] = {
    "orderbook": Dataset.ORDERBOOKS,
    "trades": Dataset.TRADES,
    "liquidations": Dataset.LIQUIDATIONS,
    "funding_rates": Dataset.FUNDINGS,
    "open_interest": Dataset.OPEN_INTERESTS,
}


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """One symbol of a manifest, with what it takes from [collect] filled in.

    Attributes:
        depth: levels per side kept in sync files and features.
        subscribed_depth: levels per side asked of the exchange; None = the whole book.
    """

    exchange: Exchange
    symbol: str
    datasets: frozenset[Dataset]
    depth: int
    subscribed_depth: int | None
    output: tuple[Output, ...]
    sync_mode: SyncMode


def plan_workers(manifest: Manifest, refusals: Refusals) -> list[WorkerPlan]:
    """Every worker that can be planned; what can't be is noted in `refusals`."""
    plans: list[WorkerPlan] = []
    claimed: dict[tuple[str, str], int] = {}
    for number, worker in enumerate(manifest.workers):
        plan = _plan(manifest, number, refusals)
        if plan is None:
            continue
        first = claimed.setdefault((plan.exchange.name, plan.symbol), number)
        if first != number:
            refusals.add(
                f"workers[{number}].symbol", worker.symbol, f"workers[{first}] captures it already"
            )
        plans.append(plan)
    return plans


def _plan(manifest: Manifest, number: int, refusals: Refusals) -> WorkerPlan | None:
    collect, worker = manifest.collect, manifest.workers[number]
    exchange = _exchange(manifest, number, refusals)
    if exchange is None:
        return None
    datatypes = _overridden(collect.datatypes, worker.datatypes)
    asked = _Asked(exchange, datatypes, worker, f"workers[{number}]", refusals)
    return WorkerPlan(
        exchange=exchange,
        symbol=worker.symbol,
        datasets=asked.datasets(),
        depth=datatypes.orderbook.depth,
        subscribed_depth=asked.subscribed_depth(),
        output=worker.output or collect.output,
        sync_mode=worker.sync_mode or collect.sync.sync_mode,
    )


def _exchange(manifest: Manifest, number: int, refusals: Refusals) -> Exchange | None:
    own = manifest.workers[number].exchange
    name = manifest.collect.exchange if own is None else own
    try:
        return exchange_named(name)
    except SettingsError as error:
        key = "collect.exchange" if own is None else f"workers[{number}].exchange"
        refusals.add(key, name, str(error))
        return None


def _overridden(datatypes: Datatypes, overrides: Datatypes | None) -> Datatypes:
    if overrides is None:
        return datatypes
    merged: dict[str, dict[str, Any]] = datatypes.model_dump()
    for key, values in overrides.model_dump(exclude_unset=True).items():
        merged[key] |= values
    return Datatypes.model_validate(merged)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one worker asks of its exchange; `table` is where the worker stands in the file."""

    exchange: Exchange
    datatypes: Datatypes
    worker: Worker
    table: str
    refusals: Refusals

    def datasets(self) -> frozenset[Dataset]:
        wanted = [key for key in DATASET_OF_KEY if getattr(self.datatypes, key).enabled]
        if not wanted:
            expected = "expected at least one enabled datatype for this symbol"
            self.refusals.add(f"{self.table}.symbol", self.worker.symbol, expected)
        offered = [key for key, d in DATASET_OF_KEY.items() if d in self.exchange.datasets]
        for key in wanted:
            if key not in offered:
                expected = f"{self.exchange.name} offers {', '.join(offered)} only"
                self._refuse(key, "enabled", expected)
        return frozenset(DATASET_OF_KEY[key] for key in wanted)

    def subscribed_depth(self) -> int | None:
        try:
            return self.exchange.offered_depth(self.datatypes.orderbook.depth)
        except ValueError as error:
            if self.datatypes.orderbook.enabled:
                self._refuse("orderbook", "depth", str(error))
            return self.exchange.depths[-1]

    def _refuse(self, datatype: str, name: str, expected: str) -> None:
        overrides = self.worker.datatypes
        own = overrides.model_dump(exclude_unset=True) if overrides else {}
        table = self.table if name in own.get(datatype, {}) else "collect"
        value = getattr(getattr(self.datatypes, datatype), name)
        self.refusals.add(f"{table}.datatypes.{datatype}.{name}", value, expected)
