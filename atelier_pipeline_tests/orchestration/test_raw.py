"""The capture op records what it captured, and a termination seals it."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

import dagster as dg
import pyarrow as pa
import pytest

from atelier_pipeline.lake.names import FileKind, Mode
from atelier_pipeline.lake.reader import read_kind
from atelier_pipeline.orchestration.installation import Installation
from atelier_pipeline.orchestration.outcome import outcome_of
from atelier_pipeline.orchestration.partitions import partition_key, window_at
from atelier_pipeline.orchestration.raw import raw_assets
from atelier_pipeline.simulator import serve
from atelier_pipeline_tests.orchestration.past_window import QUIET, installation

DAY = 1440
"""A window in progress that won't end while a test runs, unless it is midnight."""


@contextmanager
def served() -> Iterator[str]:
    """The simulated Kraken, in a thread of its own, while the body runs; gives its address."""
    started: Queue[tuple[str, Callable[[], object]]] = Queue()

    async def serving() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        async with serve(exchanges=["kraken"]) as server:
            started.put((server.url, lambda: loop.call_soon_threadsafe(stop.set)))
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serving()), daemon=True)
    thread.start()
    url, end = started.get(timeout=20)
    try:
        yield url
    finally:
        end()
        thread.join()


@dataclass
class Captures:
    """An installation that captures from the simulated Kraken now."""

    installed: Installation
    instance: dg.DagsterInstance

    def run(self, seconds: float | None) -> dg.ExecuteInProcessResult:
        window = window_at(time.time_ns(), DAY)
        config = {} if seconds is None else {"seconds": seconds}
        return dg.materialize(
            [raw_assets(self.installed.partitions())],
            partition_key=partition_key("kraken", window),
            instance=self.instance,
            resources={"installation": self.installed},
            run_config={"ops": {"raw": {"config": config}}, "loggers": QUIET},
            raise_on_error=False,
        )

    def rows(self, kind: FileKind) -> pa.Table:
        return read_kind(self.installed.settings.lake, kind, Mode.RAW)

    def causes(self) -> set[str]:
        return set(self.rows(FileKind.GAPS)["cause"].to_pylist())


@pytest.fixture
def captures(
    tmp_path: Path, prepared_home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Captures]:
    monkeypatch.setenv("DAGSTER_HOME", str(prepared_home))
    with served() as url, dg.DagsterInstance.get() as instance:
        plain = installation(tmp_path)
        settings = plain.settings.model_copy(
            update={"simulator_url": url, "window_minutes": DAY, "window_disk_mib": 1}
        )
        yield Captures(Installation(settings, plain.collectors), instance)


def test_a_window_in_progress_is_captured_for_as_long_as_asked(captures: Captures):
    result = captures.run(seconds=1.5)
    recorded = {
        event.asset_key.to_user_string(): event.step_materialization_data.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }
    assert result.success
    for dataset in (FileKind.ORDERBOOKS, FileKind.TRADES, FileKind.GAPS, FileKind.CAPTURES):
        rows = captures.rows(dataset).num_rows
        assert recorded[f"raw/{dataset}"]["rows"].value == rows
    assert captures.rows(FileKind.ORDERBOOKS).num_rows > 0
    assert recorded["raw/liquidations"]["files"].value == 0


def test_a_termination_seals_the_files_records_them_and_ends_the_run_as_canceled(
    captures: Captures,
):
    journal = captures.installed.settings.journal

    def terminate() -> None:
        while not list(journal.rglob("segment-*")):
            time.sleep(0.05)
        time.sleep(1)
        captures.instance.report_run_canceling(captures.instance.get_runs(limit=1)[0])
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=terminate, daemon=True).start()
    assert not captures.run(seconds=None).success
    (run,) = captures.instance.get_runs(limit=1)
    assert run.status is dg.DagsterRunStatus.CANCELED
    assert captures.rows(FileKind.ORDERBOOKS).num_rows > 0
    assert captures.causes() == {"late_start", "shutdown"}
    captured = captures.instance.get_latest_materialization_event(dg.AssetKey(["raw", "captures"]))
    assert captured is not None
    assert captured.run_id == run.run_id


def test_an_unreachable_exchange_is_recorded_before_the_run_fails(captures: Captures):
    nobody = captures.installed.settings.model_copy(
        update={"simulator_url": "ws://127.0.0.1:9", "window_minutes": DAY}
    )
    captures.installed = Installation(nobody, captures.installed.collectors)
    result = captures.run(seconds=0.5)
    (problem,) = outcome_of(captures.instance, result.run_id).problems
    assert "ws://127.0.0.1:9/kraken" in problem
    assert captures.rows(FileKind.CAPTURES).num_rows == 2
    assert captures.causes() == {"late_start"}
