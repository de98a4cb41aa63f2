"""`atelier ui` on simulated exchanges: a session, free ports and a folder of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
STARTS_WITHIN_SECS = 300
ENDS_WITHIN_SECS = 180
POLL_SECS = 1.0
_DEFAULT_SIGNALS = (
    "import os, signal, sys;"
    "[signal.signal(each, signal.SIG_DFL) for each in (signal.SIGINT, signal.SIGTERM)];"
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)
"""A test runner may have told its children to ignore the signals that end the UI."""


@dataclass(frozen=True)
class Installed:
    """A running installation: its page, and the folder of its data."""

    url: str
    data: Path

    @property
    def lake(self) -> Path:
        return self.data / "demo"

    def ask(self, query: str, **variables: object) -> Any:
        """The `data` that GraphQL answers."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(  # noqa: S310 - our own address
            f"{self.url}/graphql", body, {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
            return json.load(answer)["data"]


@contextmanager
def installed(folder: Path, **settings: str) -> Iterator[Installed]:
    """The demo profile of `atelier ui` in `folder`; whatever it started ends with it.

    `settings` are environment variables by name.
    """
    port, exchanges = _free_port(), _free_port()
    command = ["-m", "atelier_pipeline.cli", "ui", "--port", str(port)]
    log = folder / "ui.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", _DEFAULT_SIGNALS, *command],
            cwd=folder,
            env={**_environment(exchanges), **settings},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        ui = Installed(f"http://{HOST}:{port}", folder / "data")
        until(lambda: _answers(ui, process, log), STARTS_WITHIN_SECS, "the page answers")
        yield ui
    finally:
        _end(process)


def until(happened: Callable[[], Any], within_secs: float, what: str) -> Any:
    """Wait for a true answer and return it; fails in words."""
    deadline = time.monotonic() + within_secs
    while time.monotonic() < deadline:
        if answer := happened():
            return answer
        time.sleep(POLL_SECS)
    raise AssertionError(f"not within {within_secs:.0f} s: {what}")


def _environment(exchanges_port: int) -> dict[str, str]:
    own = {name: text for name, text in os.environ.items() if not name.startswith("ATELIER_")}
    own.pop("DAGSTER_HOME", None)
    package = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, [package, own.get("PYTHONPATH", "")]))
    url = f"ws://{HOST}:{exchanges_port}"
    return {**own, "PYTHONPATH": path, "ATELIER_SIMULATOR_URL": url}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _answers(ui: Installed, process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    try:
        found = ui.ask("{workspaceOrError{... on Workspace{locationEntries{loadStatus}}}}")
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
    entries = found["workspaceOrError"]["locationEntries"]
    return bool(entries) and all(each["loadStatus"] == "LOADED" for each in entries)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ctrl-C, as a person ends it; then whatever of its session is left."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(ENDS_WITHIN_SECS)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
