"""Reading a journal: every segment up to its first bad batch, and what lies behind it."""

from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from atelier_pipeline.errors import JournalError
from atelier_pipeline.lake import journal
from atelier_pipeline.lake.journal import Damage, Journal, JournalMeta, Segment

_END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"


def read_journal(folder: Path) -> Journal:
    """The journal in `folder`; batches are mapped from its files, not copied.

    Raises JournalError where there is none, no segment has a readable head, a file can't be read,
    or segments of two different windows lie together.
    """
    segments, batches = read_segments(folder)
    if not segments:
        raise JournalError(f"{folder} holds no journal: no segment-NNN{journal.SUFFIX} in it")
    metas = [segment.meta for segment in segments if segment.meta is not None]
    if not metas:
        reasons = [segment.damage.reason for segment in segments if segment.damage]
        raise JournalError(f"{folder} has no segment with a readable head: {'; '.join(reasons)}")
    for meta in metas:
        check_same(meta, metas[0], folder)
    return Journal(metas[0], tuple(segments), batches)


def read_segments(folder: Path) -> tuple[list[Segment], list[pa.RecordBatch]]:
    """Every segment of `folder` as far as it can be read, and their batches in order."""
    segments: list[Segment] = []
    batches: list[pa.RecordBatch] = []
    for path in journal.segment_paths(folder):
        scan = _scan(path)
        segments.append(_segment(path.name, scan, batches))
        batches.extend(scan.batches)
    return segments, batches


def check_same(meta: JournalMeta, other: JournalMeta, folder: Path) -> None:
    """Raise JournalError unless both are of the same exchange, collector, source and window."""
    for name in ("exchange", "collector", "source", "window"):
        mine, theirs = getattr(meta, name), getattr(other, name)
        if mine != theirs:
            raise JournalError(f"{folder} is the journal of {name} {theirs}, not of {mine}")


@dataclass
class _Scan:
    """What one pass over a segment found; `problem` stays None where it was closed."""

    meta: JournalMeta | None = None
    batches: list[pa.RecordBatch] = field(default_factory=list)
    rows: int = 0
    read_to: int = 0
    problem: str | None = None
    unread: int = 0


def _segment(name: str, scan: _Scan, before: list[pa.RecordBatch]) -> Segment:
    damage = None
    if scan.problem is not None:
        seq, ts = _last(scan.batches or before)
        damage = Damage(
            segment=name,
            after_seq=seq,
            after_ts=ts,
            reason=scan.problem,
            unread_bytes=scan.unread,
        )
    first = scan.batches[0]["seq"][0].as_py() if scan.batches else None
    return Segment(name=name, meta=scan.meta, rows=scan.rows, first_seq=first, damage=damage)


def _last(batches: list[pa.RecordBatch]) -> tuple[int | None, int | None]:
    if not batches:
        return None, None
    row = batches[-1].slice(batches[-1].num_rows - 1)
    return row["seq"][0].as_py(), row["ts_recv"].cast(pa.int64())[0].as_py()


def _scan(path: Path) -> _Scan:
    """Take the good batches of a segment; the file's own content never raises."""
    scan = _Scan()
    try:
        size = path.stat().st_size
        source = pa.memory_map(str(path)) if size else pa.BufferReader(b"")
    except OSError as error:
        raise JournalError(f"can't read {path}: {error}") from error
    try:
        scan.problem = _read(source, scan)
    except StopIteration:
        scan.problem = "the stream ends without its mark"
    except (pa.ArrowException, OSError) as error:
        scan.problem = f"not a batch: {error}" if scan.meta else f"no readable head: {error}"
    scan.unread = size - scan.read_to
    return scan


def _read(source: pa.NativeFile, scan: _Scan) -> str | None:
    """Fill `scan` from an open segment; returns what is wrong with its end, None where it is whole.

    Raises what Arrow raises where bytes are no stream, and StopIteration where a stream ends early.
    """
    reader = pa.ipc.open_stream(source)
    scan.meta = journal.meta_of(reader.schema)
    if scan.meta is None:
        return "no readable head: its checksum or schema differs"
    while True:
        scan.read_to = source.tell()
        batch, metadata = reader.read_next_batch_with_custom_metadata()
        marks: dict[bytes, bytes] = dict(metadata or {})
        mark = marks.get(journal.MARK_KEY, b"")
        batch.validate(full=True)
        if marks.get(journal.CRC_KEY) != journal.checksum(batch, mark):
            return "a batch that differs from its checksum"
        if mark:
            return _ending(source, scan, mark)
        if batch.num_rows:
            scan.batches.append(batch)
        scan.rows += batch.num_rows


def _ending(source: pa.NativeFile, scan: _Scan, mark: bytes) -> str | None:
    if mark != journal.closed_mark(scan.rows):
        return f"its mark {mark!r} does not fit the {scan.rows} rows before it"
    scan.read_to = source.tell()
    if source.read() != _END_OF_STREAM:
        return "no clean end of the stream after its mark"
    return None
