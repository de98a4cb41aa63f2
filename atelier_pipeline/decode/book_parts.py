"""Order book messages in the order of their frames, whichever way they were read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from atelier_pipeline.decode.columns import Ints, columns_taken
from atelier_pipeline.market.book import BookColumns


@dataclass(frozen=True, slots=True)
class BookPart:
    """Book messages of one symbol and their frames.

    In `columns` the times are the exchange's own, 0 where there is none.
    """

    frame: Ints
    columns: BookColumns


def places_of(numbers: Ints) -> Iterator[tuple[int, Ints]]:
    """(number, places where it stands, ascending) for each number from 0 on."""
    order = np.argsort(numbers, kind="stable")
    found, starts = np.unique(numbers[order], return_index=True)
    ends = [*starts[1:].tolist(), len(order)]
    for number, start, end in zip(found.tolist(), starts.tolist(), ends, strict=True):
        if number >= 0:
            yield number, order[start:end]


def joined_parts(parts: Sequence[BookPart]) -> BookPart:
    """Parts, at least one, as one in the order of their frames."""
    if len(parts) == 1:
        return parts[0]
    frame = np.concatenate([part.frame for part in parts])
    columns = _joined([part.columns for part in parts])
    if np.all(frame[1:] >= frame[:-1]):
        return BookPart(frame, columns)
    order = np.argsort(frame, kind="stable")
    return BookPart(frame[order], columns_taken(columns, order))


def _joined(parts: Sequence[BookColumns]) -> BookColumns:
    firsts = np.cumsum([0, *(len(part.price) for part in parts)])
    offsets = [part.offsets[:-1] + first for part, first in zip(parts, firsts, strict=False)]
    names = [each.name for each in fields(BookColumns) if each.name not in {"offsets", "digits"}]
    return BookColumns(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names},
        offsets=np.concatenate([*offsets, firsts[-1:]]),
        digits=_joined_digits(parts),
    )


def _joined_digits(parts: Sequence[BookColumns]) -> NDArray[np.uint64]:
    """Digits of all levels, 0 for those of a part without; none where no part has any."""
    if not any(len(part.digits) for part in parts):
        return np.empty((0, 2), np.uint64)
    return np.concatenate(
        [
            part.digits if len(part.digits) else np.zeros((len(part.price), 2), np.uint64)
            for part in parts
        ]
    )
