"""A generated symbol-day in a lake: written, synchronised, aggregated and judged by windows."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from atelier_pipeline import pipeline
from atelier_pipeline.lake.names import FileKind, Mode, find_files
from atelier_pipeline.lake.reader import count_rows, read_table
from atelier_pipeline.market.window import Window
from atelier_pipeline.settings import Settings
from atelier_pipeline.validate.rule import Finding, Severity, Stage
from atelier_pipeline_tests.benchmarks.market_day import market_day
from atelier_pipeline_tests.benchmarks.stopwatch import Stopwatch
from atelier_pipeline_tests.benchmarks.symbol_day import EXCHANGE, collector, windows, write_windows

SYMBOL = "BTCUSDT"
NS_PER_HOUR = 3600 * 10**9


def written(
    watch: Stopwatch, lake: str, updates: int, trades: int, seed: int, hours: int, minutes: int
) -> dict[str, float]:
    """Decoded columns → raw files of every window, durable on disk.

    All events fall into the first `hours` of the day; its windows take `minutes`.
    """
    span_ns = hours * NS_PER_HOUR
    day = market_day(updates, trades, seed, span_ns)
    with watch:
        files = write_windows(Path(lake), day, SYMBOL, windows(minutes, span_ns))
    books = [file for file in files if "_ob_raw_" in file.path.name]
    rows, size = sum(file.rows for file in books), sum(file.bytes for file in books)
    return watch.sample(sum(file.rows for file in files), book_rows=rows, book_bytes=size)


def synchronised(watch: Stopwatch, lake: str, count: int, minutes: int) -> dict[str, float]:
    """Raw files → sync files of the first `count` windows; an amount of sync rows."""
    day = windows(minutes)[:count]
    _synchronise(Path(lake), day[:1])
    with watch:
        rows = _synchronise(Path(lake), day)
    raw = sum(
        count_rows(file.path)
        for window in day
        for file in find_files(Path(lake), FileKind.ORDERBOOKS, Mode.RAW, EXCHANGE, SYMBOL, window)
    )
    return watch.sample(rows, raw_rows=raw)


def validated(
    watch: Stopwatch, lake: str, count: int, minutes: int, at_once: int = 1
) -> dict[str, float]:
    """Raw files → sync files → aggregates, each judged by its rules; an amount of windows.

    `at_once` windows are worked on at the same time, as several runs would do. Seams of
    windows that nobody captured can't be proved, which is a WARN.
    """
    day = windows(minutes)[:count]
    _judged(Path(lake), day[0])
    with watch, ThreadPoolExecutor(at_once) as pool:
        judged = list(pool.map(partial(_judged, Path(lake)), day))
    found = [finding for findings, _ in judged for finding in findings]
    failed = sum(not each.passed and each.severity is Severity.ERROR for each in found)
    secs = {name: sum(each[name] for _, each in judged) for name in judged[0][1]}
    return watch.sample(count, failed=failed, **secs)


def read(watch: Stopwatch, lake: str) -> dict[str, float]:
    """Every raw book file of the lake, read into columns."""
    files = [file.path for file in find_files(Path(lake), FileKind.ORDERBOOKS, Mode.RAW)]
    read_table(files[0])
    with watch:
        rows = sum(read_table(file).num_rows for file in files)
    return watch.sample(rows)


def _settings(lake: Path) -> Settings:
    return Settings(lake=lake, journal=lake.with_name("journal"))


def _synchronise(lake: Path, day: list[Window]) -> int:
    results = [pipeline.synchronise(collector(), window, _settings(lake)) for window in day]
    return sum(file.rows for result in results for file in result.files)


def _judged(lake: Path, window: Window) -> tuple[list[Finding], dict[str, float]]:
    """What the rules find in a window, and the time that each stage took."""
    target, findings = (collector(), window, _settings(lake)), list[Finding]()
    secs: dict[str, float] = {}
    for name, stage in (
        ("judge_raw", lambda: findings.extend(pipeline.validate(Stage.RAW, *target))),
        ("synchronise", lambda: pipeline.synchronise(*target)),
        ("judge_sync", lambda: findings.extend(pipeline.validate(Stage.SYNC, *target))),
        ("aggregate", lambda: pipeline.aggregate(*target)),
        ("judge_aggregates", lambda: findings.extend(pipeline.validate(Stage.AGGREGATES, *target))),
    ):
        with Stopwatch() as watch:
            stage()
        secs[f"{name}_secs"] = watch.secs
    return findings, secs
