"""What the lake holds of one collector's day: captures, losses, valid books, what was derived.

Reads files, judges nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from atelier_pipeline.lake.names import FileKind, LakeFile, Mode, find_files, lake_path, parse_name
from atelier_pipeline.lake.reader import read_pieces, read_table, read_window, window_exists
from atelier_pipeline.manifest import Collector
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.window import Window

NS_PER_MINUTE = 60 * 1_000_000_000
NS_PER_DAY = 1440 * NS_PER_MINUTE


class Feed(NamedTuple):
    """One dataset of one symbol."""

    symbol: str
    dataset: str


class Loss(NamedTuple):
    """One loss in one window: UTC ns, the end exclusive; `detail` in words, or nothing."""

    cause: str
    start_ns: int
    end_ns: int
    detail: str


class FailedRule(NamedTuple):
    """A rule that rows of a window offend, of one dataset or of the window's whole stage."""

    t0_ns: int
    stage: str
    rule: str
    dataset: str | None
    blocking: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFacts:
    """One collector's day.

    Attributes:
        feeds: what the manifest asks for or anything was captured of, by symbol.
        windows: the windows that tile the day.
        captures: rows of CAPTURES by feed and t0, times in UTC ns; with the last of the day before.
        losses: rows of GAPS under which something was lost, by feed and t0.
        books: share of ticks with a valid book, 0 to 1, by symbol and t0.
        derived: symbol and t0 of the windows that have aggregates.
        failed: rules that failed.
        now_ns: when this was read, UTC ns.
    """

    collector: str
    exchange: str
    source: str
    feeds: tuple[Feed, ...]
    windows: tuple[Window, ...]
    captures: Mapping[tuple[Feed, int], Mapping[str, Any]]
    losses: Mapping[tuple[Feed, int], tuple[Loss, ...]]
    books: Mapping[tuple[str, int], float]
    derived: frozenset[tuple[str, int]]
    failed: tuple[FailedRule, ...]
    now_ns: int

    @classmethod
    def read(
        cls,
        lake: Path,
        collector: Collector,
        windows: tuple[Window, ...],
        failed: Iterable[FailedRule],
        now_ns: int,
    ) -> "DayFacts":
        """What `lake` holds of the day that `windows` tile; without files, nothing.

        Raises:
            LakeError: a file is damaged.
        """
        place = _Place(lake, collector, windows)
        captures = {_key(row): row for row in place.captures()}
        wanted = [
            Feed(s, d) for s in collector.symbols for d in Dataset if d in collector.datasets[s]
        ]
        first_ns = windows[0].start_ns
        found = sorted({feed for feed, t0_ns in captures if t0_ns >= first_ns} - set(wanted))
        return cls(
            collector=collector.name,
            exchange=collector.exchange.name,
            source=collector.source,
            feeds=(*wanted, *found),
            windows=windows,
            captures=captures,
            losses=_losses(place.rows(FileKind.GAPS), captures.values()),
            books=place.books(),
            derived=frozenset(place.derived()),
            failed=tuple(failed),
            now_ns=now_ns,
        )


def day_windows(day_ns: int, window_minutes: int) -> tuple[Window, ...]:
    """The windows that tile the day that begins at `day_ns` (UTC ns)."""
    length = window_minutes * NS_PER_MINUTE
    starts = range(day_ns, day_ns + NS_PER_DAY, length)
    return tuple(Window(start, start + length) for start in starts)


@dataclass(frozen=True, slots=True)
class _Place:
    """The files of one collector's day, in pieces or compacted."""

    lake: Path
    collector: Collector
    windows: tuple[Window, ...]

    def captures(self) -> Iterator[dict[str, Any]]:
        """Rows of CAPTURES, those of the window before the day first."""
        first = self.windows[0]
        before_ns = 2 * first.start_ns - first.end_ns
        for symbol in self.collector.symbols:
            path = lake_path(
                self.lake, self._exchange, symbol, FileKind.CAPTURES, Mode.RAW, before_ns
            )
            if window_exists(path):
                yield from _records(read_window(path))
        yield from self.rows(FileKind.CAPTURES)

    def rows(self, kind: FileKind) -> Iterator[dict[str, Any]]:
        """All rows of the day's raw files of a kind, times in UTC ns."""
        for symbol in self.collector.symbols:
            for file in self._files(kind, Mode.RAW, symbol):
                yield from _records(read_table(file.path))

    def books(self) -> dict[tuple[str, int], float]:
        """Share of ticks with a valid book by symbol and t0."""
        starts = np.array([window.start_ns for window in self.windows])
        shares: dict[tuple[str, int], float] = {}
        for symbol in self.collector.symbols:
            for file in self._files(FileKind.SNAPSHOTS, Mode.SYNC, symbol):
                ticks = read_table(file.path, ["grid_ts", "book_valid"])
                times = ticks["grid_ts"].cast(pa.int64()).to_numpy()
                places = np.searchsorted(starts, times - 1, side="right") - 1
                counts = np.bincount(places, minlength=starts.size)
                valid = np.bincount(places, ticks["book_valid"].to_numpy(), starts.size)
                for index in np.flatnonzero(counts).tolist():
                    shares[symbol, int(starts[index])] = float(valid[index] / counts[index])
        return shares

    def derived(self) -> Iterator[tuple[str, int]]:
        """Symbol and t0 of the windows that have aggregates."""
        for symbol in self.collector.symbols:
            for file in self._files(FileKind.AGGREGATES, Mode.SYNC, symbol):
                pieces = [parse_name(piece.name).t0_ns for piece in read_pieces(file.path)]
                yield from ((symbol, t0_ns) for t0_ns in pieces or [file.t0_ns])

    @property
    def _exchange(self) -> str:
        return self.collector.exchange.name

    def _files(self, kind: FileKind, mode: Mode, symbol: str) -> list[LakeFile]:
        day = Window(self.windows[0].start_ns, self.windows[-1].end_ns)
        return find_files(self.lake, kind, mode, self._exchange, symbol, day)


def _records(table: pa.Table) -> list[dict[str, Any]]:
    """Rows with times as UTC ns, which Python's own times can't hold."""
    columns = [c.cast(pa.int64()) if pa.types.is_timestamp(c.type) else c for c in table.columns]
    return pa.table(columns, names=table.column_names).to_pylist()


def _key(row: Mapping[str, Any]) -> tuple[Feed, int]:
    return Feed(row["symbol"], row["dataset"]), row["window_start"]


def _losses(
    gaps: Iterable[Mapping[str, Any]], captures: Iterable[Mapping[str, Any]]
) -> dict[tuple[Feed, int], tuple[Loss, ...]]:
    """Losses by feed and the window whose capture saw them; a row with 0 lost is a note."""
    opened = {row["capture_id"]: row["window_start"] for row in captures}
    losses: dict[tuple[Feed, int], tuple[Loss, ...]] = {}
    for row in gaps:
        if row["lost"] != 0:
            loss = Loss(row["cause"], row["ts_start"], row["ts_end"], row["detail"] or "")
            key = Feed(row["symbol"], row["dataset"]), opened[row["capture_id"]]
            losses[key] = (*losses.get(key, ()), loss)
    return losses
