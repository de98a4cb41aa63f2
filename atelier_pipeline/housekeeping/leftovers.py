"""What writers and removals that were cut short have left behind.

Files are written beside their place under a hidden name, `.{name}.{pid}-{thread}.tmp`; no reader
finds them, and nobody goes on with them.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from atelier_pipeline.housekeeping.compact import staged_folders
from atelier_pipeline.housekeeping.selection import NS_PER_SEC
from atelier_pipeline.lake.storage import REMOVED, remove_file, remove_folder
from atelier_pipeline.settings import Settings

DEAD_AFTER_NS = 3_600 * NS_PER_SEC
"""A file of a process that is gone, here: where the disk is shared, it may live elsewhere."""

ABANDONED_AFTER_NS = 24 * DEAD_AFTER_NS
"""So old, it is nobody's, though a process has that number again."""

_UNFINISHED = re.compile(r"\..+\.(\d+)-\d+\.tmp")


def find_leftovers(settings: Settings, now_ns: int) -> list[Path]:
    """Unfinished files of dead processes, and folders that were being swapped out or removed.

    The caller sees to it that no other command of this kind is at work.
    """
    unfinished = [*settings.lake.rglob(".*.tmp"), *settings.catalog.parent.glob(".*.tmp")]
    files = {path for path in unfinished if _is_dead(path, now_ns)}
    return [*sorted(files), *sorted(_folders(settings))]


def remove_leftover(path: Path) -> None:
    """Remove what `find_leftovers` found."""
    if path.is_dir():
        remove_folder(path)
    else:
        remove_file(path)


def _folders(settings: Settings) -> Iterator[Path]:
    yield from staged_folders(settings.lake)
    yield from settings.journal.glob(f"*/*/.*{REMOVED}")


def _is_dead(path: Path, now_ns: int) -> bool:
    name = _UNFINISHED.fullmatch(path.name)
    try:
        age_ns = now_ns - path.stat().st_mtime_ns
    except FileNotFoundError:
        return False
    if name is None or age_ns < DEAD_AFTER_NS:
        return False
    return age_ns >= ABANDONED_AFTER_NS or not _lives(int(name[1]))


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
