"""`atelier ui` on simulated exchanges, in folders of its own: started, asked, killed, stopped."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STARTED_SECS, STOPPED_SECS = 180, 150
POLL_SECS = 0.25
MANIFEST = """\
[collect]
exchange = "kraken"
source = "simulated"
datatypes.orderbook = { enabled = true, depth = 10 }
datatypes.trades.enabled = true
[[workers]]
symbol = "BTC/USD"
"""
SELECTOR = {
    "repositoryLocationName": "atelier_pipeline",
    "repositoryName": "__repository__",
    "jobName": "window_job",
}
LAUNCH = """mutation($run: ExecutionParams!) { launchRun(executionParams: $run) {
    ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
TERMINATE = """mutation($run: String!) { terminateRun(runId: $run) {
    __typename ... on TerminateRunFailure { message } ... on PythonError { message } } }"""
STATUS = """query($run: ID!) { runOrError(runId: $run) { ... on Run { status } } }"""
TURN_ON = """mutation($sensor: SensorSelector!) { startSensor(sensorSelector: $sensor) {
    __typename ... on PythonError { message } } }"""
RUNS = """{ runsOrError { ... on Runs { results { runId status parentRunId jobName
    tags { key value } } } } }"""


@dataclass(frozen=True)
class Ui:
    """A running UI; its web page is at `port`, all that it prints goes to `log`."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def ask(self, query: str, **variables: object) -> Any:
        """The data of an answer of its GraphQL."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own server
            told = json.load(answer)
        if "errors" in told:
            raise RuntimeError(told["errors"])
        return told["data"]

    def launch(self, collector: str, window: str) -> str:
        """Request the run of a window; its id."""
        tags = {
            "dagster/partition": f"{collector}|{window}",
            "dagster/partition/collector": collector,
            "dagster/partition/window": window,
            "dagster/max_retries": "3",
        }
        run = {
            "selector": SELECTOR,
            "runConfigData": {},
            "mode": "default",
            "executionMetadata": {"tags": [{"key": k, "value": v} for k, v in tags.items()]},
        }
        return self.ask(LAUNCH, run=run)["launchRun"]["run"]["runId"]

    def terminate(self, run: str) -> str:
        """Ask for a run's end, as the button does; what the answer is."""
        return self.ask(TERMINATE, run=run)["terminateRun"]["__typename"]

    def turn_on(self, sensor: str) -> str:
        """Switch a sensor on; what the answer is."""
        place = {name: value for name, value in SELECTOR.items() if name != "jobName"}
        answer = self.ask(TURN_ON, sensor={**place, "sensorName": sensor})
        return answer["startSensor"]["__typename"]

    def status(self, run: str) -> str:
        return self.ask(STATUS, run=run)["runOrError"]["status"]

    def runs(self) -> list[dict[str, Any]]:
        """Every run, newest first."""
        return self.ask(RUNS)["runsOrError"]["results"]

    def processes(self) -> Iterator[int]:
        """The pids of everything that it has started."""
        children: dict[int, list[int]] = {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(path.parent.name))
        waiting = [self.process.pid]
        while waiting:
            found = children.get(waiting.pop(), [])
            waiting += found
            yield from found

    def kill(self, is_meant: Callable[[int], bool]) -> int:
        """kill -9 those of its processes that are meant; how many those were."""
        meant = [pid for pid in self.processes() if is_meant(pid)]
        for pid in meant:
            os.kill(pid, signal.SIGKILL)
        return len(meant)


def is_daemon(pid: int) -> bool:
    """Whether a process is Dagster's daemon."""
    return b"dagster._daemon" in _read(pid, "cmdline")


def writes_journal(pid: int) -> bool:
    """Whether a process holds a segment of a journal open."""
    try:
        names = [str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return False
    return any(".arrows" in name for name in names)


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def environment(folder: Path, window_minutes: int) -> dict[str, str]:
    """An installation of one Kraken collector with all its folders below `folder`."""
    manifests = folder / "manifests"
    manifests.mkdir(exist_ok=True)
    (manifests / "kraken.toml").write_text(MANIFEST)
    return {
        **os.environ,
        "ATELIER_LAKE": str(folder / "lake"),
        "ATELIER_JOURNAL": str(folder / "journal"),
        "ATELIER_CATALOG": str(folder / "atelier.duckdb"),
        "ATELIER_MANIFESTS": str(manifests),
        "ATELIER_WINDOW_MINUTES": str(window_minutes),
        "ATELIER_WINDOW_DISK_MIB": "1",
        "DAGSTER_HOME": str(folder / "home"),
    }


@contextmanager
def running_ui(folder: Path, environ: dict[str, str]) -> Generator[Ui]:
    """The UI, until the body ends; then it is asked to end, and waited for."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "atelier_pipeline.cli", "ui", "--port", str(port)]
    log = folder / f"ui-{port}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, env=environ, stdout=file, stderr=file, start_new_session=True
        )
    ui = Ui(process, port, log)
    try:
        wait_for(lambda: _answers(ui), STARTED_SECS, "the UI to answer")
        yield ui
    finally:
        left = list(ui.processes())
        process.terminate()
        try:
            process.wait(STOPPED_SECS)
        finally:
            for pid in [*left, process.pid]:
                if _read(pid, "cmdline").startswith(sys.executable.encode()):
                    os.kill(pid, signal.SIGKILL)


def wait_for(is_so: Callable[[], bool], secs: float, what: str) -> float:
    """Wait until something is so; the seconds that it took. Raises TimeoutError."""
    began = time.monotonic()
    while not is_so():
        if time.monotonic() - began > secs:
            raise TimeoutError(f"waited {secs:g} s for {what}")
        time.sleep(POLL_SECS)
    return time.monotonic() - began


def _answers(ui: Ui) -> bool:
    if ui.process.poll() is not None:
        raise RuntimeError(ui.log.read_text())
    try:
        ui.ask("{ version }")
    except OSError:
        return False
    return True
