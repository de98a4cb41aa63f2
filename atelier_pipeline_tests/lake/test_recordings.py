import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake.recordings import read_recording, write_recording

frames = st.lists(
    st.tuples(
        st.integers(0, 2**63 - 1),
        st.binary(min_size=1, max_size=40).filter(lambda payload: b"\n" not in payload),
    ),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(frames)
def test_frames_come_back_as_they_were_written(rows):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "x.frames.gz"
        size = write_recording(path, rows)
        assert size == path.stat().st_size
        assert list(read_recording(path)) == rows


def test_the_same_frames_give_the_same_bytes_under_any_name(tmp_path):
    rows = [(0, b'{"op":"subscribe"}'), (17, b"pong")]
    write_recording(tmp_path / "a.frames.gz", rows)
    write_recording(tmp_path / "b.frames.gz", iter(rows))
    assert (tmp_path / "a.frames.gz").read_bytes() == (tmp_path / "b.frames.gz").read_bytes()


def test_a_payload_is_everything_behind_the_first_space(tmp_path):
    path = tmp_path / "x.frames.gz"
    path.write_bytes(gzip.compress(b'12 {"a": 1}\n0  two spaces \r\n7 last line'))
    assert list(read_recording(path)) == [
        (12, b'{"a": 1}'),
        (0, b" two spaces \r"),
        (7, b"last line"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"12",
        b"12 ",
        b"{}",
        b" 12 {}",
        b"-1 {}",
        b"1_2 {}",
        b"1.5 {}",
        b"+1 {}",
        "٣ {}".encode(),
        b"9223372036854775808 {}",
    ],
)
def test_a_malformed_line_is_named_after_the_good_ones(tmp_path, line):
    path = tmp_path / "x.frames.gz"
    path.write_bytes(gzip.compress(b"1 first\n" + line + b"\n3 third\n"))
    rows = read_recording(path)
    assert next(rows) == (1, b"first")
    with pytest.raises(
        LakeError, match=r"x\.frames\.gz, line 2: .* is not '<ts_recv_ns> <payload>'"
    ):
        next(rows)


def test_a_file_that_is_missing_or_no_gzip_is_named(tmp_path):
    with pytest.raises(
        LakeError, match=r"x\.frames\.gz can't be read after line 0: .*No such file"
    ):
        next(read_recording(tmp_path / "x.frames.gz"))
    (tmp_path / "x.frames.gz").write_bytes(b"1 plain text\n")
    with pytest.raises(LakeError, match="after line 0: Not a gzipped file"):
        next(read_recording(tmp_path / "x.frames.gz"))


def test_a_file_cut_anywhere_gives_good_frames_and_then_an_error(tmp_path):
    rows = [(k, b"frame %d" % (k * k)) for k in range(50)]
    path = tmp_path / "x.frames.gz"
    write_recording(path, rows)
    whole = path.read_bytes()
    for size in range(1, len(whole)):
        path.write_bytes(whole[:size])
        read = []
        with pytest.raises(LakeError, match=r"x\.frames\.gz"):
            read.extend(read_recording(path))
        assert read == rows[: len(read)]


def test_a_damaged_stream_is_an_error_and_not_a_crash(tmp_path):
    path = tmp_path / "x.frames.gz"
    write_recording(path, [(k, b"frame %d" % (k * k)) for k in range(50)])
    whole = bytearray(path.read_bytes())
    for position in range(10, len(whole)):
        damaged = whole.copy()
        damaged[position] ^= 0xFF
        path.write_bytes(damaged)
        with pytest.raises(LakeError, match=r"x\.frames\.gz"):
            list(read_recording(path))


@pytest.mark.parametrize("frame", [(1, b"two\nlines"), (1, b""), (-1, b"x"), (2**63, b"x")])
def test_a_frame_that_no_line_can_hold_is_refused_and_nothing_written(tmp_path, frame):
    with pytest.raises(LakeError, match="frame 2 is empty, holds a line break or has no time"):
        write_recording(tmp_path / "x.frames.gz", [(1, b"good"), frame])
    assert list(tmp_path.iterdir()) == []


def test_every_recording_reads_and_writes_back_to_the_same_frames(recordings, tmp_path):
    counts = {}
    for path in sorted(recordings.glob("*/*.frames.gz")):
        rows = list(read_recording(path))
        counts[f"{path.parent.name}/{path.name.removesuffix('.frames.gz')}"] = len(rows)
        write_recording(tmp_path / path.name, rows)
        assert list(read_recording(tmp_path / path.name)) == rows
    assert counts["bybit_spot/btcusdt_book50_trades"] == 800
    assert counts["coinbase/btc-usd_level2_heartbeats"] == 110
    assert counts["coinbase_exchange/ten_products_2021"] == 5_000
    assert counts["kraken/btc-usd_book10"] == 377
    assert counts["kraken/btc-usd_book25"] == 2_104
