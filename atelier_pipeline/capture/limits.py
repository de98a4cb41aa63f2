"""What a capture may use: bytes in memory, bytes of disk, bytes of a frame."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from atelier_pipeline.errors import JournalError
from atelier_pipeline.settings import Settings

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureLimits:
    """Limits of one capture, in bytes.

    Attributes:
        frame_bytes: the largest frame; a larger one ends its connection.
        queue_bytes: frames in memory that the journal has not written yet; more are dropped.
        window_disk_bytes: free disk needed to start.
        disk_floor_bytes: free disk at which a running capture ends.
    """

    frame_bytes: int = 64 * MIB
    queue_bytes: int = 128 * MIB
    window_disk_bytes: int = 1024 * MIB
    disk_floor_bytes: int = 256 * MIB

    @classmethod
    def from_settings(cls, settings: Settings) -> "CaptureLimits":
        """The limits that an installation's settings ask for."""
        return cls(
            frame_bytes=settings.frame_limit_mib * MIB,
            queue_bytes=settings.journal_queue_mib * MIB,
            window_disk_bytes=settings.window_disk_mib * MIB,
            disk_floor_bytes=settings.disk_floor_mib * MIB,
        )

    def check_disk(self, folder: Path) -> None:
        """Raise JournalError where the disk of `folder` has not room for a window."""
        free = free_bytes(folder)
        if free < self.window_disk_bytes:
            raise JournalError(
                f"{folder}: {free // MIB} MiB free, a window needs "
                f"{self.window_disk_bytes // MIB} (ATELIER_WINDOW_DISK_MIB): free some disk, move "
                "ATELIER_JOURNAL or lower the setting"
            )

    def at_floor(self, folder: Path) -> bool:
        """Whether the disk of `folder` has no more free bytes than the floor."""
        return free_bytes(folder) <= self.disk_floor_bytes


def free_bytes(folder: Path) -> int:
    """Free bytes on the disk that holds `folder`, or that will hold it."""
    existing = folder
    while not existing.exists():
        existing = existing.parent
    return shutil.disk_usage(existing).free
