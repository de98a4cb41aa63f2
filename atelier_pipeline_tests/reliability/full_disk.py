"""A disk that fills up while a capture runs: what is kept, and what the user is told.

    unshare --mount python -m atelier_pipeline_tests.reliability.full_disk
    unshare --mount python -m atelier_pipeline_tests.reliability.full_disk --at-once

A file system of a few MiB is mounted for the journal: hence a mount namespace of its own (without
root `unshare --user --map-root-user --mount`). Frames fill it slowly, so that the capture ends at
its floor; or something else fills it at once, and it refuses a write. What there is afterwards is
printed as JSON.
"""

import argparse
import logging
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from atelier_pipeline import pipeline
from atelier_pipeline.lake.names import FileKind, Mode
from atelier_pipeline.lake.reader import read_kind
from atelier_pipeline.lake.verify import verify_file
from atelier_pipeline.market.window import Window
from atelier_pipeline.orchestration.installation import Installation
from atelier_pipeline.orchestration.raw import CaptureConfig, captured
from atelier_pipeline.settings import Settings
from atelier_pipeline_tests.capture.servers import simulated
from atelier_pipeline_tests.reliability.collectors import NS_PER_SEC, collector

KIB, MIB = 1 << 10, 1 << 20
DISK_MIB, FLOOR_MIB = 4, 3
ROOM_BYTES = 200 * KIB
"""What frames may fill before the floor is reached."""

RATE = 100.0
"""Book messages a second and symbol."""


def fill_up(journal: Path) -> None:
    """Leave the disk of a journal no byte, once it holds some frames."""
    while not any(path.stat().st_size > 32 * KIB for path in journal.rglob("segment-*")):
        time.sleep(0.01)
    with (journal / "somebody else's").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(512))


def run(folder: Path, *, at_once: bool) -> dict[str, Any]:
    """Capture and seal as a run in Dagster does, until the journal's disk is full."""
    made, t0_ns = collector("kraken", lead_secs=0), time.time_ns() // NS_PER_SEC * NS_PER_SEC
    target = made, Window(t0_ns, t0_ns + 60 * NS_PER_SEC)
    ballast = (DISK_MIB - FLOOR_MIB) * MIB - ROOM_BYTES
    (folder / "journal" / "ballast").write_bytes(bytes(ballast))
    if at_once:
        threading.Thread(target=fill_up, args=(folder / "journal",), daemon=True).start()
    with simulated(rate=RATE) as url:
        settings = Settings(
            lake=folder / "lake",
            journal=folder / "journal",
            simulator_url=url,
            window_disk_mib=1,
            disk_floor_mib=1 if at_once else FLOOR_MIB,
        )
        installed = Installation(settings, {made.name: made})
        log = logging.getLogger("full_disk")
        failure = captured(target, installed, CaptureConfig(), lambda: False, log)
    result = pipeline.seal(*target, settings)
    for file in result.files:
        verify_file(file.path)
    gaps = read_kind(settings.lake, FileKind.GAPS, Mode.RAW)
    return {
        "error": None if failure is None else str(failure),
        "causes": sorted(set(gaps["cause"].to_pylist())),
        "details": sorted({text for text in gaps["detail"].to_pylist() if text}),
        "orderbooks": read_kind(settings.lake, FileKind.ORDERBOOKS, Mode.RAW).num_rows,
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--at-once", action="store_true", help="something else fills the disk")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="atelier-full-disk-") as name:
        journal = Path(name) / "journal"
        journal.mkdir()
        size = f"size={DISK_MIB}m"
        subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(journal)], check=True)
        try:
            found = run(Path(name), at_once=options.at_once)
        finally:
            subprocess.run(["umount", "--lazy", str(journal)], check=True)
    sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
