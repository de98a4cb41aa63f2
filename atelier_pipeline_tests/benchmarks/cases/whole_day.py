"""A generated symbol-day in a lake: written, synchronised, aggregated and judged by windows."""

from pathlib import Path

from atelier_pipeline import pipeline
from atelier_pipeline.lake.names import FileKind, Mode, find_files
from atelier_pipeline.lake.reader import count_rows, read_table
from atelier_pipeline.market.window import Window
from atelier_pipeline.settings import Settings
from atelier_pipeline.validate.rule import Finding, Stage
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


def validated(watch: Stopwatch, lake: str, count: int, minutes: int) -> dict[str, float]:
    """Raw files → sync files → aggregates, each judged by its rules; an amount of windows."""
    day = windows(minutes)[:count]
    _judged(Path(lake), day[:1], {})
    secs: dict[str, float] = {}
    with watch:
        findings = _judged(Path(lake), day, secs)
    failed = sum(not finding.passed for finding in findings)
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


def _judged(lake: Path, day: list[Window], secs: dict[str, float]) -> list[Finding]:
    """The findings; `secs` gets the time of each stage."""
    target, findings = (collector(), _settings(lake)), list[Finding]()
    for window in day:
        for name, stage in _line(*target, window, findings).items():
            with Stopwatch() as watch:
                stage()
            secs[f"{name}_secs"] = secs.get(f"{name}_secs", 0.0) + watch.secs
    return findings


def _line(plan, settings: Settings, window: Window, findings: list[Finding]):
    def judge(stage: Stage) -> None:
        findings.extend(pipeline.validate(stage, plan, window, settings))

    return {
        "judge_raw": lambda: judge(Stage.RAW),
        "synchronise": lambda: pipeline.synchronise(plan, window, settings),
        "judge_sync": lambda: judge(Stage.SYNC),
        "aggregate": lambda: pipeline.aggregate(plan, window, settings),
        "judge_aggregates": lambda: judge(Stage.AGGREGATES),
    }
