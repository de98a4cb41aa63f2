"""Frames of a capture as record batches of schema FRAMES."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from atelier_pipeline.lake.schemas import FRAMES, UTC_NS

Frame: TypeAlias = tuple[int, int, str, bytes]
"""ts_recv in UTC ns, connection, kind, payload."""


def frames_batch(frames: Sequence[Frame], first_seq: int) -> pa.RecordBatch:
    """The frames, numbered from `first_seq` on.

    Column by column: rows, or an iterator for each of them, would be objects that Python's cycle
    collector looks through again and again, and cost several times as much.
    """
    count = len(frames)
    columns = [
        pa.array(np.arange(first_seq, first_seq + count, dtype=np.uint64)),
        pa.array(np.fromiter((frame[0] for frame in frames), np.int64, count)).view(UTC_NS),
        pa.array(np.fromiter((frame[1] for frame in frames), np.uint32, count)),
        pa.array([frame[2] for frame in frames], pa.string()),
        pa.array([frame[3] for frame in frames], pa.binary()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=FRAMES)
