"""A batch of frames as columns, and as lists for the frames that are read one by one."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from atelier_pipeline.decode.columns import Flags, Ints
from atelier_pipeline.decode.links import NO_LINK
from atelier_pipeline.exchanges.inexact import EXACT_DIGITS
from atelier_pipeline.lake.journal import FrameKind

RECEIVED = frozenset({FrameKind.TEXT.value, FrameKind.BINARY.value})

_DIGITS_TO_0 = bytes.maketrans(b"0123456789.", b"0" * 11)
_LONG_NUMBER = b"0" * (EXACT_DIGITS + 1)


@dataclass(frozen=True, slots=True)
class FrameColumns:
    """The columns of a batch but its payloads; arrays of one length.

    Attributes:
        seq, connection: as in FRAMES.
        ts_recv: UTC ns, 0 = not known.
        is_received: the frame came from the exchange.
        size: payload bytes.
        link: the frame's link; NO_LINK until it is filled in.
    """

    seq: Ints
    connection: Ints
    ts_recv: Ints
    is_received: Flags
    size: Ints
    link: Ints

    @classmethod
    def of(cls, batch: pa.RecordBatch) -> "FrameColumns":
        """The columns of a batch of schema FRAMES."""
        payload: Any = batch["payload"]
        return cls(
            seq=_int64(batch["seq"]),
            connection=_int64(batch["connection"]),
            ts_recv=_int64(batch["ts_recv"]),
            is_received=pc.is_in(batch["kind"], pa.array(sorted(RECEIVED))).to_numpy(
                zero_copy_only=False
            ),
            size=_int64(pc.binary_length(payload)),
            link=np.full(batch.num_rows, NO_LINK),
        )


def _int64(column: "pa.Array[Any]") -> Ints:
    return column.cast(pa.int64()).to_numpy()


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
