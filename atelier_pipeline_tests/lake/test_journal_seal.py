import pytest

from atelier_pipeline.errors import JournalError, LakeError
from atelier_pipeline.lake.footer import Footer
from atelier_pipeline.lake.journal import JournalMeta
from atelier_pipeline.lake.journal_reader import read_journal
from atelier_pipeline.lake.journal_seal import read_frames, seal_journal
from atelier_pipeline.lake.journal_writer import JournalWriter
from atelier_pipeline.lake.names import frames_path
from atelier_pipeline.lake.reader import read_footer
from atelier_pipeline.lake.recordings import read_recording
from atelier_pipeline.lake.schemas import FRAMES
from atelier_pipeline.lake.verify import verify_file
from atelier_pipeline.lake.writer import write_table
from atelier_pipeline.market.window import Window
from atelier_pipeline_tests.lake.frames import META, numbered, rows_of, some_rows, write
from atelier_pipeline_tests.lake.rows import T0


def test_sealed_frames_say_the_same_as_the_journal(tmp_path):
    folder, lake = tmp_path / "journal", tmp_path / "lake"
    write(folder, [some_rows(3), some_rows(2, 3)], close=False)
    write(folder, [some_rows(4, 5)])
    path = seal_journal(folder, lake)
    assert path == frames_path(lake, "bybit", "main", T0)
    journal, sealed = read_journal(folder), read_frames(path)
    assert (sealed.meta, sealed.segments, sealed.damage) == (
        journal.meta,
        journal.segments,
        journal.damage,
    )
    assert len(sealed.damage) == 1
    assert rows_of(sealed.batches) == numbered(some_rows(9))
    assert rows_of(sealed.batches) == numbered(some_rows(9)), "batches can be read again"
    assert {batch.schema.equals(FRAMES, check_metadata=True) for batch in sealed.batches} == {True}


def test_the_footer_of_sealed_frames_names_collector_window_and_source(tmp_path):
    write(tmp_path / "journal", [some_rows(3)])
    path = seal_journal(tmp_path / "journal", tmp_path / "lake")
    footer = read_footer(path)
    assert footer == Footer(
        exchange="bybit",
        collector="main",
        window_start=T0,
        window_end=T0 + 3_600_000_000_000,
        source="live",
        content_hash=footer.content_hash,
    )
    verify_file(path)
    assert (tmp_path / "lake" / "_source").read_text() == "live\n"


def test_sealing_again_gives_the_same_bytes_and_keeps_the_journal(tmp_path):
    segment = write(tmp_path / "journal", [some_rows(3)])
    before = segment.read_bytes()
    path = seal_journal(tmp_path / "journal", tmp_path / "lake")
    first = path.read_bytes()
    assert seal_journal(tmp_path / "journal", tmp_path / "lake") == path
    assert path.read_bytes() == first
    assert segment.read_bytes() == before


def test_the_same_frames_in_one_batch_or_many_are_sealed_to_the_same_bytes(tmp_path):
    rows = some_rows(40)
    for name, size in (("one", 40), ("many", 7)):
        batches = [rows[at : at + size] for at in range(0, 40, size)]
        write(tmp_path / name / "journal", batches)
    one, many = (
        seal_journal(tmp_path / name / "journal", tmp_path / name / "lake")
        for name in ("one", "many")
    )
    assert one.read_bytes() == many.read_bytes()


def test_the_same_frames_in_several_segments_have_the_same_content(tmp_path):
    write(tmp_path / "one", [some_rows(9)])
    for first in (0, 4, 6):
        write(tmp_path / "three", [some_rows({0: 4, 4: 2, 6: 3}[first], first)])
    hashes = {
        read_footer(seal_journal(tmp_path / name, tmp_path / f"{name}-lake")).content_hash
        for name in ("one", "three")
    }
    assert len(hashes) == 1


def test_a_later_segment_replaces_the_sealed_file_by_a_longer_one(tmp_path):
    write(tmp_path / "journal", [some_rows(3)])
    path = seal_journal(tmp_path / "journal", tmp_path / "lake")
    write(tmp_path / "journal", [some_rows(3, 3)])
    assert seal_journal(tmp_path / "journal", tmp_path / "lake") == path
    assert rows_of(read_frames(path).batches) == numbered(some_rows(6))


def test_a_journal_with_fewer_frames_than_were_sealed_replaces_nothing(tmp_path):
    segment = write(tmp_path / "journal", [some_rows(3), some_rows(3, 3)])
    path = seal_journal(tmp_path / "journal", tmp_path / "lake")
    sealed = path.read_bytes()
    segment.unlink()
    write(tmp_path / "journal", [some_rows(2)])
    with pytest.raises(LakeError, match=r"holds 6 frames of segment-000\.arrows, the journal 2"):
        seal_journal(tmp_path / "journal", tmp_path / "lake")
    assert path.read_bytes() == sealed


def test_a_journal_without_frames_seals_to_a_file_without_rows(tmp_path):
    write(tmp_path / "journal", [])
    sealed = read_frames(seal_journal(tmp_path / "journal", tmp_path / "lake"))
    assert (rows_of(sealed.batches), sealed.meta, sealed.damage) == ([], META, [])


def test_a_journal_that_is_being_written_is_not_sealed(tmp_path):
    with (
        JournalWriter.open(tmp_path / "journal", META),
        pytest.raises(JournalError, match="is still being written"),
    ):
        seal_journal(tmp_path / "journal", tmp_path / "lake")
    assert not (tmp_path / "lake").exists()


def test_a_journal_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(JournalError, match=r"can't read .*none: No such file"):
        seal_journal(tmp_path / "none", tmp_path / "lake")


def test_frames_of_another_source_do_not_enter_a_lake(tmp_path):
    write(tmp_path / "journal", [some_rows(3)])
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "_source").write_text("simulated\n")
    with pytest.raises(LakeError, match="holds simulated data"):
        seal_journal(tmp_path / "journal", tmp_path / "lake")


def test_a_frames_file_that_was_not_sealed_from_a_journal_is_refused(tmp_path):
    path = tmp_path / "main_frames_raw_20260226_153000.123.parquet"
    write_table(FRAMES.empty_table(), path, Footer(exchange="bybit", collector="main"))
    with pytest.raises(LakeError, match="does not say which segments"):
        read_frames(path)


def test_damage_inside_sealed_frames_is_found_while_they_are_read(tmp_path):
    rows = [(T0 + k, 0, "text", bytes([k % 251]) * 9) for k in range(400)]
    write(tmp_path / "journal", [rows])
    path = seal_journal(tmp_path / "journal", tmp_path / "lake")
    data = bytearray(path.read_bytes())
    data[len(data) // 5] ^= 1
    path.write_bytes(data)
    with pytest.raises(LakeError, match="is damaged"):
        rows_of(read_frames(path).batches)


def test_every_recording_survives_the_journal_and_its_sealing(recordings, tmp_path):
    for recording in sorted(recordings.glob("*/*.frames.gz")):
        frames = list(read_recording(recording))
        meta = JournalMeta(
            exchange=recording.parent.name,
            collector="replay",
            url="",
            source="replay",
            manifest="",
            window=Window(0, T0),
        )
        folder = tmp_path / recording.parent.name / recording.name
        with JournalWriter.open(folder, meta) as writer:
            for number, (ts_recv, payload) in enumerate(frames):
                writer.append(ts_recv, 0, "text", payload)
                if number % 1_000 == 999:
                    writer.flush()
        sealed = read_frames(seal_journal(folder, tmp_path / "lake" / recording.name))
        assert [(ts, payload) for _, ts, _, _, payload in rows_of(sealed.batches)] == frames
