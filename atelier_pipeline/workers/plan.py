"""What a worker's manifest asks for: collectors, how long they run, and outputs."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from atelier_pipeline.manifest import Collector, Manifest, WorkerPlan, parse_collector
from atelier_pipeline.manifest.plan import plan_workers
from atelier_pipeline.manifest.refusals import Refusals
from atelier_pipeline.manifest.schema import Output
from atelier_pipeline.market.window import Window
from atelier_pipeline.workers.sinks import Market

NS_PER_SEC = 1_000_000_000
SECS_PER_HOUR = 3600
UNTIMED_NS = 10 * 365 * 86_400 * NS_PER_SEC
"""The end of a worker that runs until it is stopped: ten years from its start."""

_LONGEST_NAME = 40

Group: TypeAlias = tuple[str, int]
"""An exchange and a book depth: what one collector has one of."""


def worker_plans(manifest: Manifest, name: str) -> list[WorkerPlan]:
    """Every symbol of a manifest; SettingsError where one can't be captured."""
    refusals = Refusals(name)
    plans = plan_workers(manifest, refusals)
    refusals.check()
    return plans


def collectors_of(manifest: Manifest, name: str) -> list[Collector]:
    """The collectors that capture a worker's symbols: one for each exchange and book depth.

    Their manifests say what the worker's says of them, so that their journals stand alone.
    """
    plans = worker_plans(manifest, name)
    groups: dict[Group, list[int]] = {}
    for number, plan in enumerate(plans):
        groups.setdefault((plan.exchange.name, plan.depth), []).append(number)
    stem = collector_name(name)
    made: list[Collector] = []
    for (exchange, depth), numbers in groups.items():
        own = stem if len(groups) == 1 else f"{stem}-{exchange}-{depth}"
        made.append(parse_collector(own, _text(manifest, exchange, numbers), name))
    return made


def collector_name(name: str) -> str:
    """A worker's name as collectors are called: a-z 0-9 _ -."""
    lowered = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_")
    return lowered[:_LONGEST_NAME] or "worker"


def session_window(now_ns: int, period_ns: int, duration_secs: float | None) -> Window:
    """The window of a worker that starts now, on its grid; it ends within its duration."""
    start_ns = now_ns // period_ns * period_ns
    duration_ns = UNTIMED_NS if duration_secs is None else round(duration_secs * NS_PER_SEC)
    end_ns = (now_ns + duration_ns) // period_ns * period_ns
    return Window(start_ns, max(end_ns, start_ns + period_ns))


def duration_of(manifest: Manifest) -> float | None:
    """How many seconds a worker runs; None = until it is stopped."""
    hours = manifest.session.duration_hours
    return None if hours is None else hours * SECS_PER_HOUR


def outputs_of(plans: Sequence[WorkerPlan]) -> dict[tuple[str, str | None], set[Market]]:
    """The different outputs (type, folder), and the markets that each one gets."""
    outputs: dict[tuple[str, str | None], set[Market]] = {}
    for plan in plans:
        for output in plan.output:
            markets = outputs.setdefault(_key(output), set())
            markets.add((plan.exchange.name, plan.symbol))
    return outputs


def _key(output: Output) -> tuple[str, str | None]:
    return output.type, None if output.dir is None else str(Path(output.dir).expanduser())


def _text(manifest: Manifest, exchange: str, numbers: Sequence[int]) -> str:
    """The manifest of some of the workers, all of one exchange, as TOML."""
    values = manifest.model_dump(mode="json", exclude_unset=True)
    collect = {**values["collect"], "exchange": exchange}
    collect.pop("output", None)
    workers = [
        {k: v for k, v in values["workers"][number].items() if k not in {"exchange", "output"}}
        for number in numbers
    ]
    lines = [f"collect.{line}" for line in _lines(collect)]
    for worker in workers:
        lines += ["[[workers]]", *_lines(worker)]
    return "\n".join([*lines, ""])


def _lines(table: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """A table as `key = value` lines with dotted keys; null is left out."""
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _lines(value, f"{name}.")
        elif value is not None:
            yield f"{name} = {json.dumps(value)}"
