"""Captures in Dagster as its users have them: ended from the UI, or killed with the daemon.

    python -m atelier_pipeline_tests.reliability.ui_runs terminate
    python -m atelier_pipeline_tests.reliability.ui_runs kill

`terminate` ends a capture by what the UI's button sends. `kill` kills the daemon and the capture's
process with -9 in the middle of a window, and starts the UI again. Both say what there is then.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import dagster as dg
import msgspec

from atelier_pipeline.lake.names import FileKind, Mode
from atelier_pipeline.lake.reader import read_kind
from atelier_pipeline.lake.verify import verify_file
from atelier_pipeline.market.window import Window
from atelier_pipeline.orchestration.partitions import next_window, window_at, window_key
from atelier_pipeline_tests.decode.script import plain
from atelier_pipeline_tests.reliability.ui import (
    Ui,
    environment,
    is_daemon,
    running_ui,
    wait_for,
    writes_journal,
)

NS_PER_SEC = 1_000_000_000
BEGUN_SECS, CANCELED_SECS, COMPLETE_SECS = 150, 60, 240
STREAMING_SECS, AUTOMATION_SECS = 3, 70
WINDOW_MINUTES = 5
LATEST_SECS = 100
"""So far into a window there is time enough to kill, start again and go on."""


def terminate(folder: Path) -> dict[str, Any]:
    """A capture that is terminated while it streams."""
    environ = environment(folder, window_minutes=60)
    with running_ui(folder, environ) as ui:
        run = ui.launch("kraken", window_key(window_at(time.time_ns(), 60)))
        begun = wait_for(lambda: _is_capturing(ui, run), BEGUN_SECS, "the capture to begin")
        time.sleep(STREAMING_SECS)
        answer = ui.terminate(run)
        took = wait_for(lambda: ui.status(run) == "CANCELED", CANCELED_SECS, "CANCELED")
        made = _made_by(folder, run)
    return {
        "answer": answer,
        "begun_secs": round(begun, 1),
        "canceled_secs": round(took, 1),
        "materialised": made,
        **_lake(folder),
        "locked": _locked(folder),
    }


def kill(folder: Path) -> dict[str, Any]:
    """A window whose capture and daemon are killed, and which is then completed."""
    environ = environment(folder, WINDOW_MINUTES)
    with running_ui(folder, environ) as ui:
        for sensor in ("capture_windows", "follow_raw"):
            ui.turn_on(sensor)
        window = _window_with_time_left()
        wait_for(lambda: _captures(ui, window), BEGUN_SECS, "the capture to begin")
        time.sleep(STREAMING_SECS)
        killed = {"capture": ui.kill(writes_journal), "daemon": ui.kill(is_daemon)}
        killed_at = _secs_into(window)
    with running_ui(folder, environ) as ui:
        started_at = _secs_into(window)
        left_secs = WINDOW_MINUTES * 60 - started_at
        key = window_key(window)
        wait_for(lambda: _is_complete(ui, key), left_secs + COMPLETE_SECS, "a complete window")
        completed_at = _secs_into(window)
        # Whatever would make anything again has had its turn by then.
        time.sleep(AUTOMATION_SECS)
        runs = [(run["jobName"], run["status"]) for run in ui.runs() if _is_of(run, key)]
    return {
        "killed": killed,
        "killed_at_secs": killed_at,
        "started_again_at_secs": started_at,
        "completed_at_secs": completed_at,
        "runs": runs[::-1],
        "materialised": _made_of(folder, f"kraken|{key}"),
        **_lake(folder, window),
        "locked": _locked(folder),
    }


def _window_with_time_left() -> Window:
    """The window in progress, or the next one if the rest is too short for this."""
    window = window_at(time.time_ns(), WINDOW_MINUTES)
    if _secs_into(window) > LATEST_SECS:
        window = next_window(window)
    time.sleep(max(-_secs_into(window), 0))
    return window


def _secs_into(window: Window) -> float:
    return round((time.time_ns() - window.start_ns) / NS_PER_SEC, 1)


def _captures(ui: Ui, window: Window) -> bool:
    """Whether the run of a window captures."""
    run = next((run for run in ui.runs() if _is_of(run, window_key(window))), None)
    return run is not None and run["status"] == "STARTED" and _is_capturing(ui, run["runId"])


def _is_capturing(ui: Ui, run: str) -> bool:
    status = ui.status(run)
    if status in {"FAILURE", "CANCELED", "SUCCESS"}:
        raise RuntimeError(f"the run ended with {status}: see {ui.log}")
    return any(writes_journal(pid) for pid in ui.processes())


def _is_complete(ui: Ui, window: str) -> bool:
    """Whether a run of the window has succeeded."""
    return any(run["status"] == "SUCCESS" and _is_of(run, window) for run in ui.runs())


def _is_of(run: dict[str, Any], window: str) -> bool:
    return {"key": "dagster/partition", "value": f"kraken|{window}"} in run["tags"]


def _made_by(folder: Path, run: str) -> list[str]:
    """The assets that a run materialised."""
    with dg.DagsterInstance.from_config(str(folder / "home")) as instance:
        logs = instance.all_logs(run, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
        keys = [entry.get_dagster_event().asset_key for entry in logs]
    return sorted(key.to_user_string() for key in keys if key is not None)


def _made_of(folder: Path, partition: str) -> dict[str, int]:
    """How often each asset of a window was materialised."""
    counts: Counter[str] = Counter()
    with dg.DagsterInstance.from_config(str(folder / "home")) as instance:
        for key in instance.all_asset_keys():
            wanted = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[partition])
            counts[key.to_user_string()] = len(instance.fetch_materializations(wanted, 100).records)
    return dict(sorted(counts.items()))


def _lake(folder: Path, window: Window | None = None) -> dict[str, Any]:
    """What the lake holds of a window, or of all; every file of it proved."""
    lake = folder / "lake"
    files = [path for path in lake.rglob("*.parquet") if not path.name.startswith(".")]
    for path in files:
        verify_file(path)
    tables = {
        kind: read_kind(lake, kind, Mode.RAW, within=window)
        for kind in (FileKind.ORDERBOOKS, FileKind.TRADES, FileKind.CAPTURES, FileKind.GAPS)
    }
    losses = [row for row in plain(tables[FileKind.GAPS]) if row["lost"] != 0]
    return {
        "files": len(files),
        "books": tables[FileKind.ORDERBOOKS].num_rows,
        "trades": tables[FileKind.TRADES].num_rows,
        "pieces": sorted(set(tables[FileKind.CAPTURES]["pieces"].to_pylist())),
        "losses": dict(Counter(row["cause"] for row in losses)),
    }


def _locked(folder: Path) -> int:
    """How often a database was said to be locked, in any log."""
    logs = [
        *folder.glob("*.log"),
        *(folder / "home").rglob("*.err"),
        *(folder / "home").rglob("*.out"),
    ]
    return sum(path.read_text(errors="replace").count("database is locked") for path in logs)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["terminate", "kill"])
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="atelier-ui-") as name:
        os.environ["DAGSTER_HOME"] = f"{name}/home"
        found = {"terminate": terminate, "kill": kill}[options.what](Path(name))
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(found)).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
