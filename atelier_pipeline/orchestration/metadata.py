"""What a person looks for on a materialisation: rows, bytes, span, losses, a sample, a plot.

Reads the files that a stage wrote, and writes nothing.
"""

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from atelier_pipeline.lake.meanings import meanings
from atelier_pipeline.lake.names import FileKind, LakeFile, Mode, parse_path
from atelier_pipeline.lake.reader import window_dataset
from atelier_pipeline.lake.writer import Written
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.orchestration.curves import (
    CURVES,
    depth,
    latencies,
    loss_bands,
    points,
    share_of,
    time_span,
)
from atelier_pipeline.orchestration.ledger import Ledger
from atelier_pipeline.orchestration.plots import bar_plot, heat_map, line_plot

Entry: TypeAlias = tuple[str, dg.MetadataValue[Any]]

SAMPLE_ROWS = 5
PLOTTED_FILES = 3
NS_PER_SEC = 1_000_000_000
NS_PER_MS = 1_000_000
EXACT = 2**53
_DATASETS = frozenset(Dataset)


def described(
    kind: FileKind, mode: Mode, written: Sequence[Written], ledger: Ledger
) -> dict[str, dg.MetadataValue[Any]]:
    """The metadata of one asset: of the files of `kind` among `written`, and their losses."""
    placed = [(parse_path(file.path), file) for file in written]
    places = [place for place, _ in placed if place.kind is kind]
    files = [file for place, file in placed if place.kind is kind]
    own = ledger.of_dataset(kind) if kind in _DATASETS else ledger
    return dict(
        [
            *_sizes(files),
            *_span(places, kind, mode),
            *_rates(places, kind, mode, own),
            *_losses(own),
            *_plots(places, kind, mode, own),
            *(_reception(own) if mode is Mode.RAW else ()),
            *_tables(files),
        ]
    )


def columns_of(kind: FileKind, mode: Mode) -> dict[str, dg.TableSchema]:
    """The columns of an asset's files, as Dagster shows them beside its lineage."""
    said = meanings(kind)
    columns = [
        dg.TableColumn(field.name, str(field.type), description=said[field.name])
        for field in kind.schema(mode)
    ]
    return {"dagster/column_schema": dg.TableSchema(columns)}


def table_of(rows: pa.Table) -> dg.TableMetadataValue:
    """Rows as the UI shows them; times as text, since Python's own have no nanoseconds."""
    texts = [
        column.cast(pa.string()) if pa.types.is_timestamp(column.type) else column
        for column in rows.columns
    ]
    return rows_table(pa.table(texts, names=rows.column_names).to_pylist())


def _sizes(files: Sequence[Written]) -> Iterator[Entry]:
    yield "rows", dg.MetadataValue.int(sum(file.rows for file in files))
    yield "bytes", dg.MetadataValue.int(sum(file.bytes for file in files))
    yield "files", dg.MetadataValue.int(len(files))


def _span(places: Sequence[LakeFile], kind: FileKind, mode: Mode) -> Iterator[Entry]:
    curves = CURVES.get((kind, mode))
    span = time_span([place.path for place in places], curves[0].time) if curves else None
    if span:
        yield "first", _time(span[0])
        yield "last", _time(span[1])


def _rates(
    places: Sequence[LakeFile], kind: FileKind, mode: Mode, ledger: Ledger
) -> Iterator[Entry]:
    """Events of the window per second, and how often the book is known."""
    if kind in _DATASETS and mode is Mode.RAW:
        seconds = (ledger.window.end_ns - ledger.window.start_ns) / NS_PER_SEC
        rate = round(ledger.total("events") / seconds, 3)
        yield "events per second", dg.MetadataValue.float(rate)
    if kind in {FileKind.SNAPSHOTS, FileKind.AGGREGATES}:
        share = share_of([place.path for place in places], "book_valid")
        if share is not None:
            yield "valid book (%)", dg.MetadataValue.float(round(share * 100, 3))


def _losses(ledger: Ledger) -> Iterator[Entry]:
    yield "losses", dg.MetadataValue.int(ledger.gaps.num_rows)
    if ledger.gaps.num_rows:
        causes = ", ".join(f"{count} {cause}" for cause, count in ledger.causes().items())
        yield "losses by cause", dg.MetadataValue.text(causes)


def _reception(ledger: Ledger) -> Iterator[Entry]:
    """How well the feed was received: the worst symbol's times, the sums of counts."""
    for column in ("latency_p50_ns", "latency_p99_ns", "clock_offset_ns"):
        value = ledger.largest(column)
        if value is not None:
            name = column.removesuffix("_ns").replace("_", " ")
            yield f"{name} (ms)", dg.MetadataValue.float(round(value / NS_PER_MS, 3))
    for column in ("verified", "rejected", "duplicates", "reconnects"):
        yield column, dg.MetadataValue.int(ledger.total(column))


def _plots(
    places: Sequence[LakeFile], kind: FileKind, mode: Mode, ledger: Ledger
) -> Iterator[Entry]:
    for place in places[:PLOTTED_FILES]:
        bands = loss_bands(ledger.of_file(place).gaps, ledger.window)
        for curve in CURVES.get((kind, mode), ()):
            plot = line_plot(points(place.path, curve, ledger.window), bands)
            yield f"{place.name}: {curve.label}", dg.MetadataValue.md(plot)
        if kind in _DATASETS and mode is Mode.RAW:
            plot = bar_plot(latencies(place.path), "1 ms", "10 s")
            yield f"{place.name}: latency", dg.MetadataValue.md(plot)
        if (kind, mode) == (FileKind.ORDERBOOKS, Mode.SYNC):
            plot = heat_map(depth(place.path, ledger.window))
            yield f"{place.name}: size by level, asks above bids", dg.MetadataValue.md(plot)


def _tables(files: Sequence[Written]) -> Iterator[Entry]:
    full = max(files, key=lambda file: file.rows, default=None)
    if full is None:
        return
    yield "sample", table_of(_sample(window_dataset(full.path)))
    columns = ("path", "rows", "bytes", "content_hash")
    yield (
        "written",
        rows_table([{name: getattr(file, name) for name in columns} for file in files]),
    )


def _sample(rows: ds.Dataset) -> pa.Table:
    """The first rows in which something happened: no opening state, no empty tick."""
    for column in ("opening", "filled"):
        if column in rows.schema.names:
            return rows.head(SAMPLE_ROWS, filter=~pc.field(column))
    return rows.head(SAMPLE_ROWS)


def rows_table(rows: Sequence[dict[str, Any]]) -> dg.TableMetadataValue:
    """Rows of one shape as the UI shows them."""
    records = [dg.TableRecord({name: _cell(value) for name, value in row.items()}) for row in rows]
    columns = [dg.TableColumn(name) for name in (rows[0] if rows else ())]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns))


def _cell(value: object) -> str | float | bool:
    """A value as the UI shows it right: browsers round integers beyond 2**53."""
    if isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < EXACT):
        return value
    return "" if value is None else str(value)


def _time(time_ns: int) -> dg.TimestampMetadataValue:
    return dg.MetadataValue.timestamp(time_ns / NS_PER_SEC)
