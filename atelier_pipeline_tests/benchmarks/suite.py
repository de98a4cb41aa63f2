"""Which cases are run, beside which peers, and against which targets."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from atelier_pipeline_tests.benchmarks.measure import Case, Series, interleaved, ours, peer
from atelier_pipeline_tests.benchmarks.recorded import (
    RECORDINGS,
    recordings,
)
from atelier_pipeline_tests.benchmarks.results import Growth, Point, Results

SEED = 7
PERIOD_NS = 100_000_000
DEPTH = 50
MINUTES = 60
"""Of a window of the symbol-day."""

KEPT_UP = 30_000
"""Messages a second that a capture is promised to take."""

_WITHOUT_PEER = frozenset({"coinbase_exchange"})
_PEERS = Path(__file__).parent / "peers"


@dataclass(frozen=True)
class Sizes:
    """How much of everything is measured.

    Attributes:
        rounds: of every case and its peer, in turn.
        long_rounds: of cases that take a minute and have no peer.
        frames: decoded, at least, of each exchange.
        received: messages through a socket as fast as they are taken.
        sustained_secs: seconds of KEPT_UP messages each.
        hours: of the symbol-day, whose 24 have 10 million level changes and a million trades.
        files: in the lake of the catalog that is rebuilt.
        growth_updates: level changes of one symbol in the smallest window of the growth curves.
    """

    rounds: int
    long_rounds: int
    frames: int
    received: int
    sustained_secs: int
    hours: int
    files: int
    growth_updates: int

    @property
    def updates(self) -> int:
        """Level changes in these hours."""
        return 10_000_000 * self.hours // 24

    @property
    def trades(self) -> int:
        """Trades in these hours."""
        return 1_000_000 * self.hours // 24


FULL = Sizes(3, 1, 100_000, 300_000, 60, 24, 10_000, 50_000)
QUICK = Sizes(1, 1, 5_000, 40_000, 3, 1, 1_000, 5_000)


@dataclass(frozen=True)
class Bench:
    """One run.

    Attributes:
        folder: where it may write, empty before.
        peers: the Python of the peers' environment, None to leave them out.
        tell: hears what is being measured.
    """

    folder: Path
    sizes: Sizes
    peers: Path | None
    tell: Callable[[str], None]
    results: Results = field(default_factory=Results)

    def run(self) -> Results:
        """Measure everything."""
        for part in (decoding, storing, capturing, symbol_day, grid, catalog, growth, starting):
            self.tell(part.__name__)
            part(self)
        return self.results

    def measure(self, *cases: Case, rounds: int | None = None) -> list[Series]:
        """Every case in turn, round by round."""
        return interleaved(cases, self.sizes.rounds if rounds is None else rounds)

    @property
    def place(self) -> str:
        """The folder, as cases take it."""
        return str(self.folder)

    def lake(self, name: str) -> str:
        """The root of a lake of that name."""
        return str(self.folder / name / "lake")

    def frames(self, exchange: str, count: int) -> str:
        """A file of at least `count` frames of an exchange."""
        path = self.folder / f"{exchange}-{count}.frames"
        if not path.exists():
            common = {"exchange": exchange, "count": count, "path": str(path)}
            self.measure(ours("frames", "recording", "written", **common), rounds=1)
        return str(path)


def decoding(bench: Bench) -> None:
    """Frames to checked events, and on to raw files, on one processor."""
    for exchange in RECORDINGS:
        named = {"exchange": exchange, "frames": bench.frames(exchange, bench.sizes.frames)}
        pinned = {**named, "one_core": True}
        checked = ours(
            f"{exchange}: frames to checked events", "decoding", "checked_events", **pinned
        )
        raw = ours(
            f"{exchange}: frames to raw Parquet",
            "decoding",
            "raw_files",
            **pinned,
            folder=bench.place,
        )
        cases = [checked, raw, *_cryptofeed(bench, exchange, named)]
        mine, mine_raw, *theirs = bench.measure(*cases)
        bench.results.add("frames", mine, theirs[0] if theirs else None)
        versus = bench.results.add("frames", mine_raw, theirs[1] if theirs else None)
        if versus is not None:
            bench.results.at_least(
                f"{exchange}: frames to raw Parquet, against cryptofeed with a Parquet sink",
                4,
                versus.cpu,
                "times its speed",
                f"{versus.cpu / 6:.2f} of 6 times",
            )


def _cryptofeed(bench: Bench, exchange: str, named: dict[str, object]) -> list[Case]:
    if bench.peers is None or exchange in _WITHOUT_PEER:
        return []
    script, common = _PEERS / "cryptofeed_peer.py", {**named, "folder": bench.place}
    return [
        peer(f"{exchange}: cryptofeed, books kept", bench.peers, script, **common, sink=False),
        peer(f"{exchange}: cryptofeed, Parquet sink", bench.peers, script, **common, sink=True),
    ]


def storing(bench: Bench) -> None:
    """Bytes of a raw book row, each recording once: repeated frames would compress too well."""
    for exchange in RECORDINGS:
        frames = bench.frames(exchange, 1 if recordings() else bench.sizes.frames)
        case = ours(
            f"{exchange}: stored once",
            "decoding",
            "raw_files",
            exchange=exchange,
            frames=frames,
            folder=bench.place,
        )
        [series] = bench.measure(case, rounds=1)
        size = series.median("book_bytes") / series.median("book_rows")
        changes = series.median("book_rows") / series.median("amount")
        bench.results.at_most(
            f"{exchange}: bytes of a raw book row", 5, size, "bytes", f"{changes:.1f} rows a frame"
        )


def capturing(bench: Bench) -> None:
    """A loopback socket to the journal."""
    count, frames = bench.sizes.received, bench.frames("bybit", bench.sizes.frames)
    common = {"frames": frames, "count": count}
    bare, journaled, captured = bench.measure(
        ours("`websockets` alone, received and forgotten", "capturing", "bare", **common),
        ours("received and journaled", "capturing", "journaled", **common, folder=bench.place),
        ours("captured whole", "capturing", "captured", **common, folder=bench.place),
    )
    versus = bench.results.add("messages", journaled, bare)
    bench.results.add("messages", captured, bare)
    assert versus is not None
    bench.results.at_least(
        "receive and journal, against bare `websockets`", 0.85, versus.cpu, "of its speed"
    )
    _sustained(bench, frames)


def _sustained(bench: Bench, frames: str) -> None:
    count = KEPT_UP * bench.sizes.sustained_secs
    label = f"captured whole at {KEPT_UP:,} messages a second"
    common = {"frames": frames, "count": count, "folder": bench.place, "rate": KEPT_UP}
    [series] = bench.measure(ours(label, "capturing", "captured", **common), rounds=1)
    bench.results.add("messages", series)
    bench.results.at_most(
        f"frames lost of {KEPT_UP:,} a second for {bench.sizes.sustained_secs} s",
        0,
        series.median("lost"),
        "frames",
        f"{series.rate:,.0f} a second came, for {1e6 / series.cpu_rate:.0f} µs of processor each",
    )


def grid(bench: Bench) -> None:
    """Books and trades at the grid, in memory."""
    sizes = bench.sizes
    common = {"updates": sizes.updates, "hours": sizes.hours, "seed": SEED}
    kernel = ours("book kernel at 100 ms", "books", "at_grid", **common)
    mine, *theirs = bench.measure(kernel, *_order_book(bench))
    bench.results.add("level changes", mine, *theirs)
    bench.results.at_least(
        "book at the 100 ms grid, top 50", 10e6, mine.cpu_rate, "level changes a second"
    )
    common = {"trades": sizes.trades, "seed": SEED}
    mine, theirs = bench.measure(
        ours("trades to the grid", "trades", "ours", **common),
        ours("polars: trades to the grid", "trades", "polars", **common),
    )
    versus = bench.results.add("trades", mine, theirs)
    assert versus is not None
    bench.results.at_least(
        "trades to the grid, against polars", 1, versus.median, "times its speed"
    )


def _order_book(bench: Bench) -> Iterator[Case]:
    """On the first window of the symbol-day, which must have been written."""
    if bench.peers is not None:
        path = min(Path(bench.lake("day")).glob("*/*/orderbooks/*/*_ob_raw_*"))
        script = _PEERS / "order_book_peer.py"
        label = "order-book (C) at 100 ms"
        common = {"path": str(path), "period_ns": PERIOD_NS, "depth": DEPTH}
        yield peer(label, bench.peers, script, **common)


def symbol_day(bench: Bench) -> None:
    """The generated day, raw to judged aggregates."""
    sizes, lake = bench.sizes, bench.lake("day")
    [written] = bench.measure(_written(lake, sizes, MINUTES), rounds=1)
    bench.results.add("rows", written)
    size = written.median("book_bytes") / written.median("book_rows")
    bench.results.at_most("symbol-day: bytes of a raw book row", 5, size, "bytes")
    common = {"lake": lake, "count": sizes.hours, "minutes": MINUTES}
    read, synchronised, validated = bench.measure(
        ours("raw book files to columns", "whole_day", "read", lake=lake),
        ours("raw Parquet to sync Parquet", "whole_day", "synchronised", **common),
        ours("raw Parquet to judged aggregates", "whole_day", "validated", **common, at_once=2),
        rounds=sizes.long_rounds,
    )
    for unit, series in (("rows", read), ("sync rows", synchronised), ("windows", validated)):
        bench.results.add(unit, series)
    raw_rows = synchronised.median("raw_rows") / synchronised.median("secs")
    bench.results.at_least(
        "raw Parquet to sync Parquet",
        3e6,
        synchronised.rate,
        "sync rows a second",
        f"from {raw_rows:,.0f} raw rows a second",
    )
    _judge_day(bench, validated)


def _judge_day(bench: Bench, validated: Series) -> None:
    assert validated.median("failed") == 0, "the generated day breaks a rule"
    names = ("judge_raw", "synchronise", "judge_sync", "aggregate", "judge_aggregates")
    parts = ", ".join(f"{name} {validated.median(f'{name}_secs'):.1f} s" for name in names)
    processor = f"{validated.median('cpu_secs'):.1f} s of processor time: {parts}"
    hours = bench.sizes.hours
    what = f"{hours} of the symbol-day's 24 hours, raw to judged aggregates, two windows at once"
    bench.results.at_most(what, 15 * hours / 24, validated.median("secs"), "s", processor)
    bench.results.at_most("peak memory of that", 1500, validated.peak_mib, "MiB")


def catalog(bench: Bench) -> None:
    """DuckDB over one file a day, and over very many files."""
    sizes, lake = bench.sizes, bench.lake("compacted")
    bench.measure(_written(lake, sizes, 24 * MINUTES), rounds=1)
    common = {"lake": lake, "folder": bench.place}
    for table, column in (("trades", "price"), ("orderbooks", "price")):
        label = f"count, min, max of {column} over a day of {table}"
        case = ours(label, "catalog", "asked", **common, table=table, column=column)
        [series] = bench.measure(case)
        bench.results.add("queries", series)
        rows = f"of processor time; {series.median('rows'):,.0f} rows"
        bench.results.at_most(f"DuckDB: {label}", 20, 1000 / series.cpu_rate, "ms", rows)
    case = ours("catalog made anew", "catalog", "rebuilt", **common, files=sizes.files)
    [series] = bench.measure(case)
    first = f"the first count over all of them {series.median('first_secs'):.2f} s"
    what = f"catalog over {sizes.files:,} files"
    bench.results.at_most(what, 5, series.median("secs"), "s", first)


def growth(bench: Bench) -> None:
    """The line with more events and symbols, and the day with more windows."""
    least = bench.sizes.growth_updates
    common = {"folder": bench.place, "seed": SEED}
    _grow(
        bench,
        ("level changes of one symbol in 5 minutes", "level changes"),
        [(n, _line(**common, updates=n)) for n in (least, 2 * least, 4 * least, 8 * least)],
    )
    few, *_, many = _grow(
        bench,
        ("symbols in a window of 5 minutes", "symbols"),
        [(n, _line(**common, updates=least, symbols=n)) for n in (1, 2, 5, 10)],
    )
    bench.results.at_most(
        "ten times the symbols", 10.5, many.cpu_secs / few.cpu_secs, "times the time"
    )
    day = {"lake": bench.lake("day"), "minutes": MINUTES}
    _grow(
        bench,
        ("windows of an hour, raw to judged aggregates", "windows"),
        [
            (n, ours(f"{n} windows", "whole_day", "validated", **day, count=n))
            for n in (1, 2, 4, 8)
            if n <= bench.sizes.hours
        ],
    )


def _line(**parameters: object) -> Case:
    return ours("the whole line", "growth", "line", **parameters)


def _grow(bench: Bench, named: tuple[str, str], cases: list[tuple[int, Case]]) -> list[Point]:
    measured = bench.measure(*(case for _, case in cases), rounds=bench.sizes.long_rounds)
    points = [
        Point(amount, series.median("secs"), series.median("cpu_secs"), series.peak_mib)
        for (amount, _), series in zip(cases, measured, strict=True)
    ]
    bench.results.growth.append(Growth(*named, points))
    return points


def starting(bench: Bench) -> None:
    """`atelier --help`."""
    helped, nothing = bench.measure(
        ours("`atelier --help`", "starting", "help_page"),
        ours("Python alone", "starting", "nothing"),
    )
    bench.results.add("starts", helped, nothing)
    taken, least = 1 / helped.cpu_rate, 1 / nothing.cpu_rate
    remark = f"of processor time, {least:.2g} s of them Python's own"
    bench.results.at_most("`atelier --help`", 0.5, taken, "s", remark)


def _written(lake: str, sizes: Sizes, minutes: int) -> Case:
    common = {"updates": sizes.updates, "trades": sizes.trades, "hours": sizes.hours}
    named = {"lake": lake, "seed": SEED, "minutes": minutes}
    return ours("decoded columns to raw Parquet", "whole_day", "written", **common, **named)
