from bisect import bisect_right
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atelier_pipeline.errors import JournalError
from atelier_pipeline.lake import journal
from atelier_pipeline.lake.journal import Damage, FrameKind, Journal, Segment, journal_folder
from atelier_pipeline.lake.journal_messages import (
    CHECK_KEY,
    END_OF_STREAM,
    NO_CHECK,
    Check,
    head_message,
)
from atelier_pipeline.lake.journal_reader import read_journal
from atelier_pipeline.lake.schemas import FRAMES
from atelier_pipeline_tests.lake.frames import META, numbered, rows_of, some_rows, write
from atelier_pipeline_tests.lake.rows import T0

BATCHES = [some_rows(2), some_rows(3, 2), some_rows(1, 5)]
ROWS = numbered(row for batch in BATCHES for row in batch)

any_row = st.tuples(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 2**32 - 1),
    st.sampled_from([str(kind) for kind in FrameKind]),
    st.binary(max_size=30),
)


@pytest.fixture
def segment(tmp_path) -> Path:
    """A closed segment of three batches."""
    return write(tmp_path, BATCHES)


def read(segment: Path, data: bytes) -> Journal | None:
    """The journal once its only segment holds `data`; None where it has no readable head."""
    segment.unlink()  # A mapped file must not be written to.
    segment.write_bytes(data)
    with suppress(JournalError):
        return read_journal(segment.parent)
    return None


def put(folder: Path, head: memoryview) -> None:
    """A segment of nothing but a head."""
    (folder / "segment-000.arrows").write_bytes(b"".join(Check().added(head)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(any_row, max_size=5), max_size=5))
def test_rows_come_back_in_their_order_however_they_were_flushed(batches):
    with TemporaryDirectory() as folder:
        write(Path(folder), batches)
        journal = read_journal(Path(folder))
        assert rows_of(journal.batches) == numbered(row for batch in batches for row in batch)
        assert journal.damage == []
        assert journal.meta == META
        assert {batch.schema == FRAMES for batch in journal.batches} <= {True}


def test_a_whole_segment_tells_its_rows_and_its_meta(segment):
    journal = read_journal(segment.parent)
    assert journal.segments == (
        Segment(name="segment-000.arrows", meta=META, rows=6, first_seq=0, damage=None),
    )
    assert rows_of(journal.batches) == ROWS
    assert rows_of(journal.batches) == ROWS, "batches can be read again"


def test_a_segment_without_frames_is_whole_too(tmp_path):
    write(tmp_path, [])
    journal = read_journal(tmp_path)
    assert journal.segments == (
        Segment(name="segment-000.arrows", meta=META, rows=0, first_seq=None, damage=None),
    )


def places(segment: Path) -> list[int]:
    """Where each message of a closed segment begins, and its end of stream."""
    with pa.memory_map(str(segment)) as source:
        stream = pa.ipc.open_stream(source)
        found = [0, source.tell()]
        found += [source.tell() for _ in stream]
        return found


def findings(segment: Path, data: bytes) -> tuple[int, int | None, int] | None:
    """How many of ROWS are found in `data`, the seq that its damage lies behind, and unread bytes.

    None where it has no readable head.
    """
    found = read(segment, data)
    if found is None:
        return None
    rows = rows_of(found.batches)
    assert rows == ROWS[: len(rows)]
    (damage,) = found.damage
    return len(rows), damage.after_seq, damage.unread_bytes


def expected(begins: list[int], position: int, size: int) -> tuple[int, int | None, int] | None:
    """What must be found in `size` bytes of a segment that are wrong from `position` on."""
    whole = bisect_right(begins, position) - 1
    if whole == 0:
        return None
    rows = sum(len(batch) for batch in BATCHES[: whole - 1])
    return rows, rows - 1 if rows else None, size - begins[whole]


def test_a_flipped_byte_anywhere_is_damage_and_costs_its_message_and_what_lies_behind(segment):
    """The head's bytes, framing, offsets, padding and values, the mark and the end of stream."""
    whole, begins = segment.read_bytes(), places(segment)
    for position in range(len(whole)):
        for mask in (1 << position % 8, 0xFF):
            data = bytearray(whole)
            data[position] ^= mask
            found = findings(segment, bytes(data))
            assert found == expected(begins, position, len(whole)), (position, mask)


def test_a_segment_cut_at_any_byte_gives_its_whole_batches_and_is_damaged(segment):
    whole, begins = segment.read_bytes(), places(segment)
    for size in range(len(whole)):
        assert findings(segment, whole[:size]) == expected(begins, size, size), size


def test_a_tail_of_zeros_is_no_clean_end_wherever_it_begins(segment):
    whole, begins = segment.read_bytes(), places(segment)
    last_byte = len(whole.rstrip(b"\0"))
    for size in range(last_byte):
        zeroed = whole[:size] + bytes(len(whole) - size)
        differs = next(n for n in range(size, last_byte) if whole[n])
        assert findings(segment, zeroed) == expected(begins, differs, len(whole)), size


def test_zeros_behind_a_batch_are_told_from_its_clean_end_with_what_they_hide(tmp_path):
    segment = write(tmp_path, BATCHES, close=False)
    whole = segment.read_bytes()
    journal = read(segment, whole + bytes(4096))
    assert rows_of(journal.batches) == ROWS
    assert journal.damage == [
        Damage(
            segment="segment-000.arrows",
            after_seq=5,
            after_ts=T0 + 5,
            reason="the stream ends without its mark",
            unread_bytes=4096,
        )
    ]


def test_a_process_that_ended_between_two_batches_left_no_mark(tmp_path):
    write(tmp_path, BATCHES, close=False)
    journal = read_journal(tmp_path)
    assert rows_of(journal.batches) == ROWS
    assert [(d.after_seq, d.unread_bytes) for d in journal.damage] == [(5, 0)]


@settings(max_examples=150, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(0, 4000), st.binary(max_size=300))
def test_any_bytes_in_the_place_of_a_segments_are_read_or_refused(noise, position, data):
    with TemporaryDirectory() as folder:
        segment = write(Path(folder), BATCHES)
        whole = segment.read_bytes()
        position %= len(whole)
        mutated = whole[:position] + data + whole[position + noise.randrange(len(data) + 9) :]
        journal = read(segment, mutated)
        if journal is not None:
            rows = rows_of(journal.batches)
            assert rows == ROWS[: len(rows)]
            assert journal.damage or rows == ROWS


def test_random_bytes_are_no_segment(tmp_path):
    source = np.random.default_rng(7)
    for size in (1, 8, 100, 5_000):
        (tmp_path / "segment-000.arrows").write_bytes(source.bytes(size))
        with pytest.raises(JournalError, match="no segment with a readable head"):
            read_journal(tmp_path)


def test_bytes_behind_the_mark_are_damage_and_hide_no_rows(segment):
    for tail in (b"\x00", bytes(64), b"more"):
        journal = read(segment, segment.read_bytes() + tail)
        assert rows_of(journal.batches) == ROWS
        assert [d.reason for d in journal.damage] == ["no clean end after its mark"]
        segment = write(segment.parent / tail.hex()[:8], BATCHES)


def test_an_empty_segment_among_others_is_damaged_at_the_row_before_it(tmp_path):
    write(tmp_path, BATCHES)
    (tmp_path / "segment-001.arrows").touch()
    write(tmp_path, [some_rows(2, 6)])
    journal = read_journal(tmp_path)
    assert rows_of(journal.batches) == numbered(some_rows(8))
    assert [(s.name, s.rows, s.first_seq, s.meta) for s in journal.segments] == [
        ("segment-000.arrows", 6, 0, META),
        ("segment-001.arrows", 0, None, None),
        ("segment-002.arrows", 2, 6, META),
    ]
    assert [(d.segment, d.after_seq, d.after_ts) for d in journal.damage] == [
        ("segment-001.arrows", 5, T0 + 5)
    ]


def test_any_arrow_reader_opens_a_segment(segment):
    with pa.ipc.open_stream(segment) as stream:
        assert rows_of(stream.read_all().to_batches()) == ROWS


def test_bytes_behind_the_last_batch_are_damage_and_hide_no_rows(tmp_path):
    segment = write(tmp_path, BATCHES, close=False)
    whole = segment.read_bytes()
    noise = np.random.default_rng(7).bytes(5_000)
    for tail in (b"\xff", b"\xff" * 4, b"\xff" * 8, b"more", noise, END_OF_STREAM, whole):
        assert findings(segment, whole + tail) == (len(ROWS), len(ROWS) - 1, len(tail))


def test_a_stream_without_checks_is_no_segment(tmp_path):
    with pa.ipc.new_stream(tmp_path / "segment-000.arrows", FRAMES):
        pass
    with pytest.raises(JournalError, match="no readable head: no crc32 in it"):
        read_journal(tmp_path)


def test_a_stream_of_another_schema_is_no_segment(tmp_path):
    other = journal.head(META).append(pa.field("extra", pa.int8()))
    put(tmp_path, head_message(other))
    with pytest.raises(JournalError, match="it is of another kind or version"):
        read_journal(tmp_path)


def test_a_folder_without_segments_is_no_journal(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(JournalError, match="holds no journal"):
            read_journal(folder)


def test_a_stranger_among_the_segments_is_named(tmp_path):
    write(tmp_path, BATCHES)
    (tmp_path / "segment-old.arrows").touch()
    with pytest.raises(JournalError, match=r"segment-old\.arrows is no segment of a journal"):
        read_journal(tmp_path)


def test_segments_of_two_windows_in_one_folder_are_refused(tmp_path):
    write(tmp_path / "a", BATCHES)
    other = write(tmp_path / "b", BATCHES)
    data = other.read_bytes().replace(b"bybit", b"kraken"[:5])
    (tmp_path / "a" / "segment-001.arrows").write_bytes(data)
    journal = read_journal(tmp_path / "a")
    assert [s.meta for s in journal.segments] == [META, None], "a changed head fails its checksum"


def test_segments_sort_by_number_beyond_a_thousand(tmp_path):
    for number in (999, 1000, 2):
        segment = write(tmp_path / str(number), [some_rows(1, number)])
        segment.rename(tmp_path / f"segment-{number:03d}.arrows")
    names = [segment.name for segment in read_journal(tmp_path).segments]
    assert names == ["segment-002.arrows", "segment-999.arrows", "segment-1000.arrows"]


def test_the_folder_of_a_window_is_named_after_its_start():
    folder = journal_folder(Path("data/journal"), "bybit", "main", T0)
    assert folder == Path("data/journal/bybit/main/20260226_153000.123")


def test_a_batch_that_is_missing_or_comes_twice_is_damage_although_each_is_whole(segment):
    whole, begins = segment.read_bytes(), places(segment)
    for wrong, at in (
        (whole[: begins[2]] + whole[begins[3] :], 2),
        (whole[: begins[4]] + whole[begins[3] :], 4),
        (whole[: begins[1]] + whole[begins[4] :], 1),
    ):
        assert findings(segment, wrong) == expected(begins, begins[at], len(wrong))


def test_a_manifest_that_looks_like_a_check_is_not_taken_for_one(tmp_path):
    meta = msgspec.structs.replace(META, manifest="\0crc32:00000000\0")
    put(tmp_path, head_message(journal.head(meta)))
    assert read_journal(tmp_path).meta == meta


def test_a_head_from_another_version_is_not_guessed_at(tmp_path):
    metadata = {journal.META_KEY: b'{"exchange":"bybit"}', CHECK_KEY: NO_CHECK}
    put(tmp_path, head_message(FRAMES.with_metadata(metadata)))
    with pytest.raises(JournalError, match="it is of another kind or version"):
        read_journal(tmp_path)


def test_a_segment_that_can_not_be_opened_is_named(tmp_path):
    (tmp_path / "segment-000.arrows").mkdir()
    with pytest.raises(JournalError, match=r"can't read .*segment-000\.arrows"):
        read_journal(tmp_path)
