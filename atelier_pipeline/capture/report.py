"""What a capture tells: while it runs, and when it has ended."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from atelier_pipeline.market.window import Window


class Ending(StrEnum):
    """Why a capture ended.

    `own_time`: every feed's own time passed the window's end. `linger`: the wait for that was over.
    `asked`: the end that the caller gave. `stopped`: the caller's `stop`. `disk_floor`: the disk is
    nearly full. `refused`: everything was. `unreachable`: no connection and no more attempts.
    """

    OWN_TIME = "own_time"
    LINGER = "linger"
    ASKED = "asked"
    STOPPED = "stopped"
    DISK_FLOOR = "disk_floor"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureProgress:
    """A running capture.

    Attributes:
        states: each connection's state, in words.
        frames, bytes: received and kept so far.
        dropped: received frames that were not kept.
        events: market events in the kept frames.
        undecodable: kept frames that are not as the exchange documents them.
        errors: feeds refused or not answered for.
    """

    states: tuple[str, ...]
    frames: int
    bytes: int
    dropped: int
    events: int
    undecodable: int
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureReport:
    """A capture that has ended.

    Attributes:
        journal: the folder of the window's journal.
        opened_ns, closed_ns: UTC ns between which connections were kept; equal if none was tried.
        frames, bytes, dropped, events, undecodable: as in CaptureProgress.
        connections: how many were made.
        reconnects: how many of them replaced a lost one.
        errors: feeds refused or not answered for, one sentence each.
    """

    collector: str
    window: Window
    url: str
    journal: Path
    ending: Ending
    opened_ns: int
    closed_ns: int
    frames: int
    bytes: int
    dropped: int
    events: int
    undecodable: int
    connections: int
    reconnects: int
    errors: tuple[str, ...]
