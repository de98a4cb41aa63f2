"""The live line on simulated frames: its events and rows are those of the windowed path."""

import random
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from atelier_pipeline.decode.seal import Sealed, seal
from atelier_pipeline.decode.watch import Watch
from atelier_pipeline.errors import SettingsError
from atelier_pipeline.manifest import Collector, parse_collector
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.window import Window
from atelier_pipeline.pipeline import scope_of, sync_settings
from atelier_pipeline.simulator import Fault, Faults, Script, frames
from atelier_pipeline.synchronise import Synchronised, synchronise_window
from atelier_pipeline.workers.batches import EventBatch, GapBatch, SnapshotBatch
from atelier_pipeline.workers.line import DataLine, Line, MarketLine
from atelier_pipeline_tests.decode.script import frames_batch, plain
from atelier_pipeline_tests.synchronise.rows import assert_equal_rows

SEC = 1_000_000_000
T0 = 1_767_225_600 * SEC
SECONDS = 6
WINDOW = Window(T0, T0 + SECONDS * SEC)
SYMBOLS = {"bybit": "BTCUSDT", "coinbase": "BTC-USD", "kraken": "BTC/USD"}
LOST = Fault(what="drop", channel="book", after_secs=2)
HELD_UP = Fault(what="delay", channel="trades", after_secs=2, delay_secs=1.0, count=5)
RESTART = Fault(what="restart", after_secs=4)

Frames = list[tuple[int, int, str, bytes]]


def collector(exchange: str, sync: str = "") -> Collector:
    every = {"bybit": ["trades", "liquidations", "funding_rates", "open_interest"]}
    others = "".join(
        f"datatypes.{name}.enabled = true\n" for name in every.get(exchange, ["trades"])
    )
    text = (
        f'[collect]\nexchange = "{exchange}"\nsource = "simulated"\n'
        f"datatypes.orderbook = {{ enabled = true, depth = 10 }}\n{others}"
        f"sync.emission_delay_ms = 500\n{sync}\n[[workers]]\nsymbol = {SYMBOLS[exchange]!r}\n"
    )
    return parse_collector("mine", text, "mine.toml")


def received(made: Collector, *faults: Fault) -> Frames:
    """What a session that begins at the window's start receives, a little more than the window."""
    sent = frames(
        made.exchange.name,
        made.symbols,
        datasets=made.datasets[made.symbols[0]],
        depth=made.subscribed_depth,
        start_ns=T0 + 50_000_000,
        duration_s=SECONDS + 1,
        levels=200,
        faults=Faults(Script(faults=list(faults))),
    )
    return [(time, 0, "text", payload) for time, payload in sent]


def live(kind: type[Line], made: Collector, rows: Frames) -> tuple[Line, list]:
    """The line fed in sights of random size, and what it published."""
    published: list = []
    line, watch = kind(made, WINDOW, published.append), Watch(scope_of(made))
    dice, start = random.Random(1), 0  # noqa: S311 - any split will do
    while start < len(rows):
        end = start + dice.choice([1, 3, 20, 100])
        following = rows[end][0] if end < len(rows) else rows[-1][0] + 1
        line.take([(watch.look(frames_batch(rows[start:end], start)), following)])
        start = end
    line.take([(watch.finish(WINDOW.end_ns), rows[-1][0] + 1)])
    line.finish(rows[-1][0])
    return line, published


def windowed(made: Collector, rows: Frames) -> tuple[Sealed, Synchronised]:
    symbol, scope = made.symbols[0], scope_of(made)
    sealed = seal([frames_batch(rows, 0)], scope, WINDOW)
    sync = synchronise_window(
        {dataset: sealed.tables[symbol, dataset] for dataset in made.datasets[symbol]},
        sealed.gaps[symbol],
        sync_settings(made, symbol),
        WINDOW,
        exchange=made.exchange.name,
        symbol=symbol,
        cut_depth=scope.kept_depth_of(symbol),
    )
    return sealed, sync


def joined(batches: Sequence[SnapshotBatch]) -> Synchronised:
    parts = [batch.rows for batch in batches]
    tables = {d: pa.concat_tables([p.tables[d] for p in parts]) for d in parts[0].tables}
    return Synchronised(tables, pa.concat_tables([part.snapshots for part in parts]))


def at(table: pa.Table, stamps: pa.Array) -> pa.Table:
    """The rows of some ticks, without the label that is given afterwards."""
    kept = table.filter(pc.is_in(table["grid_ts"], stamps))
    return kept.drop_columns(["gap"]) if "gap" in kept.column_names else kept


def assert_the_rows_of_the_window(made: Collector, rows: Frames) -> Synchronised:
    line, published = live(MarketLine, made, rows)
    ours = joined([batch for batch in published if isinstance(batch, SnapshotBatch)])
    _, theirs = windowed(made, rows)
    on_time = theirs.snapshots.filter(pc.equal(theirs.snapshots["n_late"], 0))["grid_ts"]
    stamps = on_time.filter(pc.greater_equal(on_time, ours.snapshots["grid_ts"][0]))
    assert_equal_rows(at(ours.snapshots, stamps), at(theirs.snapshots, stamps))
    for dataset, table in theirs.tables.items():
        assert_equal_rows(at(ours.tables[dataset], stamps), at(table, stamps))
    assert line.snapshots.total() == ours.snapshots.num_rows >= len(stamps) > 30
    return ours


@pytest.mark.parametrize("clock", ["event", "receive"])
@pytest.mark.parametrize("mode", ["on_orderbook", "on_trade", "on_time"])
@pytest.mark.parametrize("exchange", SYMBOLS)
def test_live_rows_are_the_rows_of_the_window(exchange, mode, clock):
    made = collector(exchange, f'sync.sync_mode = "{mode}"\nsync.clock = "{clock}"')
    assert_the_rows_of_the_window(made, received(made))


def test_liquidations_drive_the_same_rows():
    made = collector("bybit", 'sync.sync_mode = "on_liquidation"')
    assert_the_rows_of_the_window(made, received(made))


@pytest.mark.parametrize("exchange", SYMBOLS)
def test_losses_and_late_events_end_the_same_rows(exchange):
    made = collector(exchange)
    ours = assert_the_rows_of_the_window(made, received(made, LOST, HELD_UP, RESTART))
    assert not all(ours.snapshots["book_valid"].to_pylist())


@pytest.mark.parametrize("exchange", SYMBOLS)
def test_late_events_are_counted_and_noted_in_the_ledger(exchange):
    made = collector(exchange)
    rows = received(made, HELD_UP)
    line, published = live(MarketLine, made, rows)
    _, theirs = windowed(made, rows)
    late = sum(line.late.values())
    assert late == pc.sum(theirs.snapshots["n_late"]).as_py() >= 5
    (gaps,) = (batch for batch in published if isinstance(batch, GapBatch))
    notes = [row for row in plain(gaps.table) if row["cause"] == "late"]
    assert sum(int(row["detail"].split()[0]) for row in notes) == late
    assert all(row["lost"] == 0 and row["ts_known"] is None for row in notes)


@pytest.mark.parametrize("exchange", SYMBOLS)
def test_the_ledger_of_a_line_is_that_of_the_window(exchange):
    made = collector(exchange)
    rows = received(made, LOST, RESTART)
    rows.append((WINDOW.end_ns + 2 * SEC, 0, "closed", b'{"cause":"ended"}'))
    sealed, _ = windowed(made, rows)
    _, published = live(DataLine, made, rows)
    (gaps,) = (batch for batch in published if isinstance(batch, GapBatch))
    assert plain(gaps.table) == plain(sealed.gaps[made.symbols[0]])


@pytest.mark.parametrize("exchange", SYMBOLS)
def test_the_events_of_a_data_line_are_the_raw_rows_of_the_window(exchange):
    made = collector(exchange)
    rows = received(made)
    line, published = live(DataLine, made, rows)
    sealed, _ = windowed(made, rows)
    symbol = made.symbols[0]
    for dataset in made.datasets[symbol]:
        batches = [b for b in published if isinstance(b, EventBatch) and b.dataset is dataset]
        ours = pa.concat_tables([batch.table for batch in batches])
        assert sum(batch.count for batch in batches) == line.events[batches[0].topic]
        assert [len(batch.items) for batch in batches] == [batch.count for batch in batches]
        assert in_window(ours, dataset) == in_window(sealed.tables[symbol, dataset], dataset)


def in_window(table: pa.Table, dataset: Dataset) -> list[dict]:
    """The window's own events, in order; numbers of messages count from another one."""
    rows = [row for row in plain(table) if WINDOW.start_ns <= row["ts_event"] < WINDOW.end_ns]
    if dataset is Dataset.ORDERBOOKS:
        return [{k: v for k, v in row.items() if k != "message"} for row in rows]
    return sorted(rows, key=lambda row: (row["ts_event"], row["ts_recv"]))


def test_a_symbol_without_its_driving_feed_is_refused():
    made = collector("kraken", 'sync.sync_mode = "on_liquidation"')
    with pytest.raises(SettingsError, match=r"on_liquidation .* not captured"):
        MarketLine(made, WINDOW, print)
