"""Raw files again from their frames: is what the lake holds what this decoder makes of them?

The frames carry the manifest that they were captured with, so that this works on any machine.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa

from atelier_pipeline import pipeline
from atelier_pipeline.lake.content import content_hash
from atelier_pipeline.lake.journal import Journal
from atelier_pipeline.lake.journal_seal import read_frames
from atelier_pipeline.lake.names import FileKind, Mode, lake_path
from atelier_pipeline.lake.reader import read_footer, read_table
from atelier_pipeline.manifest import Collector, parse_collector
from atelier_pipeline.settings import Settings

_TIMES_ALIKE = "occurrence"


@dataclass(frozen=True, slots=True)
class Difference:
    """Rows of one file that only the lake holds, and rows that only decoding again gives.

    Attributes:
        path: the lake's file.
        kind: its kind.
        is_missing: the lake has no such file; then all rows are new.
        only_in_lake, only_redecoded: those rows, schema of the file, in their order.
    """

    path: Path
    kind: FileKind
    is_missing: bool
    only_in_lake: pa.Table
    only_redecoded: pa.Table

    def __str__(self) -> str:
        if self.is_missing:
            return f"missing, decoding gives {self.only_redecoded.num_rows:,} rows"
        counts = self.only_in_lake.num_rows, self.only_redecoded.num_rows
        if counts == (0, 0):
            return "the same rows in another order"
        return f"{counts[0]:,} rows only in the lake, {counts[1]:,} only when decoded again"


@dataclass(frozen=True, slots=True)
class Redecoded:
    """One window decoded again: how many files are the same, and those that are not."""

    collector: Collector
    frames: Path
    same: int
    differences: tuple[Difference, ...]


def redecode(frames: Path, lake: Path, *, write: bool = False) -> Redecoded:
    """Decode the sealed frames of a window and compare with the lake's raw files.

    With `write`, files of a window that differs are replaced, all by rename; sync files and what
    follows are not: materialise them again. Raises LakeError where the frames can't be read, and
    SettingsError where their manifest can't be used.
    """
    journal = read_frames(frames)
    meta = journal.meta
    collector = parse_collector(meta.collector, meta.manifest, str(frames))
    whole = meta.source == "replay"
    found = list(_compared(collector, journal, lake, whole=whole))
    differences = tuple(each for each in found if each is not None)
    if write and differences:
        settings = Settings(lake=lake, journal=frames.parent)
        pipeline.seal(collector, meta.window, settings, whole=whole)
    return Redecoded(collector, frames, len(found) - len(differences), differences)


def rows_only_in(these: pa.Table, others: pa.Table) -> pa.Table:
    """The rows of `these` that `others` lacks, in their order; equal rows are counted."""
    mine, theirs = (_numbered(pl.DataFrame(table)) for table in (these, others))
    lacking = mine.join(
        theirs, on=mine.columns, how="anti", nulls_equal=True, maintain_order="left"
    )
    return lacking.drop(_TIMES_ALIKE).to_arrow().cast(these.schema)


def _numbered(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with a number among those that are equal to them."""
    return rows.with_columns(pl.int_range(pl.len()).over(rows.columns).alias(_TIMES_ALIKE))


def _compared(
    collector: Collector, journal: Journal, lake: Path, *, whole: bool
) -> Iterator[Difference | None]:
    """For each raw file of the window its difference; None where there is none."""
    window = journal.meta.window
    sealed = pipeline.decoded(collector, window, journal, whole=whole)
    exchange = collector.exchange.name
    for symbol in collector.symbols:
        for kind, table in pipeline.raw_tables(sealed, symbol).items():
            path = lake_path(lake, exchange, symbol, kind, Mode.RAW, window.start_ns)
            yield _difference(path, kind, table)


def _difference(path: Path, kind: FileKind, table: pa.Table) -> Difference | None:
    if not path.exists():
        return Difference(path, kind, True, table.slice(0, 0), table)  # noqa: FBT003 - a field
    if read_footer(path).content_hash == content_hash(table):
        return None
    held = read_table(path)
    only = rows_only_in(held, table), rows_only_in(table, held)
    return Difference(path, kind, False, *only)  # noqa: FBT003 - a field
