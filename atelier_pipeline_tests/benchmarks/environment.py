"""The machine, the versions, and the environment of the peers that need a Python of their own."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

CRYPTOFEED = "3.0.1"
PEERS = (f"cryptofeed=={CRYPTOFEED}", "pyarrow")
"""cryptofeed brings the C package order-book with it."""

_PYTHONS = ("python3.13", "python3.14", "python3.15")
_OURS = ("numpy", "numba", "pyarrow", "polars", "duckdb", "msgspec", "websockets")


class NoPeersError(Exception):
    """Why the peers are left out."""


def peers_python(folder: Path) -> Path:
    """The Python of the environment of peers in `folder`, which is made where it is missing.

    Raises NoPeersError, with the reason, where it can't be made.
    """
    python = folder / "bin" / "python"
    if (folder / ".made").exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    _say([_new_python(), "-m", "venv", str(folder)])
    _say([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PEERS])
    (folder / ".made").touch()
    return python


def surroundings(peers: Path | None) -> list[str]:
    """Where and with what the figures were measured, a line each."""
    ours = ", ".join(f"{name} {version(name)}" for name in _OURS)
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}, {_machine()}",
        f"Python {platform.python_version()}, {ours}",
    ]
    if peers is not None:
        said = subprocess.run([str(peers), "--version"], capture_output=True, text=True, check=True)
        lines.append(f"peers: {said.stdout.strip()}, cryptofeed {CRYPTOFEED} with its order-book")
    return lines


def _new_python() -> str:
    candidates = [*([sys.executable] if sys.version_info >= (3, 13) else []), *_found()]
    for candidate in candidates:
        check = [candidate, "-c", "import sys; sys.exit(sys.version_info < (3, 13))"]
        if subprocess.run(check, capture_output=True, check=False).returncode == 0:
            return candidate
    raise NoPeersError(f"cryptofeed {CRYPTOFEED} needs Python ≥ 3.13, and none was found on PATH")


def _found() -> Iterator[str]:
    """Pythons on PATH and, since a shim there may refuse, those that pyenv keeps beside it."""
    for name in _PYTHONS:
        path = shutil.which(name)
        if path is not None:
            yield path
            yield from map(str, Path(path).parents[1].glob(f"versions/3.*/bin/{name}"))


def _say(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoPeersError(f"{' '.join(command)} failed: {done.stderr.strip()[-500:]}")


def _machine() -> str:
    kernel = f"{platform.system()} {platform.release()}"
    return f"{_processor()}, {os.cpu_count()} processors, {_memory_gib():.0f} GiB, {kernel}"


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text("utf-8").splitlines() if facts.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
