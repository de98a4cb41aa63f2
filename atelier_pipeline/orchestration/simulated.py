"""The simulated exchanges as a process of their own, for the demo and the UI."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from urllib.parse import urlsplit

from atelier_pipeline.errors import ConnectionFailedError

HOST = "127.0.0.1"
STARTED_WITHIN_SECS = 30
STOPPED_WITHIN_SECS = 5


@contextmanager
def simulated_exchanges(url: str) -> Generator[None]:
    """Serve the simulated exchanges while the body runs; children find them by the environment.

    They listen on the port of `url`, or on a free one where that is taken.

    Raises:
        ConnectionFailedError: they did not start.
    """
    port = _free_port(urlsplit(url).port or 0)
    os.environ["ATELIER_SIMULATOR_URL"] = f"ws://{HOST}:{port}"
    command = [sys.executable, "-m", "atelier_pipeline.cli", "simulate", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:  # noqa: S603 - our own
        try:
            _wait_for(process, port)
            yield
        finally:
            _stop(process)


def _free_port(wanted: int) -> int:
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ConnectionFailedError(f"no port of {HOST} is free for the simulated exchanges")


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + STARTED_WITHIN_SECS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise ConnectionFailedError(f"the simulated exchanges did not start on {HOST}:{port}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOPPED_WITHIN_SECS)
    except subprocess.TimeoutExpired:
        process.kill()
