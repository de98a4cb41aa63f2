"""Ten functions for people: a list of market structs to one file, and back.

`write(rows, dir, mode) -> Path` names the file as everywhere in the lake, directly in `dir`; the
stamp is that of the first tick (sync) or of the first receive time (raw). A name that is taken is
never overwritten: the file takes the next millisecond that is free. `rows` are of one symbol of one
exchange: structs, or a table with the exact schema of the kind and mode. What a file can't keep is
refused with LakeError: no rows, two symbols, a schema that differs, a folder that can't be written.

`read(path)` gives the structs back; it raises LakeError for a file of another kind, a damaged or a
missing one. Of trades `is_history`, and of book messages `checksum`, `digits` and `depth` are not
kept.

`source` (live, simulated or replay) is needed where `dir` is a folder of a lake.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake.footer import Footer
from atelier_pipeline.lake.names import FileKind, FileName, Mode, file_name, parse_name
from atelier_pipeline.lake.reader import read_table
from atelier_pipeline.lake.structs import Book, Event, book_table, books, event_table, events
from atelier_pipeline.lake.writer import check_schema, write_table
from atelier_pipeline.market.events import NS_PER_MS, FundingRate, Liquidation, OpenInterest, Trade

_MOST_TRIES = 1000


def write_ob_parquet(
    rows: Sequence[Book] | pa.Table,
    dir: Path | str,  # noqa: A002 (the public name of this argument)
    mode: Mode | str,
    *,
    source: str = "",
) -> Path:
    """Write order books: raw takes Orderbook and NormalizedDelta, sync takes Orderbook alone.

    A book without levels is refused: no row could tell it from no book.
    """
    mode = _mode(mode)
    table = rows if isinstance(rows, pa.Table) else book_table(rows, mode)
    return _write(table, Path(dir), FileKind.ORDERBOOKS, mode, source)


def read_ob_parquet(path: Path | str) -> list[Book]:
    """Read order books: sync gives Orderbook for each tick.

    Raw gives each message as NormalizedDelta, the opening book among them; what was written from an
    Orderbook comes back as one.
    """
    return books(_read(path, FileKind.ORDERBOOKS), parse_name(Path(path).name).mode)


def write_trades_parquet_timestamped(
    rows: Sequence[Trade] | pa.Table,
    dir: Path | str,  # noqa: A002 (the public name of this argument)
    mode: Mode | str,
    *,
    source: str = "",
) -> Path:
    """Write trades; `grid_ts` of a sync file is null unless `rows` is a table that has it."""
    return _write_events(rows, dir, FileKind.TRADES, mode, source)


def read_trades_parquet(path: Path | str) -> list[Trade]:
    """Read trades, raw or sync."""
    return events(_read(path, FileKind.TRADES), Trade)


def write_liquidations_parquet_timestamped(
    rows: Sequence[Liquidation] | pa.Table,
    dir: Path | str,  # noqa: A002 (the public name of this argument)
    mode: Mode | str,
    *,
    source: str = "",
) -> Path:
    """Write liquidations; `grid_ts` of a sync file is null unless `rows` is a table that has it."""
    return _write_events(rows, dir, FileKind.LIQUIDATIONS, mode, source)


def read_liquidations_parquet(path: Path | str) -> list[Liquidation]:
    """Read liquidations, raw or sync."""
    return events(_read(path, FileKind.LIQUIDATIONS), Liquidation)


def write_funding_parquet_timestamped(
    rows: Sequence[FundingRate] | pa.Table,
    dir: Path | str,  # noqa: A002 (the public name of this argument)
    mode: Mode | str,
    *,
    source: str = "",
) -> Path:
    """Write funding rates; `grid_ts` of a sync file is null unless `rows` is a table with it."""
    return _write_events(rows, dir, FileKind.FUNDINGS, mode, source)


def read_funding_parquet(path: Path | str) -> list[FundingRate]:
    """Read funding rates, raw (without the opening state) or sync."""
    return events(_read(path, FileKind.FUNDINGS), FundingRate)


def write_oi_parquet_timestamped(
    rows: Sequence[OpenInterest] | pa.Table,
    dir: Path | str,  # noqa: A002 (the public name of this argument)
    mode: Mode | str,
    *,
    source: str = "",
) -> Path:
    """Write open interest; `grid_ts` of a sync file is null unless `rows` is a table with it."""
    return _write_events(rows, dir, FileKind.OPEN_INTERESTS, mode, source)


def read_oi_parquet(path: Path | str) -> list[OpenInterest]:
    """Read open interest, raw (without the opening state) or sync."""
    return events(_read(path, FileKind.OPEN_INTERESTS), OpenInterest)


def _write_events(
    rows: Sequence[Event] | pa.Table,
    folder: Path | str,
    kind: FileKind,
    mode: Mode | str,
    source: str,
) -> Path:
    mode = _mode(mode)
    table = rows if isinstance(rows, pa.Table) else event_table(rows, kind, mode)
    return _write(table, Path(folder), kind, mode, source)


def _write(table: pa.Table, folder: Path, kind: FileKind, mode: Mode, source: str) -> Path:
    check_schema(table.schema, kind.schema(mode), f"{mode} {kind}")
    if not table.num_rows:
        raise LakeError(f"no {kind} to write to {folder}: a file is named after its first row")
    footer = Footer(exchange=_only(table, "exchange"), symbol=_only(table, "symbol"), source=source)
    first_ns, name = _first_time(table, mode), file_name(footer.symbol)
    for later in range(_MOST_TRIES):
        path = folder / str(FileName(name, kind, mode, first_ns + later * NS_PER_MS))
        if not path.exists():
            with suppress(FileExistsError):
                return write_table(table, path, footer, replace=False).path
    raise LakeError(f"{folder} has a file of {name} for each of {_MOST_TRIES} ms after {first_ns}")


def _read(path: Path | str, kind: FileKind) -> pa.Table:
    found = parse_name(Path(path).name).kind
    if found is not kind:
        raise LakeError(f"{path} holds {found}, not {kind}")
    return read_table(Path(path))


def _mode(mode: Mode | str) -> Mode:
    if mode not in tuple(Mode):
        raise LakeError(f"mode {mode!r} is neither 'raw' nor 'sync'")
    return Mode(mode)


def _only(table: pa.Table, column: str) -> str:
    values = pc.unique(table[column]).to_pylist()
    if len(values) != 1 or values[0] is None:
        raise LakeError(f"one file holds one {column}, not {values}")
    return values[0]


def _first_time(table: pa.Table, mode: Mode) -> int:
    """The first row's time in UTC ns: its tick or its receive time, else that of the event."""
    wanted = ("grid_ts", "ts_event", "ts_recv") if mode is Mode.SYNC else ("ts_recv", "ts_event")
    first = table.slice(0, 1)
    for column in wanted:
        if not first[column].null_count:
            return first[column].cast(pa.int64())[0].as_py()
    raise LakeError(f"the first row has none of {', '.join(wanted)}: nothing to name a file after")
