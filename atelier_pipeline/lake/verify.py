"""Proving what lies in a lake: a file against itself, the ticks of a market against their index.

Nothing here repairs anything, and no rule about markets is applied: see validate/.
"""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake.content import ContentHasher
from atelier_pipeline.lake.names import FileKind, LakeFile, Mode, find_files, parse_name
from atelier_pipeline.lake.reader import count_rows, iterate, read_footer, read_pieces, read_table
from atelier_pipeline.lake.schemas import SCHEMA_VERSION
from atelier_pipeline.lake.ticks import TickRange, tick_batches

_SYNC_ORDER = ("grid_ts",)
_EVENT_ORDER = ("ts_event", "ts_recv")
_COUNTS: dict[FileKind, tuple[str, ...]] = {
    FileKind.ORDERBOOKS: ("bid_levels", "ask_levels"),
    FileKind.TRADES: ("n_trades",),
    FileKind.LIQUIDATIONS: ("n_liquidations",),
}
"""The columns of the index that say how many rows of a kind a tick has."""


def verify_file(path: Path) -> int:
    """Read all of a file, a batch at a time; the number of its rows.

    Raises LakeError unless it opens, has the schema that its name asks for, as many rows as its
    footer counts, in order, and values of the hash that its footer promises.
    """
    name, footer = parse_name(path.name), read_footer(path)
    if footer.schema_version != SCHEMA_VERSION:
        raise LakeError(
            f"{path} has schema {footer.schema_version}, not {SCHEMA_VERSION}: its hash was made "
            "in another way; materialise its window again"
        )
    hasher, order = ContentHasher(name.schema), _Order(path)
    rows = 0
    for batch in iterate(path):
        hasher.update(batch)
        order.check(batch)
        rows += batch.num_rows
    found = hasher.hexdigest()
    if found != footer.content_hash:
        raise LakeError(f"{path} holds values of hash {found}, its footer: {footer.content_hash}")
    if rows != count_rows(path):
        raise LakeError(f"{path} has {rows} rows, its footer counts {count_rows(path)}")
    return rows


def newest_files(lake: Path, exchange: str, symbol: str) -> list[LakeFile]:
    """The newest file of each kind and mode that `lake` has of a symbol, in the order of kinds."""
    places = [(k, m) for k in FileKind if k is not FileKind.FRAMES for m in k.modes]
    found = (find_files(lake, kind, mode, exchange, symbol) for kind, mode in places)
    return [files[-1] for files in found if files]


def verify_ticks(lake: Path, exchange: str, symbol: str, index: Path) -> int:
    """Count the sync rows of every tick of the snapshots file `index`; the number of its ticks.

    Raises LakeError where a tick has more or fewer rows of a kind than the index counts.
    """
    columns = list(dict.fromkeys(chain(("grid_ts",), *_COUNTS.values())))
    table = read_table(index, columns)
    grid = _integers(table, "grid_ts")
    if not len(grid):
        return 0
    ticks = TickRange(int(grid[0]) - 1, int(grid[-1]))
    for kind, counts in _COUNTS.items():
        promised = np.sum([_integers(table, column) for column in counts], axis=0)
        batches = tick_batches(lake, kind, exchange, symbol, ticks)
        found = sum((_rows_by_tick(batch, grid) for batch in batches), np.zeros_like(grid))
        _compare(index, kind, grid, promised, found)
    return len(grid)


def _rows_by_tick(batch: pa.RecordBatch, grid: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many rows each tick of `grid` has; a row between ticks counts for the one before it."""
    places = np.searchsorted(grid, _integers(batch, "grid_ts"), "right") - 1
    return np.bincount(places, minlength=len(grid))


def _compare(
    index: Path,
    kind: FileKind,
    grid: NDArray[np.int64],
    promised: NDArray[np.int64],
    found: NDArray[np.int64],
) -> None:
    wrong = np.flatnonzero(promised != found)
    if len(wrong):
        first = int(wrong[0])
        raise LakeError(
            f"{index} counts {promised[first]} rows of {kind} at the tick "
            f"{np.datetime64(int(grid[first]), 'ns')} UTC, the lake has {found[first]}; "
            f"{len(wrong):,} of {len(grid):,} ticks differ"
        )


class _Order:
    """What the rows of a file are sorted by, checked over its batches.

    In a compacted file each piece has an order of its own: it may begin with opening rows.
    """

    def __init__(self, path: Path) -> None:
        name = parse_name(path.name)
        self._path, self._columns = path, _order(name.kind, name.mode)
        self._starts = np.cumsum([piece.rows for piece in read_pieces(path)])
        self._strict = name.kind in {FileKind.SNAPSHOTS, FileKind.AGGREGATES, FileKind.FRAMES}
        self._last: list[NDArray[np.int64]] = []
        self._rows = 0

    def check(self, batch: pa.RecordBatch) -> None:
        """Raise LakeError where a row is smaller than the one before it."""
        if not self._columns or not batch.num_rows:
            return
        keys = [_integers(batch, column) for column in self._columns]
        last = self._last or [key[:0] for key in keys]
        whole = [np.concatenate(pair) for pair in zip(last, keys, strict=True)]
        wrong = np.flatnonzero(_descends(whole, strict=self._strict))
        rows = np.setdiff1d(self._rows - len(last[0]) + 1 + wrong, self._starts)
        if len(rows):
            columns = ", ".join(self._columns)
            raise LakeError(f"{self._path} is not sorted by {columns}: see its row {rows[0]}")
        self._last = [key[-1:] for key in keys]
        self._rows += batch.num_rows


def _order(kind: FileKind, mode: Mode) -> tuple[str, ...]:
    if kind is FileKind.FRAMES:
        return ("seq",)
    if kind is FileKind.AGGREGATES:
        return ("ts_ns",)
    if kind in {FileKind.GAPS, FileKind.CAPTURES}:
        return ()
    if mode is Mode.SYNC:
        return _SYNC_ORDER
    return ("message",) if kind is FileKind.ORDERBOOKS else _EVENT_ORDER


def _descends(keys: Sequence[NDArray[np.int64]], *, strict: bool) -> NDArray[np.bool_]:
    """Where a row comes before the one above it, by the first key that differs."""
    equal = np.ones(len(keys[0]) - 1, bool)
    wrong = np.zeros(len(keys[0]) - 1, bool)
    for key in keys:
        step = np.diff(key)
        wrong |= equal & (step < 0)
        equal &= step == 0
    return wrong | equal if strict else wrong


def _integers(rows: pa.RecordBatch | pa.Table, column: str) -> NDArray[np.int64]:
    """A column as int64; 0 for null."""
    values: Any = pc.fill_null(rows[column].cast(pa.int64()), pa.scalar(0, pa.int64()))
    return np.asarray(values)
