"""What a journal is: its folder, its segments, and the marks that tell whole from torn.

A journal holds the frames of one window of one collector. It is a folder of segments, one for each
process start: `segment-000.arrows`, `segment-001.arrows`, … . A segment is an Arrow IPC stream:

- the schema `FRAMES`; its metadata holds `journal`, the JournalMeta as JSON;
- record batches;
- where it was closed, and only there, a batch of no rows whose mark says `closed`; then Arrow's end
  of stream.

Arrow alone can't tell a torn file from a whole one: it takes zeros, and a cut between two batches,
for the end of the stream. Here a segment without its mark is damaged. Nor does it notice changed
bytes: schema and batches carry a crc32 each (`journal_messages`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec
import pyarrow as pa

from atelier_pipeline.errors import JournalError
from atelier_pipeline.lake.journal_messages import CHECK_KEY, NO_CHECK
from atelier_pipeline.lake.names import group_name, stamp
from atelier_pipeline.lake.schemas import FRAMES
from atelier_pipeline.market.window import Window

META_KEY = b"journal"
MARK_KEY = b"mark"
CLOSED = b"closed"
"""The mark of a segment that was closed."""
SUFFIX = ".arrows"


class FrameKind(StrEnum):
    """What a row of the journal tells about its connection.

    `opened`, `closed`: the connection; the payload is its address, or why it ended. `sent`: a text
    frame of ours. `text`, `binary`: a received frame. `dropped`: a received frame that was not
    kept; the payload says why. `clock`: what is known of the local clock.
    """

    OPENED = "opened"
    SENT = "sent"
    TEXT = "text"
    BINARY = "binary"
    DROPPED = "dropped"
    CLOSED = "closed"
    CLOCK = "clock"


class JournalMeta(msgspec.Struct, frozen=True, kw_only=True):
    """What a process knew when it opened a segment: enough to rebuild the files from the frames.

    Attributes:
        exchange: the exchange's name.
        collector: the collector's name.
        url: the WebSocket address.
        source: live, simulated or replay.
        manifest: the text of the manifest, "" where there is none.
        window: the window that is captured.
    """

    exchange: str
    collector: str
    url: str
    source: str
    manifest: str
    window: Window


class Damage(msgspec.Struct, frozen=True, kw_only=True):
    """Where a segment stopped being readable.

    `after_seq` and `after_ts` (UTC ns) are those of the last good row of the journal before it,
    None where there is none. `unread_bytes` lie behind it in the segment.
    """

    segment: str
    after_seq: int | None
    after_ts: int | None
    reason: str
    unread_bytes: int


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """One segment as far as it can be read; `meta` is None where not even its head can be.

    The rows have the numbers first_seq, first_seq + 1, …; `damage` is None where it was closed.
    """

    name: str
    meta: JournalMeta | None
    rows: int
    first_seq: int | None
    damage: Damage | None


@dataclass(frozen=True)
class Journal:
    """The frames of one window of one collector, and what is known to be missing.

    Attributes:
        meta: of the first segment whose head is readable.
        segments: in the order in which they were written.
        batches: the rows in order of `seq`, schema FRAMES; can be iterated again and again.
    """

    meta: JournalMeta
    segments: tuple[Segment, ...]
    batches: Iterable[pa.RecordBatch]

    @property
    def damage(self) -> list[Damage]:
        """The segments' damage, in order; empty where every segment was closed."""
        return [segment.damage for segment in self.segments if segment.damage is not None]


def journal_folder(journal: Path, exchange: str, collector: str, t0_ns: int) -> Path:
    """The folder of one window's journal; raises LakeError for a name that is unsafe."""
    place = journal / group_name(exchange, "exchange") / group_name(collector, "collector")
    return place / stamp(t0_ns)


def segment_paths(folder: Path) -> list[Path]:
    """The segments in `folder`, in the order in which they were written."""
    return sorted(folder.glob(f"segment-*{SUFFIX}"), key=segment_number)


def segment_number(path: Path) -> int:
    """The number in a segment's name; raises JournalError for another name."""
    number = path.stem.removeprefix("segment-")
    if not (number.isascii() and number.isdigit()):
        raise JournalError(f"{path} is no segment of a journal: segment-NNN{SUFFIX} is")
    return int(number)


def head(meta: JournalMeta) -> pa.Schema:
    """The schema that a segment starts with."""
    return FRAMES.with_metadata({META_KEY: msgspec.json.encode(meta), CHECK_KEY: NO_CHECK})


def meta_of(schema: pa.Schema) -> JournalMeta | None:
    """The meta in a segment's head, or None where the head is of another kind or version."""
    if not schema.equals(FRAMES):
        return None
    try:
        return msgspec.json.decode((schema.metadata or {}).get(META_KEY, b""), type=JournalMeta)
    except msgspec.MsgspecError:
        return None
