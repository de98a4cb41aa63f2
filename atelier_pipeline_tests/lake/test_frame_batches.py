"""Frames as record batches."""

from atelier_pipeline.lake.frame_batches import frames_batch
from atelier_pipeline.lake.schemas import FRAMES


def test_frames_are_numbered_rows_in_their_order():
    batch = frames_batch([(5, 2, "opened", b"{}"), (2**62, 2**32 - 1, "binary", b"\xff")], 2**63)
    assert batch.schema == FRAMES
    rows = [
        column.cast("int64") if name == "ts_recv" else column
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    ]
    assert [column.to_pylist() for column in rows] == [
        [2**63, 2**63 + 1],
        [5, 2**62],
        [2, 2**32 - 1],
        ["opened", "binary"],
        [b"{}", b"\xff"],
    ]


def test_no_frames_are_no_rows():
    assert frames_batch([], 7).num_rows == 0
    assert frames_batch([], 7).schema == FRAMES
