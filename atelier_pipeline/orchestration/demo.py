"""The whole pipeline once, on simulated exchanges, through Dagster: what `atelier demo` runs.

It prints what it made and a query to try; the runs stay for `make ui`.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import pyarrow as pa
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column, Table

from atelier_pipeline import pipeline
from atelier_pipeline.manifest import load_manifests
from atelier_pipeline.orchestration.instance import commit_without_waiting, prepare_home
from atelier_pipeline.orchestration.outcome import ROWS, Outcome, outcome_of
from atelier_pipeline.orchestration.partitions import next_window, window_at
from atelier_pipeline.orchestration.profile import use_profile
from atelier_pipeline.orchestration.side_by_side import WindowRun, window_runs
from atelier_pipeline.orchestration.simulated import simulated_exchanges
from atelier_pipeline.orchestration.warm_up import compile_kernels
from atelier_pipeline.settings import Settings
from atelier_pipeline.validate.catalog import query

NS_PER_SEC = 1_000_000_000
SPARE_NS = 7 * NS_PER_SEC
"""Between the capture's end and the window's, for connecting and for a slow machine."""

POLL_SECS = 0.25
LONGEST_SECS = 300

CAPTION = "verified: checksums and sequence numbers that were checked and held"
CAUSES = """\
SELECT string_agg(n || ' ' || cause, ', ' ORDER BY cause) AS causes
FROM (SELECT cause, count(*) AS n FROM gaps WHERE lost IS DISTINCT FROM 0 GROUP BY cause)"""
QUERY = """\
SELECT exchange, symbol, count(*) AS ticks, round(avg(ob_spread), 4) AS spread, \
sum(trade_count) AS trades, round(sum(trade_volume * trade_vwap), 2) AS notional \
FROM aggregates WHERE book_valid GROUP BY ALL ORDER BY ALL"""


def run_demo(*, seconds: int = 15) -> bool:
    """Capture `seconds` of three simulated exchanges and derive everything; True if all is well.

    Raises:
        SettingsError: a setting can't be used.
        ConnectionFailedError: the simulated exchanges did not start.
    """
    began, console, settings = time.monotonic(), Console(), use_profile("demo")
    collectors = load_manifests(settings.manifests, window_minutes=settings.window_minutes)
    starting = console.status(f"starting the simulated exchanges and {len(collectors)} captures")
    starting.start()
    commit_without_waiting()
    prepare_home(settings.dagster_home)
    with (
        dg.DagsterInstance.get() as instance,
        simulated_exchanges(settings.simulator_url),
        window_runs(collectors) as runs,
    ):
        compile_kernels(collectors.values())
        for run in runs:
            run.wait_ready()
        starting.stop()
        _start(runs, settings.window_minutes, seconds)
        _follow(runs, instance, console, seconds)
        outcomes = {run.collector: outcome_of(instance, run.run_id) for run in runs}
    pipeline.rebuild_catalog(settings)
    _report(outcomes, settings, console)
    console.print(f"{time.monotonic() - began:.0f} s in all; `make ui` shows these runs")
    return all(outcome.succeeded for outcome in outcomes.values())


def _start(runs: Sequence[WindowRun], window_minutes: int, seconds: int) -> None:
    """Start all runs in the window in progress, or in the next one if too little of it is left."""
    now_ns = time.time_ns()
    window = window_at(now_ns, window_minutes)
    if window.end_ns - now_ns < seconds * NS_PER_SEC + SPARE_NS:
        window = next_window(window)
    for run in runs:
        run.start(window, seconds)


def _follow(
    runs: Sequence[WindowRun], instance: dg.DagsterInstance, console: Console, seconds: int
) -> None:
    """Show what each run is at until all have ended, or have taken far too long."""
    deadline = time.monotonic() + LONGEST_SECS
    columns = (TextColumn("{task.fields[name]:10}"), BarColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console) as progress:
        tasks = [(run, progress.add_task("starts", name=run.collector)) for run in runs]
        ended = False
        while not ended and time.monotonic() < deadline:
            ended = all(run.is_over() for run in runs)
            for run, task in tasks:
                progress.update(task, **_state(run, instance, seconds))
            time.sleep(POLL_SECS)


def _state(run: WindowRun, instance: dg.DagsterInstance, seconds: int) -> dict[str, Any]:
    """How far a run is: a second of capture counts as much as a step after it."""
    record = instance.get_run_by_id(run.run_id)
    if record is None:
        return {}
    steps = sorted(instance.get_run_step_stats(run.run_id), key=lambda step: step.start_time or 0)
    over = sum(step.end_time is not None for step in steps)
    captured = time.time() - (steps[0].start_time or 0) if steps else 0
    at = record.status.value.lower() if record.is_finished else steps[-1].step_key if steps else ""
    total = seconds + len(record.step_keys_to_execute or ())
    return {"total": total, "completed": min(captured, seconds) + over, "description": at}


def _report(outcomes: Mapping[str, Outcome], settings: Settings, console: Console) -> None:
    console.print(_summary(outcomes), CAPTION, sep="")
    for collector, outcome in outcomes.items():
        for name, offending in {**outcome.failed, **outcome.warned}.items():
            word = "[red]failed[/]" if name in outcome.failed else "[yellow]warning[/]"
            console.print(f"{word} {collector} {name}: {offending} offending rows")
        for problem in outcome.problems:
            console.print(f"[red]failed[/] {collector} {problem}", highlight=False)
    console.print(f"files in {settings.lake}, views in {settings.catalog}", highlight=False)
    if settings.lake.is_dir():
        (causes,) = query(CAUSES, settings.lake, settings.catalog)["causes"].to_pylist()
        console.print(f"losses by cause: {causes or 'none'} (the demo captures part of a window)")
        console.print(f'\natelier query "{QUERY}"', soft_wrap=True, highlight=False)
        console.print(_result(query(QUERY, settings.lake, settings.catalog)))


def _summary(outcomes: Mapping[str, Outcome]) -> Table:
    titles = ("raw rows", "sync rows", "ticks", "gaps", "verified", "checks", "files")
    columns = [Column(title, justify="right", no_wrap=True) for title in titles]
    name = Column("collector", no_wrap=True)
    table = Table(name, *columns, box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for collector, outcome in outcomes.items():
        checks = len(outcome.passed) + len(outcome.failed) + len(outcome.warned)
        numbers = (
            outcome.total(ROWS, "raw/"),
            outcome.total(ROWS, "sync/"),
            outcome.total(ROWS, "sync/snapshots"),
            outcome.total(ROWS, "raw/gaps"),
            outcome.total("verified", "raw/captures"),
        )
        checked = f"{len(outcome.passed)} of {checks}"
        table.add_row(collector, *(f"{n:,}" for n in numbers), checked, str(outcome.total("files")))
    return table


def _result(rows: pa.Table) -> Table:
    table = Table(*rows.column_names, box=SIMPLE_HEAD)
    for row in rows.to_pylist():
        table.add_row(*(str(value) for value in row.values()))
    return table
