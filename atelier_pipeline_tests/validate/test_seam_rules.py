"""What the seam rules find where a window meets the one before it."""

from pathlib import Path
from typing import Any

import pytest

from atelier_pipeline import pipeline
from atelier_pipeline.manifest import load_manifests
from atelier_pipeline.market.window import Window
from atelier_pipeline.settings import Settings
from atelier_pipeline.simulator import frames
from atelier_pipeline.validate.rule import Finding, Stage
from atelier_pipeline.validate.rules import RULES, run_rule
from atelier_pipeline_tests.validate.judging import SYMBOL
from atelier_pipeline_tests.validate.small_lake import (
    MS,
    PERIOD_NS,
    T0,
    TICKS,
    Row,
    SmallLake,
    window,
)

BEFORE = T0 - TICKS * PERIOD_NS
RULE = {rule.name: rule for rule in RULES if rule.name.startswith("seam")}


def before() -> SmallLake:
    """The window before, whose end the captures of `after` have seen as well."""
    lake = SmallLake(t0=BEFORE).damaged("gaps", lambda _rows: [])
    lake.damaged("trades", lambda rows: [row | {"id": f"7{row['id']}"} for row in rows])
    tail = {"tail_events": 4, "tail_hash": "same", "last_trade_id": "899", "last_update_id": 700}
    return lake.damaged("captures", lambda rows: [row | tail for row in rows])


def after() -> SmallLake:
    """The window, which opens with the book that the last tick before it has."""
    head = {"head_events": 4, "head_hash": "same", "first_trade_id": "900", "first_update_id": 701}
    lake = SmallLake().damaged("captures", lambda rows: [row | head for row in rows])
    return lake.damaged("orderbooks", opens_with(before()))


def opens_with(earlier: SmallLake) -> Any:
    """Give the opening book the sizes of the earlier window's last tick."""
    sizes = {
        (row["side"], row["price"]): row["size"]
        for row in earlier.rows["orderbooks_sync"]
        if row["grid_ts"] == T0
    }
    return lambda rows: [
        row | {"size": sizes[row["side"], row["price"]]} if row["opening"] else row for row in rows
    ]


def capture(dataset: str, **values: Any) -> Any:
    """Change the captures row of one dataset."""
    return lambda rows: [row | values if row["dataset"] == dataset else row for row in rows]


def found(folder: Path, rule: str, *windows: SmallLake) -> Finding:
    for each in windows:
        each.write(folder)
    return run_rule(RULE[rule], folder, "bybit", [SYMBOL], window())


def rows(finding: Finding) -> list[Row]:
    return finding.sample.to_pylist()


@pytest.mark.parametrize("rule", RULE)
def test_windows_that_meet_keep_the_rules(tmp_path, rule):
    assert found(tmp_path, rule, before(), after()).passed


@pytest.mark.parametrize("rule", RULE)
def test_the_first_window_has_no_seam(tmp_path, rule):
    assert found(tmp_path, rule, after()).passed


def test_a_book_that_does_not_go_on_though_its_messages_do_is_broken(tmp_path):
    later = after().damaged("captures", capture("orderbooks", head_hash="other"))
    assert rows(found(tmp_path, "seam", before(), later)) == [
        {
            "symbol": SYMBOL,
            "problem": "the opening book is not the closing book of the window before",
            "before": "same",
            "after": "other",
        }
    ]


def test_an_opening_book_with_other_levels_is_broken_whatever_the_hashes_say(tmp_path):
    later = after().damaged(
        "orderbooks",
        lambda rows: [
            row | {"size": 9.5} if row["level"] == 1 and row["opening"] else row for row in rows
        ],
    )
    finding = found(tmp_path, "seam", before(), later)
    assert [(row["before"], row["after"]) for row in rows(finding)] == [
        ("ask 1: 2.0 at 102.0", None),
        ("bid 1: 11.0 at 98.0", None),
        (None, "ask 1: 9.5 at 102.0"),
        (None, "bid 1: 9.5 at 98.0"),
    ]


def test_books_of_captures_that_saw_other_messages_are_not_proved_but_not_broken(tmp_path):
    later = after().damaged("captures", capture("orderbooks", head_hash="other", first_update_id=1))
    assert found(tmp_path, "seam", before(), later).passed
    (row,) = rows(found(tmp_path, "seam_proved", before(), later))
    assert (row["dataset"], row["reason"]) == ("orderbooks", "the two captures saw different books")


def test_a_trade_of_both_windows_is_broken(tmp_path):
    again = lambda rows: [rows[0] | {"id": "903"}, *rows[1:]]  # noqa: E731
    (row,) = rows(found(tmp_path, "seam", before().damaged("trades", again), after()))
    assert (row["problem"], row["after"]) == ("the trade is in the window before too", "903")


@pytest.mark.parametrize(
    ("earlier", "later", "reason"),
    [
        ({"tail_hash": None}, {}, "the window before did not see its end whole"),
        ({}, {"head_hash": None}, "this window did not see its start whole"),
        ({"tail_hash": "other"}, {}, "the two captures saw different trades in the 2 s before it"),
        (
            {},
            {"integrity": "trade_id", "first_trade_id": "902"},
            "trade ids go on from 899 with 902",
        ),
    ],
)
def test_a_seam_that_is_not_proved_has_a_reason(tmp_path, earlier, later, reason):
    finding = found(
        tmp_path,
        "seam_proved",
        before().damaged("captures", capture("trades", **earlier)),
        after().damaged("captures", capture("trades", **later)),
    )
    (row,) = rows(finding)
    assert (row["dataset"], row["reason"]) == ("trades", reason)
    assert row["recorded_losses"] is None


def test_the_losses_that_are_recorded_at_a_seam_are_told_with_it(tmp_path):
    lost = {"dataset": "trades", "ts_start": T0 - 500 * MS, "ts_end": T0 + MS, "cause": "crash"}
    later = after().damaged("gaps", lambda rows: [*rows, rows[0] | lost])
    later.damaged("captures", capture("trades", head_hash=None))
    (row,) = rows(found(tmp_path, "seam_proved", before(), later))
    assert row["recorded_losses"] == "crash"


def test_a_window_that_does_not_end_where_this_one_starts_has_no_seam_with_it(tmp_path):
    earlier = before().damaged("captures", capture("trades", tail_hash=None, window_end=T0 - MS))
    assert found(tmp_path, "seam_proved", earlier, after()).passed


@pytest.mark.parametrize("exchange", ["bybit", "coinbase", "kraken"])
def test_two_captures_of_one_market_prove_their_seam(tmp_path, exchange):
    collector = load_manifests(Path(pipeline.__file__).parent / "manifests" / "demo")[exchange]
    settings = Settings(lake=tmp_path / "lake", journal=tmp_path / "journal")
    sent = list(
        frames(
            collector.exchange.name,
            collector.symbols,
            datasets=frozenset().union(*collector.datasets.values()),
            depth=collector.subscribed_depth,
            start_ns=T0 - 1_000 * MS,
            duration_s=6,
        )
    )
    windows = [Window(T0 + k * 2_000 * MS, T0 + (k + 1) * 2_000 * MS) for k in range(2)]
    for each in windows:
        received = (frame for frame in sent if frame[0] < each.end_ns + 1_000 * MS)
        pipeline.journal_frames(collector, each, settings, received)
        pipeline.seal(collector, each, settings)
        pipeline.synchronise(collector, each, settings)
    findings = pipeline.validate(Stage.RAW, collector, windows[1], settings)
    assert [found.rule for found in findings if found.rule in RULE and found.passed] == list(RULE)
