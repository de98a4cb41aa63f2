"""DAGSTER_HOME: the shipped instance configuration, limits, and the start of all partitions.

Nothing here knows an asset, and importing it changes no file.
"""

import contextlib
import datetime as dt
import os
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any, BinaryIO

import dagster as dg
from sqlalchemy import Engine, event

from atelier_pipeline.lake.storage import put_file

SECS_PER_HOUR = 3600
NS_PER_HOUR = SECS_PER_HOUR * 1_000_000_000
SHIPPED = Path(__file__).with_name("dagster.yaml")
CAPTURE_POOL = "capture"
COMPUTE_POOL = "compute"
COMPUTE_SLOTS = max(1, os.cpu_count() or 1)
_VERSION = re.compile(r"atelier_pipeline instance configuration, version (\d+)")


def prepare_home(home: Path) -> None:
    """Make `home` a DAGSTER_HOME with the shipped configuration and limits, ready for any process.

    A configuration of an older version is replaced, and kept as dagster.yaml.old; one without a
    version is somebody's own and stays. Limits that were changed in the UI stay too.
    """
    _put_configuration(home / SHIPPED.name)
    (home / "stopping").unlink(missing_ok=True)
    os.environ["DAGSTER_HOME"] = str(home)
    with dg.DagsterInstance.get() as instance:
        storage = instance.event_log_storage
        if COMPUTE_POOL not in storage.get_concurrency_keys():
            storage.set_concurrency_slots(COMPUTE_POOL, COMPUTE_SLOTS)


def commit_without_waiting() -> None:
    """Let this process not wait for the disk at each of Dagster's commits, a hundred in a run.

    For the demo alone: with the power gone its runs may be too, its files are not.
    https://www.sqlite.org/pragma.html#pragma_synchronous
    """
    event.listen(Engine, "connect", _stop_waiting)


def _stop_waiting(connection: Any, _: object) -> None:  # noqa: ANN401 - any database's connection
    connection.execute("PRAGMA synchronous = OFF")


@contextlib.contextmanager
def stopping(home: Path) -> Generator[None]:
    """While the body runs, nothing that looks at `is_stopping` starts anything new."""
    mark = home / "stopping"
    _put_text(mark, f"{os.getpid()}\n", replace=True)
    try:
        yield
    finally:
        mark.unlink(missing_ok=True)


def is_stopping(home: Path) -> bool:
    """Whether the installation is being stopped."""
    return (home / "stopping").exists()


def partitions_start(home: Path, lake: Path, now_ns: int) -> dt.datetime:
    """When the first partition begins: with the lake's oldest day, else with the hour of `now_ns`.

    Decided once and kept in `home`, since a partition exists only where every process agrees on
    the start. Deleting the file lets it be decided anew.
    """
    kept = home / "partitions_start"
    if not kept.exists():
        hour = dt.datetime.fromtimestamp(now_ns // NS_PER_HOUR * SECS_PER_HOUR, dt.UTC)
        with contextlib.suppress(FileExistsError):
            _put_text(kept, f"{(_oldest_day(lake) or hour).isoformat()}\n", replace=False)
    return dt.datetime.fromisoformat(kept.read_text("utf-8").strip())


def _oldest_day(lake: Path) -> dt.datetime | None:
    days = [folder.name.removeprefix("date=") for folder in lake.glob("*/*/*/date=????-??-??")]
    return dt.datetime.fromisoformat(min(days)).replace(tzinfo=dt.UTC) if days else None


def _put_configuration(path: Path) -> None:
    shipped = SHIPPED.read_text("utf-8")
    present = path.read_text("utf-8") if path.exists() else None
    if present is not None:
        version = _VERSION.search(present)
        if version is None or int(version[1]) >= _version(shipped):
            return
        path.replace(path.with_suffix(".yaml.old"))
    _put_text(path, shipped, replace=True)


def _version(text: str) -> int:
    found = _VERSION.search(text)
    return int(found[1]) if found else 0


def _put_text(path: Path, text: str, *, replace: bool) -> None:
    def write(file: BinaryIO) -> None:
        file.write(text.encode())

    put_file(path, write, replace=replace)
