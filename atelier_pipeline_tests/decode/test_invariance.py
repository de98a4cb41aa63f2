"""Sealing is a function of the frames alone: not of batches, processes or the future."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atelier_pipeline.decode import reading
from atelier_pipeline.decode.seal import Sealed, seal
from atelier_pipeline.exchanges.contract import ConnectionSequence, Heartbeat
from atelier_pipeline.lake.journal import JournalMeta
from atelier_pipeline.lake.journal_reader import read_journal
from atelier_pipeline.lake.journal_writer import JournalWriter
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.window import Window
from atelier_pipeline_tests.decode.replays import Replay, replay
from atelier_pipeline_tests.decode.script import (
    EVERYTHING,
    SEC,
    WINDOW,
    Script,
    accepted,
    at,
    book,
    frames_batch,
    liquidation,
    plain,
    ticker,
    trade,
)

INTEGRITIES = ("update_id", "connection_sequence", "checksum_top10", "none")
STEPS = (
    *("snapshot", "delta", "skip", "repeat", "cross", "empty", "bad checksum", "bad time"),
    *("trade", "old trade", "skip trade", "liquidation", "ticker", "ticker snapshot"),
    *("beat", "garbage", "dropped", "reconnect", "lose number", "accepted"),
)


def everything(sealed: Sealed) -> list[tuple[object, pa.Table]]:
    """Every table of a sealing with its name."""
    named = [*sealed.tables.items(), *sealed.gaps.items(), *sealed.captures.items()]
    return [(name, table) for name, table in named]


def assert_same(one: Sealed, other: Sealed) -> None:
    assert [name for name, _ in everything(one)] == [name for name, _ in everything(other)]
    for (name, mine), (_, theirs) in zip(everything(one), everything(other), strict=True):
        assert mine.equals(theirs), name
    assert one.summary == other.summary


class Story:
    """A market told step by step, with everything that can go wrong."""

    def __init__(self, integrity: str) -> None:
        self.script = Script(integrity, ids_grow=True)
        self.time, self.number, self.frame, self.trade, self.connection = -3.0, 1, 0, 1, 0
        self.script.opened(self.time)

    def step(self, kind: str, after: float) -> None:
        self.time += after
        time, number = self.time, self.number
        best = 100.0 + number % 7
        levels = [(best, 1.0 + number % 3)], [(best + 1, 2.0)]
        if kind in {"snapshot", "delta", "skip", "cross", "empty", "bad checksum", "bad time"}:
            self.number += 2 if kind == "skip" else 1
        if kind in {"trade", "skip trade"}:
            self.trade += 2 if kind == "skip trade" else 1
        event = {
            "snapshot": lambda: book(time, *levels, snapshot=True, number=self.number),
            "delta": lambda: book(time, levels[0], number=self.number),
            "skip": lambda: book(time, levels[0], number=self.number),
            "repeat": lambda: book(time, *levels, snapshot=True, number=number),
            "cross": lambda: book(time, [(200.0, 1.0)], number=self.number),
            "empty": lambda: book(time, number=self.number),
            "bad checksum": lambda: book(
                time, levels[0], number=self.number, checksum=1, digits=True
            ),
            "bad time": lambda: book(time, levels[0], number=self.number, ts_event=0),
            "trade": lambda: trade(time, self.trade),
            "skip trade": lambda: trade(time, self.trade),
            "old trade": lambda: trade(time - 1, max(self.trade - 1, 1), history=True),
            "liquidation": lambda: liquidation(time),
            "ticker": lambda: ticker(time, interest=number, next_ms=number),
            "ticker snapshot": lambda: ticker(time, snapshot=True, rate=0.1, interest=number),
            "beat": lambda: Heartbeat(ts_event=at(time), symbol="A", last_trade_id=self.trade),
            "accepted": lambda: accepted(Dataset.TRADES),
        }.get(kind)
        self.frame += 2 if kind == "lose number" else 1
        if kind == "garbage":
            self.script.garbage(time, self.connection)
        elif kind == "dropped":
            self.script.dropped(time, 3)
        elif kind == "reconnect":
            self.script.closed(time, "disconnect", self.connection)
            self.connection += 1
            self.script.opened(time + 0.1, self.connection)
        else:
            events = [] if event is None else [event()]
            said = [ConnectionSequence(self.frame), *events]
            self.script.says(time + 0.05, *said, connection=self.connection)


@st.composite
def stories(draw: st.DrawFn) -> Story:
    story = Story(draw(st.sampled_from(INTEGRITIES)))
    story.step("snapshot", 0.1)
    steps = st.tuples(st.sampled_from(STEPS), st.sampled_from((0.0, 0.1, 0.4, 1.3)))
    for kind, after in draw(st.lists(steps, max_size=40)):
        story.step(kind, after)
    if draw(st.booleans()):
        story.script.closed(story.time + 0.1, "shutdown", story.connection)
    return story


def sealed_in(story: Story, cuts: Sequence[int]) -> Sealed:
    """Sealed in stretches that end at the cuts, each read and flushed by itself."""
    rows = story.script.rows
    edges = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    batches = (frames_batch(rows[start:end], start) for start, end in pairwise(edges))
    return seal(batches, story.script.scope(EVERYTHING), WINDOW)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(story=stories(), cuts=st.lists(st.integers(1, 45), max_size=8))
def test_any_split_of_the_frames_gives_the_same_tables(
    monkeypatch: pytest.MonkeyPatch, story: Story, cuts: list[int]
) -> None:
    whole = sealed_in(story, [])
    with monkeypatch.context() as patch:
        patch.setattr(reading, "STRETCH_FRAMES", 1)
        assert_same(sealed_in(story, cuts), whole)
    with monkeypatch.context() as patch:
        patch.setattr(reading, "STRETCH_FRAMES", 3)
        assert_same(sealed_in(story, cuts), whole)


@settings(max_examples=60, deadline=None)
@given(story=stories(), until=st.integers(2, 9))
def test_what_comes_later_changes_no_row_received_before(story: Story, until: int) -> None:
    scope = story.script.scope(EVERYTHING)
    early = [row for row in story.script.rows if row[0] < at(until)]
    window = Window(WINDOW.start_ns, at(until) - SEC)
    cut, whole = (
        seal([frames_batch(rows, 0)], scope, window) for rows in (early, story.script.rows)
    )
    for feed, table in cut.tables.items():
        assert plain(table) == [
            row for row in plain(whole.tables[feed]) if row["ts_recv"] < at(until)
        ]


@pytest.mark.parametrize(
    "name", ["bybit/reshaped_2021", "coinbase/reshaped_2021", "kraken/btc-usd_book10"]
)
def test_a_recording_in_small_stretches_gives_the_same_tables(
    recordings: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    run = replay(recordings, name)
    short = Replay(run.rows[:1500], run.scope, run.depths, run.window)
    whole = short.sealed()
    monkeypatch.setattr(reading, "STRETCH_FRAMES", 97)
    assert_same(short.sealed(), whole)


def test_five_pieces_of_a_journal_give_the_tables_of_one(tmp_path: Path, recordings: Path) -> None:
    run = replay(recordings, "kraken/btc-usd_book10")
    meta = JournalMeta(
        exchange="kraken",
        collector="replay",
        url="",
        source="replay",
        manifest="",
        window=run.window,
    )
    for start in range(0, len(run.rows), 80):
        writer = JournalWriter.open(tmp_path, meta)
        for row in run.rows[start : start + 80]:
            writer.append(*row)
        writer.flush()
        writer.close()
    journal = read_journal(tmp_path)
    assert len(journal.segments) == 5
    sealed = seal(journal.batches, run.scope, run.window, whole=True, damage=journal.damage)
    assert_same(sealed, run.sealed())


def test_sealing_twice_gives_the_same_tables(recordings: Path) -> None:
    run = replay(recordings, "bybit_spot/btcusdt_book50_trades")
    assert_same(run.sealed(), run.sealed())
