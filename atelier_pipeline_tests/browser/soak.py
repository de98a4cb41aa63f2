"""Many windows one after the other, and what an installation needs meanwhile.

    python -m atelier_pipeline_tests.browser.soak --windows 30

`atelier ui` on simulated exchanges with one-minute windows and three collectors; the sensors are
turned on in the page. A line a minute tells the memory of each kind of process and the size of
each database; the last lines tell what became of the windows and of their seams.
"""

import argparse
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from atelier_pipeline_tests.browser.installed import Installed, installed
from atelier_pipeline_tests.browser.pages import browser_page, chromium, turn_on
from atelier_pipeline_tests.browser.seams import rows, seams, whole_windows

COLLECTORS = 3
MINUTE = timedelta(minutes=1)
SENSORS = ("capture_windows", "follow_raw")
ROLES = {
    "multiprocessing-fork": "run",
    "grpc": "code server",
    "dagster._daemon": "daemon",
    "dagster_webserver": "webserver",
}
"""What a command line holds that tells what the process is."""
MIB = 1 << 20

_RUNS = """query($limit: Int) {runsOrError(limit: $limit) {... on Runs {results {
    status jobName endTime tags {key value}}}}}"""


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - what the program is for


def main() -> int:
    """Run, tell, and return 1 where a run failed or a seam is unproved."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--windows", type=int, default=30, help="how many whole windows to wait for"
    )
    parser.add_argument(
        "--log-days",
        default="0.01",
        help="days that the log of a run is kept: what is then forgotten",
    )
    chosen = parser.parse_args()
    with (
        TemporaryDirectory(prefix="atelier-soak-", ignore_cleanup_errors=True) as folder,
        installed(Path(folder), ATELIER_RUN_LOG_DAYS=chosen.log_days) as ui,
    ):
        _turn_on(ui)
        _watch(ui, chosen.windows)
        return _tell(ui, chosen.windows)


def _turn_on(ui: Installed) -> None:
    with browser_page(chromium()) as page:
        for sensor in SENSORS:
            turn_on(page, ui.url, sensor)


def _watch(ui: Installed, wanted: int) -> None:
    """A line a minute, until the windows are there or three times their time is over."""
    deadline = time.monotonic() + wanted * 180
    while time.monotonic() < deadline:
        windows = len(whole_windows(ui.lake, COLLECTORS))
        memory = " · ".join(f"{role} {mib:.0f}" for role, mib in sorted(memory_mib().items()))
        disk = " · ".join(f"{name} {mib:.1f}" for name, mib in database_mib(ui.data).items())
        say(f"{windows:3} windows | RSS MiB: {memory} | databases MiB: {disk}")
        if windows > wanted:
            return
        time.sleep(60)


def memory_mib() -> dict[str, float]:
    """Resident memory of this process's descendants by what they do; of runs the largest."""
    found: dict[str, float] = defaultdict(float)
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            command = " ".join(process.cmdline())
            role = next((role for part, role in ROLES.items() if part in command), None)
            if role:
                found[role] = max(found[role], process.memory_info().rss / MIB)
    return found


def database_mib(data: Path) -> dict[str, float]:
    """Sizes of Dagster's databases with their write-ahead logs."""
    home = data / "demo_dagster"
    shards = list((home / "history" / "runs").glob("*.db*"))
    return {
        "runs": _mib((home / "history").glob("*.db*")),
        "run logs": _mib(path for path in shards if not path.name.startswith("index")),
        "index of events": _mib(path for path in shards if path.name.startswith("index")),
        "schedules": _mib((home / "schedules").glob("*.db*")),
    }


def _mib(paths: Iterator[Path]) -> float:
    total = 0
    for path in paths:
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total / MIB


def _tell(ui: Installed, wanted: int) -> int:
    ended = ui.ask(_RUNS, limit=1000)["runsOrError"]["results"]
    states = Counter(f"{run['jobName']} {run['status']}" for run in ended)
    delays = sorted(_delays(ended))
    say(f"runs: {dict(states)}")
    if delays:
        say(
            f"window end to the end of its run, all rules judged, of {len(delays)} runs: "
            f"median {statistics.median(delays):.1f} s, worst {delays[-1]:.1f} s"
        )
    windows = whole_windows(ui.lake, COLLECTORS)
    unproved = list(_unproved(ui.lake, windows))
    say(f"{len(windows)} whole windows; seams unproved: {unproved or 'none'}")
    say(f"losses after the first window: {_losses(ui.lake, windows[1:]) or 'none'}")
    failed = any(run["status"] == "FAILURE" for run in ended)
    return 1 if failed or unproved or len(windows) < wanted else 0


def _delays(runs: list[dict[str, Any]]) -> Iterator[float]:
    for run in runs:
        tags = {tag["key"]: tag["value"] for tag in run["tags"]}
        window = tags.get("dagster/partition/window")
        if run["status"] == "SUCCESS" and run["jobName"] == "window_job" and window:
            end = datetime.fromisoformat(f"{window}+00:00") + MINUTE
            yield run["endTime"] - end.timestamp()


def _unproved(lake: Path, windows: list[datetime]) -> Iterator[str]:
    for before, after in pairwise(windows):
        if after - before != MINUTE:
            yield f"no window between {before:%H:%M} and {after:%H:%M}"
            continue
        for feed, tail, head in seams(lake, before, after):
            if tail is None or tail != head:
                yield f"{feed} at {after:%H:%M}"


def _losses(lake: Path, windows: list[datetime]) -> dict[str, int]:
    return dict(Counter(row["cause"] for window in windows for row in rows(lake, "gaps", window)))


if __name__ == "__main__":
    sys.exit(main())
