"""Market aggregates from the lake, as one table for research."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import pyarrow as pa

from atelier_pipeline.aggregate import with_zeros
from atelier_pipeline.lake.names import FileKind
from atelier_pipeline.lake.schemas import AGGREGATES
from atelier_pipeline.lake.ticks import Time, require_ticks, tick_range

Missing: TypeAlias = Literal["null", "zero"]


def read_aggregates(
    lake: Path | str,
    exchange: str,
    symbols: str | Sequence[str],
    start: Time | None = None,
    end: Time | None = None,
    *,
    missing: Missing = "null",
) -> pa.Table:
    """The aggregates of some symbols over [start, end): schema AGGREGATES, symbol by symbol.

    As in a window, these are the ticks stamped start + P … end. A time is a datetime with a zone
    or an int of UTC ns; None is no limit. `missing="zero"` gives features that are null the value
    0, as atelier-data does: a price of 0 is then no price. Raises LakeError for an exchange, symbol
    or range that the lake has no ticks of, and for files that overlap or are damaged; ValueError
    for another `missing`, and for no symbol at all.
    """
    if missing not in {"null", "zero"}:
        raise ValueError(f"missing={missing!r} is neither 'null' nor 'zero'")
    symbols = [symbols] if isinstance(symbols, str) else symbols
    if not symbols:
        raise ValueError("at least one symbol is needed")
    ticks = tick_range(start, end)
    batches = [
        batch
        for symbol in symbols
        for batch in require_ticks(Path(lake), FileKind.AGGREGATES, exchange, symbol, ticks)
    ]
    table = pa.Table.from_batches(batches, schema=AGGREGATES)
    return with_zeros(table) if missing == "zero" else table
