"""Reading a journal: every segment up to its first bad byte, and what lies behind it."""

from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from atelier_pipeline.errors import JournalError
from atelier_pipeline.lake import journal
from atelier_pipeline.lake.journal import Damage, Journal, JournalMeta, Segment
from atelier_pipeline.lake.journal_messages import END_OF_STREAM, Check


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
        data = _mapped(path)
    except OSError as error:
        raise JournalError(f"can't read {path}: {error}") from error
    try:
        scan.problem = _read(data, scan)
    except EOFError:
        scan.problem = "the stream ends without its mark" if scan.meta else "no head is there"
    except (JournalError, pa.ArrowException, OSError) as error:
        scan.problem = f"not a batch: {error}" if scan.meta else f"no readable head: {error}"
    scan.unread = data.size - scan.read_to
    return scan


def _mapped(path: Path) -> pa.Buffer:
    """All bytes of a file; nothing can be mapped where there are none."""
    if not path.stat().st_size:
        return pa.py_buffer(b"")
    with pa.memory_map(str(path)) as file:
        return file.read_buffer()


def _read(data: pa.Buffer, scan: _Scan) -> str | None:
    """Fill `scan` from a segment; returns what is wrong with its end, None where it is whole.

    Raises what `Check.prove` raises where a message is not as it was written.
    """
    source, check = pa.BufferReader(data), Check()
    check.prove(data, 0)
    reader = pa.ipc.open_stream(source)
    scan.meta = journal.meta_of(reader.schema)
    if scan.meta is None:
        return "no readable head: it is of another kind or version"
    while True:
        scan.read_to = source.tell()
        check.prove(data, scan.read_to)
        batch, metadata = reader.read_next_batch_with_custom_metadata()
        if dict(metadata or {}).get(journal.MARK_KEY) == journal.CLOSED:
            scan.read_to = source.tell()
            return None if source.read() == END_OF_STREAM else "no clean end after its mark"
        scan.batches.append(batch)
        scan.rows += batch.num_rows
