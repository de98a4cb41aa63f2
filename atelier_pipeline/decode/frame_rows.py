"""A batch of frames as lists, since frames are read one by one."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import pyarrow as pa

from atelier_pipeline.exchanges.inexact import EXACT_DIGITS

_DIGITS_TO_0 = bytes.maketrans(b"0123456789.", b"0" * 11)
_LONG_NUMBER = b"0" * (EXACT_DIGITS + 1)


class FrameRows(NamedTuple):
    """The columns of FRAMES as lists of one length; `ts_recv` is UTC ns, 0 = not known."""

    seq: list[int]
    ts_recv: list[int]
    connection: list[int]
    kind: list[str]
    payload: list[bytes]


def frame_rows(batch: pa.RecordBatch) -> FrameRows:
    """The rows of a batch of schema FRAMES."""
    columns: dict[str, Any] = {name: batch.column(name) for name in FrameRows._fields}
    columns["ts_recv"] = columns["ts_recv"].cast(pa.int64())
    return FrameRows(**{name: column.to_pylist() for name, column in columns.items()})


def rows_with_long_numbers(payloads: Sequence[bytes]) -> Iterator[int]:
    """The rows in which more than 15 digits and points follow one another, in order.

    Only these can hold a number that a float64 does not hold exactly. One search over all payloads:
    most batches have no such row, or few.
    """
    text = b"\n".join(payloads).translate(_DIGITS_TO_0)
    starts = [0, *accumulate(len(payload) + 1 for payload in payloads)]
    found = text.find(_LONG_NUMBER)
    while found >= 0:
        row = bisect_right(starts, found) - 1
        yield row
        found = text.find(_LONG_NUMBER, starts[row + 1])
