"""The catalog: made anew over many files, and asked about a symbol-day that is one file."""

from contextlib import closing
from pathlib import Path

from atelier_pipeline.lake.names import FileKind, Mode, find_files, lake_path
from atelier_pipeline.validate.catalog import build_catalog, connect
from atelier_pipeline_tests.benchmarks.market_day import START_NS
from atelier_pipeline_tests.benchmarks.stopwatch import Stopwatch
from atelier_pipeline_tests.benchmarks.symbol_day import EXCHANGE, NS_PER_MINUTE

_REPEATS = 10


def asked(watch: Stopwatch, lake: str, folder: str, table: str, column: str) -> dict[str, float]:
    """count, min and max of a column over the day's only file, through the catalog's view."""
    catalog = Path(folder) / "asked.duckdb"
    build_catalog(Path(lake), catalog)
    query = f"SELECT count(*), min({column}), max({column}) FROM {table}"  # noqa: S608 - our words
    with closing(connect(catalog)) as connection:
        [(rows, _, _)] = connection.execute(query).fetchall()
        with watch:
            for _ in range(_REPEATS):
                connection.execute(query).fetchall()
    return watch.sample(_REPEATS, rows=rows)


def rebuilt(watch: Stopwatch, lake: str, folder: str, files: int) -> dict[str, float]:
    """The catalog over `files` files; `first_secs` is a count over all of them after that."""
    many = Path(folder) / "many"
    made = _spread(Path(lake), many, files)
    with watch:
        build_catalog(many, Path(folder) / "many.duckdb")
    with closing(connect(Path(folder) / "many.duckdb")) as connection, Stopwatch() as first:
        connection.execute("SELECT count(*) FROM captures").fetchall()
    return watch.sample(made, first_secs=first.secs)


def _spread(lake: Path, many: Path, count: int) -> int:
    """A lake of `count` files: hard links of one small file under the names of as many windows."""
    small = find_files(lake, FileKind.CAPTURES, Mode.RAW, EXCHANGE)[0]
    for number in range(count):
        t0_ns = START_NS + number * 60 * NS_PER_MINUTE
        path = lake_path(many, EXCHANGE, small.name, small.kind, small.mode, t0_ns)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.hardlink_to(small.path)
    return count
