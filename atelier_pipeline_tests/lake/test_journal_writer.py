import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from atelier_pipeline.errors import JournalError
from atelier_pipeline.lake import journal_writer
from atelier_pipeline.lake.journal_reader import read_journal
from atelier_pipeline.lake.journal_writer import JournalWriter
from atelier_pipeline.market.window import Window
from atelier_pipeline_tests.lake.frames import META, numbered, rows_of, some_rows, write
from atelier_pipeline_tests.lake.rows import T0

CHILD = """
import resource, signal, sys
from pathlib import Path
from atelier_pipeline.errors import JournalError
from atelier_pipeline.lake.journal_writer import JournalWriter
from atelier_pipeline_tests.lake.frames import META, some_rows

writer = JournalWriter.open(Path(sys.argv[1]), META)
"""


def run_child(folder: Path, lines: str) -> subprocess.CompletedProcess:
    """Another process that opens a journal in `folder` and then runs `lines`."""
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-c", CHILD + lines, str(folder)],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_each_start_opens_the_next_segment_and_numbers_go_on(tmp_path):
    first = JournalWriter.open(tmp_path, META)
    assert (first.next_seq, first.first_connection) == (0, 0)
    assert [first.append(T0 + k, 4, "text", b"x") for k in range(3)] == [0, 1, 2]
    first.close()
    second = JournalWriter.open(tmp_path, META)
    assert (second.path.name, second.next_seq) == ("segment-001.arrows", 3)
    assert second.first_connection == 5
    assert second.append(T0 + 9, second.first_connection, "opened", b"wss://") == 3
    second.close()
    assert rows_of(read_journal(tmp_path).batches) == [
        (0, T0, 4, "text", b"x"),
        (1, T0 + 1, 4, "text", b"x"),
        (2, T0 + 2, 4, "text", b"x"),
        (3, T0 + 9, 5, "opened", b"wss://"),
    ]


def test_a_torn_segment_is_left_as_it_is_and_the_next_one_goes_on_behind_its_good_rows(tmp_path):
    torn = write(tmp_path, [some_rows(3), some_rows(3, 3)], close=False)
    data = torn.read_bytes()[:-5]
    torn.unlink()
    torn.write_bytes(data)
    write(tmp_path, [some_rows(2, 6)])
    assert torn.read_bytes() == data
    journal = read_journal(tmp_path)
    assert rows_of(journal.batches) == numbered(some_rows(3) + some_rows(2, 6))
    assert [(d.segment, d.after_seq, d.after_ts) for d in journal.damage] == [
        ("segment-000.arrows", 2, T0 + 2)
    ]


def test_a_torn_head_takes_a_number_too(tmp_path):
    (tmp_path / "segment-000.arrows").write_bytes(b"\xff\xff")
    assert write(tmp_path, [some_rows(1)]).name == "segment-001.arrows"
    assert rows_of(read_journal(tmp_path).batches) == numbered(some_rows(1))


def test_a_new_segment_may_have_another_address_and_manifest(tmp_path):
    write(tmp_path, [some_rows(1)])
    moved = msgspec.structs.replace(META, url="wss://elsewhere.test", manifest="changed")
    JournalWriter.open(tmp_path, moved).close()
    journal = read_journal(tmp_path)
    assert [segment.meta for segment in journal.segments] == [META, moved]
    assert journal.meta == META


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"exchange": "kraken"}, "is the journal of exchange bybit, not of kraken"),
        ({"collector": "other"}, "is the journal of collector main, not of other"),
        ({"source": "simulated"}, "is the journal of source live, not of simulated"),
        ({"window": Window(T0, T0 + 1)}, "is the journal of window"),
    ],
)
def test_the_journal_of_something_else_is_not_continued(tmp_path, changes, message):
    write(tmp_path, [some_rows(1)])
    with pytest.raises(JournalError, match=message):
        JournalWriter.open(tmp_path, msgspec.structs.replace(META, **changes))
    assert [path.name for path in tmp_path.iterdir()] == ["segment-000.arrows"]
    write(tmp_path, [])


def test_a_journal_is_written_by_one_process_at_a_time(tmp_path):
    with JournalWriter.open(tmp_path, META):
        with pytest.raises(JournalError, match="is being written or sealed by another process"):
            JournalWriter.open(tmp_path, META)
        child = run_child(tmp_path, "")
        assert "is being written or sealed by another process" in child.stderr
    JournalWriter.open(tmp_path, META).close()


def test_a_killed_process_leaves_what_it_flushed_and_no_mark(tmp_path):
    child = run_child(
        tmp_path,
        "for row in some_rows(5): writer.append(*row)\n"
        "writer.flush()\n"
        "for row in some_rows(3, 5): writer.append(*row)\n"
        "signal.raise_signal(signal.SIGKILL)\n",
    )
    assert child.returncode == -signal.SIGKILL
    journal = read_journal(tmp_path)
    assert rows_of(journal.batches) == numbered(some_rows(5))
    assert [d.reason for d in journal.damage] == ["the stream ends without its mark"]
    write(tmp_path, [some_rows(1, 5)])
    assert rows_of(read_journal(tmp_path).batches) == numbered(some_rows(6))


def test_a_process_that_is_killed_before_its_first_frame_leaves_a_segment_that_can_be_read(
    tmp_path,
):
    child = run_child(tmp_path, "signal.raise_signal(signal.SIGKILL)\n")
    assert child.returncode == -signal.SIGKILL
    journal = read_journal(tmp_path)
    assert journal.meta == META
    assert list(journal.batches) == []
    (segment,) = journal.segments
    assert (segment.meta, segment.rows, segment.first_seq) == (META, 0, None)
    assert [(d.after_seq, d.reason) for d in journal.damage] == [
        (None, "the stream ends without its mark")
    ]
    write(tmp_path, [some_rows(2)])
    assert rows_of(read_journal(tmp_path).batches) == numbered(some_rows(2))


def test_a_full_disk_is_an_error_that_names_the_file_and_ends_the_segment(tmp_path):
    """A limit on the size of files stands for the disk: the write itself fails."""
    child = run_child(
        tmp_path,
        "for row in some_rows(20): writer.append(*row)\n"
        "writer.flush()\n"
        "size = writer.path.stat().st_size\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, size + 100))\n"
        "for row in some_rows(300, 20): writer.append(*row)\n"
        "for call in (writer.flush, lambda: writer.append(0, 0, 'text', b'x'), writer.flush):\n"
        "    try: print(call())\n"
        "    except JournalError as error: print(error)\n"
        "writer.close()\n",
    )
    assert child.stderr == ""
    path = tmp_path / "segment-000.arrows"
    lost = f"{path} can't be written: File too large; 300 frames are lost, and no more are taken"
    assert child.stdout.splitlines() == [lost, lost, "0"]
    journal = read_journal(tmp_path)
    assert rows_of(journal.batches) == numbered(some_rows(20))
    assert len(journal.damage) == 1
    assert journal.damage[0].unread_bytes > 0


def test_rows_that_did_not_become_durable_are_reported_as_lost(tmp_path, monkeypatch):
    writer = JournalWriter.open(tmp_path, META)
    writer.append(T0, 0, "text", b"x")

    def refuse(_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(journal_writer.os, "fdatasync", refuse)
    with pytest.raises(JournalError, match=r"can't be written: Input/output error; 1 frames"):
        writer.close()
    monkeypatch.undo()
    assert [d.reason for d in read_journal(tmp_path).damage] == ["the stream ends without its mark"]
    writer.close()
    JournalWriter.open(tmp_path, META).close()


def test_every_flush_is_durable_before_it_returns(tmp_path, monkeypatch):
    writer = JournalWriter.open(tmp_path, META)
    durable = []
    monkeypatch.setattr(
        journal_writer.os, "fdatasync", lambda fd: durable.append(os.fstat(fd).st_size)
    )
    for size in (1, 2):
        writer.append(T0, 0, "text", b"x" * size)
        assert writer.flush() == 1
        assert durable[-1] == writer.path.stat().st_size
    assert writer.flush() == 0
    assert len(durable) == 2
    writer.close()


def test_rows_that_have_waited_long_become_several_batches_of_limited_size(tmp_path, monkeypatch):
    """A batch and its message take memory beside the rows; Arrow's batches end at 2 GiB."""
    monkeypatch.setattr(journal_writer, "_BATCH_BYTES", 10)
    sizes = [4, 6, 1, 0, 9, 30, 10, 1, 0]
    rows = [(T0 + k, 0, "text", b"x" * size) for k, size in enumerate(sizes)]
    with JournalWriter.open(tmp_path, META) as writer:
        writer.extend(rows)
        assert writer.flush() == len(rows)
    batches = list(read_journal(tmp_path).batches)
    assert rows_of(batches) == numbered(rows)
    assert [[len(payload) for *_, payload in rows_of([batch])] for batch in batches] == [
        [4, 6],
        [1, 0, 9],
        [30],
        [10],
        [1, 0],
    ]


def test_all_rows_from_the_failed_batch_on_are_reported_as_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(journal_writer, "_BATCH_BYTES", 1)
    writer = JournalWriter.open(tmp_path, META)
    writer.extend(some_rows(5))
    answers = iter([None, None, OSError(28, "No space left on device")])

    def sync(_):
        if answer := next(answers):
            raise answer

    monkeypatch.setattr(journal_writer.os, "fdatasync", sync)
    with pytest.raises(JournalError, match=r"No space left on device; 3 frames are lost"):
        writer.flush()
    writer._resources.close()
    assert rows_of(read_journal(tmp_path).batches)[:2] == numbered(some_rows(2))


def test_nothing_is_taken_after_close_and_close_counts_once(tmp_path):
    writer = JournalWriter.open(tmp_path, META)
    writer.append(T0, 0, "text", b"x")
    writer.close()
    writer.close()
    with pytest.raises(JournalError, match=r"segment-000\.arrows is closed"):
        writer.append(T0, 0, "text", b"y")
    journal = read_journal(tmp_path)
    assert rows_of(journal.batches) == [(0, T0, 0, "text", b"x")]
    assert journal.damage == []


def test_an_unknown_kind_is_refused_at_once(tmp_path):
    with JournalWriter.open(tmp_path, META) as writer:
        with pytest.raises(JournalError, match="'ping' is no kind of frame"):
            writer.append(T0, 0, "ping", b"")
        assert writer.next_seq == 0


def test_many_rows_are_kept_like_one_after_the_other_and_all_or_none(tmp_path):
    with JournalWriter.open(tmp_path, META) as writer:
        writer.append(T0, 0, "opened", b"")
        writer.extend([(T0 + k, 0, "text", b"%d" % k) for k in (1, 2)])
        writer.extend([])
        with pytest.raises(JournalError, match="'ping' is no kind of frame"):
            writer.extend([(T0 + 3, 0, "text", b"3"), (T0 + 4, 0, "ping", b"")])
        assert writer.append(T0 + 5, 0, "text", b"5") == 3
    with pytest.raises(JournalError, match="is closed"):
        writer.extend([(T0 + 6, 0, "text", b"6")])
    assert rows_of(read_journal(tmp_path).batches) == [
        (0, T0, 0, "opened", b""),
        (1, T0 + 1, 0, "text", b"1"),
        (2, T0 + 2, 0, "text", b"2"),
        (3, T0 + 5, 0, "text", b"5"),
    ]


def test_an_error_inside_leaves_a_closed_segment_with_every_row(tmp_path):
    def fail():
        with JournalWriter.open(tmp_path, META) as writer:
            writer.append(T0, 0, "text", b"x")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    journal = read_journal(tmp_path)
    assert (rows_of(journal.batches), journal.damage) == ([(0, T0, 0, "text", b"x")], [])


def test_rows_appended_while_another_thread_flushes_are_all_kept_in_order(tmp_path):
    writer = JournalWriter.open(tmp_path, META)
    done = threading.Event()

    def flush():
        while not done.is_set():
            writer.flush()

    flusher = threading.Thread(target=flush)
    flusher.start()
    rows = some_rows(5_000)
    for row in rows:
        writer.append(*row)
    done.set()
    flusher.join()
    writer.close()
    assert rows_of(read_journal(tmp_path).batches) == numbered(rows)


def test_a_place_that_can_not_be_a_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(
        JournalError, match=r"can't open a journal in .*file/x: .*file is not a folder"
    ):
        JournalWriter.open(tmp_path / "file" / "x", META)
