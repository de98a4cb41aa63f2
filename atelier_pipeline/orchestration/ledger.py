"""What is known to be lost, and what was captured, in one window of one collector.

Reads the two small files that every symbol has beside its data; writes nothing.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from atelier_pipeline.lake.names import FileKind, LakeFile, Mode, file_name, lake_path
from atelier_pipeline.lake.reader import read_window, window_exists
from atelier_pipeline.manifest import Collector
from atelier_pipeline.market.window import Window


@dataclass(frozen=True, slots=True)
class Ledger:
    """Rows of GAPS and CAPTURES of one window, for all symbols of a collector or some of them."""

    window: Window
    gaps: pa.Table
    captures: pa.Table

    @classmethod
    def read(cls, lake: Path, collector: Collector, window: Window) -> "Ledger":
        """What the lake holds of the window; without files, no rows."""
        gaps = _rows(lake, collector, window, FileKind.GAPS)
        return cls(window, gaps, _rows(lake, collector, window, FileKind.CAPTURES))

    def of_dataset(self, dataset: str) -> "Ledger":
        """The rows of one dataset."""
        return self._only(pc.field("dataset") == dataset)

    def of_file(self, file: LakeFile) -> "Ledger":
        """The rows of the symbol that `file` belongs to."""
        symbols = {symbol for symbol in self.symbols() if file_name(symbol) == file.name}
        return self._only(pc.field("symbol").isin(sorted(symbols)))

    def symbols(self) -> set[str]:
        """The symbols that any row names."""
        return {
            str(row) for rows in (self.gaps, self.captures) for row in rows["symbol"].to_pylist()
        }

    def _only(self, matching: pc.Expression) -> "Ledger":
        return Ledger(self.window, self.gaps.filter(matching), self.captures.filter(matching))

    def causes(self) -> dict[str, int]:
        """How many losses each cause has."""
        return dict(Counter(map(str, self.gaps["cause"].to_pylist())).most_common())

    def total(self, column: str) -> int:
        """The sum of a column of CAPTURES; null counts as 0."""
        return int(pc.sum(self.captures[column]).as_py() or 0)

    def largest(self, column: str) -> int | None:
        """The largest value of a column of CAPTURES; None where none is known."""
        value = pc.max(self.captures[column]).as_py()
        return None if value is None else int(value)


def _rows(lake: Path, collector: Collector, window: Window, kind: FileKind) -> pa.Table:
    exchange, t0_ns = collector.exchange.name, window.start_ns
    paths = (
        lake_path(lake, exchange, symbol, kind, Mode.RAW, t0_ns) for symbol in collector.symbols
    )
    nothing = kind.schema(Mode.RAW).empty_table()
    return pa.concat_tables(
        [nothing, *(read_window(path) for path in paths if window_exists(path))]
    )
