"""A day's verdict is what its facts say, with every reason named."""

from dataclasses import replace

import pytest

from atelier_pipeline.report.facts import FailedRule
from atelier_pipeline.report.verdict import FeedVerdict, Verdict, judge
from atelier_pipeline_tests.report.days import (
    BOOKS,
    HOUR_NS,
    TRADES,
    WINDOWS,
    at,
    whole_day,
    with_capture,
    with_loss,
    without,
)

AVAILABLE, DEGRADED, PENDING, MISSING = Verdict


def feeds(facts) -> tuple[FeedVerdict, FeedVerdict]:
    books, trades = judge(facts).feeds
    return books, trades


def test_a_day_without_a_loss_is_available():
    verdict = judge(whole_day())
    assert (verdict.verdict, verdict.coverage) == (AVAILABLE, 1.0)
    assert verdict.counts == {AVAILABLE: 2, DEGRADED: 0, PENDING: 0, MISSING: 0}
    books, trades = verdict.feeds
    assert (books.reasons, books.notes, trades.reasons, trades.notes) == ((), (), (), ())
    assert (books.book_valid, trades.book_valid) == (1.0, None)
    assert books.figures == {"events": 400, "reconnects": 0, "duplicates": 4}
    assert books.latency_p99_ns == 20_000_003
    assert [seam.moment_ns for seam in books.seams] == [at(0), at(6), at(12), at(18)]
    assert all(seam.is_proved for seam in verdict.seams)


def test_a_loss_degrades_its_feed_and_its_window_alone():
    books, trades = feeds(with_loss(whole_day(), BOOKS, "disconnect", 7, 8.5))
    assert (books.verdict, trades.verdict) == (DEGRADED, AVAILABLE)
    assert [cell.verdict for cell in books.cells] == [AVAILABLE, DEGRADED, AVAILABLE, AVAILABLE]
    assert [cell.coverage for cell in books.cells] == [1.0, 0.75, 1.0, 1.0]
    assert books.coverage == 0.9375
    assert books.reasons == ("1 disconnect (1.5 h)",)


def test_losses_that_overlap_cover_their_time_once():
    facts = with_loss(whole_day(), BOOKS, "disconnect", 1, 3)
    facts = with_loss(facts, BOOKS, "sequence", 2, 4)
    facts = with_loss(facts, BOOKS, "sequence", 2.5, 3)
    books, _ = feeds(facts)
    assert books.cells[0].coverage == 0.5
    assert books.reasons == ("2 sequence (2.5 h)", "1 disconnect (2.0 h)")


def test_windows_that_were_not_captured_are_named_as_spans():
    books, trades = feeds(without(whole_day(), BOOKS, 0, 1, 3))
    assert (books.verdict, trades.verdict) == (DEGRADED, AVAILABLE)
    assert books.coverage == 0.25
    assert books.reasons == ("not captured at 00:00-12:00, 18:00-00:00 (3 windows)",)


def test_a_feed_of_which_nothing_was_captured_is_missing():
    verdict = judge(without(whole_day(), BOOKS, 0, 1, 2, 3))
    assert [feed.verdict for feed in verdict.feeds] == [MISSING, AVAILABLE]
    assert verdict.verdict is DEGRADED


def test_a_window_that_a_loss_covers_whole_is_missing():
    books, _ = feeds(with_loss(whole_day(), BOOKS, "rejected", 6, 12))
    assert books.cells[1].verdict is MISSING
    assert books.reasons == ("not captured at 06:00-12:00 (1 window): rejected",)


def test_a_day_in_progress_is_pending_and_says_what_is_known():
    facts = without(whole_day(now_ns=at(13)), BOOKS, 1, 2, 3)
    facts = without(facts, TRADES, 2, 3)
    verdict = judge(facts)
    books, trades = verdict.feeds
    assert (verdict.verdict, books.verdict, trades.verdict) == (PENDING, PENDING, PENDING)
    assert [cell.verdict for cell in books.cells] == [AVAILABLE, MISSING, PENDING, PENDING]
    assert (books.coverage, trades.coverage) == (0.5, 1.0)
    assert books.reasons == ("not captured at 06:00-12:00 (1 window)",)


@pytest.mark.parametrize(("minutes", "expected"), [(9, PENDING), (10, MISSING)])
def test_a_window_without_files_is_waited_for_ten_minutes(minutes: int, expected: Verdict):
    now_ns = at(24) + minutes * HOUR_NS // 60
    books, _ = feeds(without(whole_day(now_ns=now_ns), BOOKS, 3))
    assert books.cells[3].verdict is expected


def test_a_window_that_was_not_derived_is_degraded_once_it_should_be():
    derived = frozenset({("BTCUSDT", window.start_ns) for window in WINDOWS[:3]})
    books, trades = feeds(whole_day(derived=derived))
    assert books.reasons == trades.reasons == ("no aggregates at 18:00-00:00 (1 window)",)
    books, _ = feeds(whole_day(derived=derived, now_ns=at(24) + 1))
    assert books.verdict is AVAILABLE


def test_a_blocking_rule_degrades_what_it_is_about_and_a_warning_is_a_note():
    failed = (
        FailedRule(at(0), "raw", "unique_trade_ids", "trades", blocking=True),
        FailedRule(at(6), "raw", "clock_offset", None, blocking=False),
        FailedRule(at(6), "raw", "funding_sane", "orderbooks", blocking=False),
    )
    books, trades = feeds(whole_day(failed=failed))
    assert (books.verdict, trades.verdict) == (AVAILABLE, DEGRADED)
    assert trades.reasons == ("rule raw/unique_trade_ids failed at 00:00-06:00 (1 window)",)
    assert books.notes == ("warning raw/funding_sane at 06:00-12:00 (1 window)",)
    assert trades.notes == ()


def test_a_seam_is_not_proved_where_a_capture_did_not_see_it_whole():
    facts = with_capture(whole_day(), BOOKS, 1, head_hash=None)
    facts = with_capture(facts, BOOKS, 2, tail_hash=None)
    books, trades = feeds(facts)
    assert [(seam.is_proved, seam.is_disputed) for seam in books.seams] == [
        (True, False),
        (False, False),
        (True, False),
        (False, False),
    ]
    assert (books.verdict, books.notes) == (AVAILABLE, ("2 of 4 seams not proved",))
    assert trades.notes == ()


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"head_hash": "another"}, "the two captures saw different trades in the 2 s before it"),
        ({"first_trade_id": "102"}, "trade ids go on from 99 with 102"),
    ],
)
def test_captures_that_contradict_each_other_break_their_seam_and_degrade_the_day(values, problem):
    _, trades = feeds(with_capture(whole_day(), TRADES, 1, **values))
    assert [seam.problem for seam in trades.seams] == ["", problem, "", ""]
    assert trades.verdict == DEGRADED
    assert trades.reasons == ("seams at which the captures differ: 1",)


def test_ids_that_are_no_chain_prove_nothing_and_break_nothing():
    facts = with_capture(whole_day(), TRADES, 1, first_trade_id="102", integrity="none")
    assert all(seam.is_proved for seam in judge(facts).seams)


def test_a_window_without_a_captured_neighbour_has_no_seam():
    books, _ = feeds(without(whole_day(), BOOKS, -1, 2))
    assert [seam.moment_ns for seam in books.seams] == [at(6)]


def test_a_book_that_is_seldom_valid_is_a_note():
    books = {("BTCUSDT", window.start_ns): 0.9 for window in WINDOWS}
    verdict, _ = feeds(replace(whole_day(), books=books))
    assert verdict.notes == ("the book is valid at 90.00% of ticks",)
