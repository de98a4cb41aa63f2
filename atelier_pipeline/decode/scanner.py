"""Frames of known shapes as columns, a whole batch at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from atelier_pipeline.decode import scan_kernel as kernel
from atelier_pipeline.decode.columns import Flags, Ints
from atelier_pipeline.decode.scan_values import MOST_DIGITS
from atelier_pipeline.exchanges.shapes import BookShape, Field, LevelField, Step, steps_of
from atelier_pipeline.market.book import BookColumns

Column: TypeAlias = "pa.Array[Any]"

_SHORTEST_LEVEL = len('["1","1"]')
_POWERS = 10.0 ** np.arange(MOST_DIGITS)


@dataclass(frozen=True, slots=True)
class Scanned:
    """The frames of a batch that have a known shape, each with one order book message.

    Attributes:
        row: int64[n], which rows of the batch they are, ascending.
        symbol: int64[n], index among the scanner's symbols, -1 = none of them.
        depth: int64[n], of the feed, -1 = the exchange doesn't say it.
        number: int64[n], the frame's number on its connection, -1 = it has none.
        inexact: int64[n], values of more digits than a float64 holds.
        columns: the messages; their times are the exchange's own, 0 where it sent none.
    """

    row: Ints
    symbol: Ints
    depth: Ints
    number: Ints
    inexact: Ints
    columns: BookColumns


class Scanner:
    """Reads frames by the shapes of one exchange, for some symbols as the feed names them."""

    def __init__(self, shapes: Sequence[BookShape], symbols: Sequence[str]) -> None:
        self._programs = _programs(shapes)
        self._is_snapshot = np.array([shape.is_snapshot for shape in shapes], np.bool_)
        self._restarted_id = np.array([shape.restarted_id for shape in shapes], np.int64)
        self._depth = np.array([shape.depth for shape in shapes], np.int64)
        self._has_digits = any(shape.holds_checksum for shape in shapes)
        names = np.array([symbol.encode() for symbol in symbols], np.bytes_)
        self._order = np.argsort(names)
        self._names = names[self._order]

    def scan(self, payloads: Column, is_wanted: Flags) -> Scanned:
        """The wanted frames that have a shape."""
        wanted = np.flatnonzero(is_wanted)
        frames = _frames(payloads, wanted)
        size = int(np.sum(frames.ends - frames.starts))
        found = kernel.Found(
            told=np.empty((len(wanted), len(Field)), np.int64),
            symbols=np.empty((len(wanted), kernel.SYMBOL_BYTES), np.uint8),
            levels=np.empty((len(LevelField), size // _SHORTEST_LEVEL + 1), np.int64),
        )
        used = kernel.scan(frames, self._programs, found)
        has_shape = found.told[:, Field.SHAPE] >= 0
        told = np.ascontiguousarray(found.told[has_shape].T)
        return Scanned(
            row=wanted[has_shape],
            symbol=self._symbols(found.symbols[has_shape]),
            depth=self._depth[told[Field.SHAPE]],
            number=told[Field.NUMBER],
            inexact=told[Field.INEXACT],
            columns=self._columns(told, _bids_first(found.levels[:, :used], told[Field.FIRST])),
        )

    def _columns(self, told: NDArray[np.int64], levels: NDArray[np.int64]) -> BookColumns:
        shape, update_id = told[Field.SHAPE], told[Field.UPDATE_ID]
        restarted = (update_id == self._restarted_id[shape]) & (update_id >= 0)
        digits = levels[[LevelField.PRICE, LevelField.SIZE]].T.astype(np.uint64)
        return BookColumns(
            ts_event=told[Field.TIME],
            ts_recv=told[Field.TIME],
            update_id=update_id,
            is_snapshot=self._is_snapshot[shape] | restarted,
            checksum=told[Field.CHECKSUM],
            offsets=np.append(told[Field.FIRST], levels.shape[1]),
            is_bid=levels[LevelField.SIDE].astype(np.bool_),
            price=levels[LevelField.PRICE] / _POWERS[levels[LevelField.PRICE_DECIMALS]],
            size=levels[LevelField.SIZE] / _POWERS[levels[LevelField.SIZE_DECIMALS]],
            digits=digits if self._has_digits else np.empty((0, 2), np.uint64),
        )

    def _symbols(self, letters: NDArray[np.uint8]) -> Ints:
        """The numbers of the symbols that some frames name."""
        texts = letters.view(f"S{kernel.SYMBOL_BYTES}").ravel()
        if not len(self._names):
            return np.full(len(texts), -1)
        place = np.minimum(np.searchsorted(self._names, texts), len(self._names) - 1)
        return np.where(self._names[place] == texts, self._order[place], -1)


def _bids_first(levels: NDArray[np.int64], firsts: Ints) -> NDArray[np.int64]:
    """The levels with each frame's bids before its asks, each in the order they were sent in."""
    count = levels.shape[1]
    owner = np.repeat(np.arange(len(firsts)), np.diff(np.append(firsts, count)))
    place = 2 * owner + 1 - levels[LevelField.SIDE]
    if np.all(place[1:] >= place[:-1]):
        return levels
    return levels[:, np.argsort(place, kind="stable")]


def _frames(column: Column, wanted: Ints) -> kernel.Frames:
    """Some values of an Arrow column; their memory is not copied."""
    _, offsets, letters = column.buffers()
    edges = _view(offsets).view(np.int32)[column.offset :].astype(np.int64)
    return kernel.Frames(_view(letters), edges[wanted], edges[wanted + 1])


def _view(buffer: pa.Buffer | None) -> NDArray[np.uint8]:
    """Arrow leaves out the buffer where a column has no data."""
    return np.empty(0, np.uint8) if buffer is None else np.frombuffer(memoryview(buffer), np.uint8)


def _programs(shapes: Sequence[BookShape]) -> kernel.Programs:
    table: list[list[int]] = []
    firsts: list[int] = []
    literals = bytearray()

    def row_of(step: Step) -> list[int]:
        row = [int(step.op), *step.numbers]
        for text in step.literals:
            row += [len(literals), len(text)]
            literals.extend(text)
        return row + [0] * (5 - len(row))

    for shape in shapes:
        firsts.append(len(table))
        table += map(row_of, steps_of(shape))
    return kernel.Programs(
        steps=np.array(table, np.int64).reshape(-1, 5),
        literals=np.frombuffer(bytes(literals), np.uint8),
        firsts=np.array(firsts, np.int64),
    )
