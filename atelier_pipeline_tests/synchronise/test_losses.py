"""What known losses do to the rows, case by case."""

import pytest

from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.synchronise import SyncSettings
from atelier_pipeline_tests.synchronise.markets import (
    MS,
    PERIOD,
    T0,
    Market,
    book_message,
    gap,
    trade,
)
from atelier_pipeline_tests.synchronise.test_window import synchronise

SYNC = SyncSettings(period_ns=PERIOD)
BOOK = Dataset.ORDERBOOKS
OPENING = book_message(T0 - 10 * MS, [(99.0, 1.0)], [(101.0, 1.0)], is_snapshot=True)


def at(ms: int) -> int:
    return T0 + ms * MS


def snapshot(event_ms: int, recv_ms: int):
    levels = [(98.0, 1.0)], [(102.0, 1.0)]
    return book_message(at(event_ms), *levels, ts_recv=at(recv_ms), is_snapshot=True)


def delta(event_ms: int, recv_ms: int):
    return book_message(at(event_ms), [(98.5, 2.0)], ts_recv=at(recv_ms))


def invalid_at(messages: list, *gaps: dict) -> list[int]:
    """The ticks, in ms after the window's start, at which the book is not valid."""
    market = Market({BOOK: messages}, opening={BOOK: OPENING}, gaps=list(gaps))
    rows = synchronise(market, SYNC).snapshots.to_pylist()
    for row in rows:
        known = row["bid_levels"], row["ask_levels"], row["book_age_ns"]
        assert (None in known) is not row["book_valid"]
    return [100 * i for i, row in enumerate(rows, start=1) if not row["book_valid"]]


def test_a_book_without_losses_is_valid_at_every_tick():
    assert invalid_at([delta(150, 160)]) == []


def test_a_book_is_invalid_from_the_notice_of_a_loss_until_the_next_snapshot():
    loss = gap(BOOK, "sequence", at(120), at(420), known=at(250))
    assert invalid_at([delta(120, 130), snapshot(450, 460)], loss) == [300, 400]


def test_a_loss_noticed_at_a_tick_leaves_that_tick_valid():
    loss = gap(BOOK, "disconnect", at(120), None, known=at(800))
    assert invalid_at([delta(120, 130)], loss) == [900, 1000]


def test_a_loss_counts_from_the_time_of_the_message_that_showed_it():
    loss = gap(BOOK, "sequence", at(120), at(420), known=at(230))
    messages = [delta(180, 230), delta(290, 300), snapshot(410, 420)]
    assert invalid_at(messages, loss) == [200, 300, 400]


def test_the_snapshot_received_as_the_loss_is_noticed_heals_it():
    loss = gap(BOOK, "disconnect", at(120), at(240), known=at(250))
    assert invalid_at([delta(120, 130), snapshot(240, 250)], loss) == []


@pytest.mark.parametrize("cause", ["checksum", "crossed"])
def test_the_snapshot_that_shows_a_loss_does_not_heal_it(cause):
    loss = gap(BOOK, cause, at(240), at(440), known=at(250))
    assert invalid_at([snapshot(240, 250), snapshot(450, 460)], loss) == [300, 400]


@pytest.mark.parametrize("cause", ["silence", "late", "bad_time"])
def test_what_is_no_loss_of_the_book_leaves_it_valid(cause):
    assert invalid_at([], gap(BOOK, cause, at(100), at(300), known=at(200))) == []


def test_a_loss_that_was_never_noticed_of_another_feed_or_symbol_leaves_the_book_valid():
    unnoticed = gap(BOOK, "sequence", at(100), at(300))
    of_trades = gap(Dataset.TRADES, "trade_id", at(100), at(300), known=at(200))
    of_another = gap(BOOK, "sequence", at(100), at(300), known=at(200), symbol="ETHUSDT")
    assert invalid_at([], unnoticed, of_trades, of_another) == []


def test_a_crossed_book_is_invalid_while_it_is_crossed():
    crossing = book_message(at(150), [(101.0, 1.0)])
    uncrossing = book_message(at(350), [(101.0, 0.0)])
    assert invalid_at([crossing, uncrossing]) == [200, 300]


def test_a_book_without_a_snapshot_is_not_known_and_an_emptied_one_has_no_levels():
    emptied = book_message(at(450), [(98.0, 0.0)], [(102.0, 0.0)])
    market = Market({BOOK: [delta(150, 150), snapshot(250, 250), emptied]})
    rows = synchronise(market, SYNC).snapshots
    assert rows["book_valid"].to_pylist() == 2 * [False] + 8 * [True]
    assert rows["bid_levels"].to_pylist() == [None, None, 1, 1, 0, 0, 0, 0, 0, 0]


def labelled(*gaps: dict) -> list[int]:
    rows = synchronise(Market({}, gaps=list(gaps)), SYNC).snapshots
    return [100 * i for i, gap in enumerate(rows["gap"].to_pylist(), start=1) if gap]


def test_a_period_that_a_loss_overlaps_is_labelled_whatever_the_feed():
    assert labelled(gap(Dataset.FUNDINGS, "decode_error", at(199), at(301))) == [200, 300, 400]
    assert labelled(gap(BOOK, "bad_time", at(200), at(300))) == [300]


def test_a_loss_of_a_moment_labels_the_period_that_holds_it():
    assert labelled(gap(BOOK, "checksum", at(200), at(200))) == [300]


def test_a_loss_without_an_end_or_a_start_labels_all_that_follows_or_came_before():
    assert labelled(gap(BOOK, "crash", at(850), None)) == [900, 1000]
    assert labelled(gap(BOOK, "late_start", None, at(150))) == [100, 200]


def test_silence_late_events_and_losses_of_others_are_no_label():
    silence = gap(BOOK, "silence", at(0), at(500))
    late = gap(Dataset.TRADES, "late", at(0), at(500))
    other = gap(BOOK, "crash", at(0), at(500), symbol="ETHUSDT")
    assert labelled(silence, late, other) == []


def counted(trades: list, *gaps: dict) -> list[int | None]:
    market = Market({Dataset.TRADES: trades}, gaps=list(gaps))
    return synchronise(market, SYNC).snapshots["n_trades"].to_pylist()[:4]


def test_nobody_listened_in_a_period_that_disconnections_cover_together():
    first = gap(Dataset.TRADES, "disconnect", at(50), at(250))
    second = gap(Dataset.TRADES, "crash", at(250), at(350))
    assert counted([], first) == [0, None, 0, 0]
    assert counted([], first, second) == [0, None, None, 0]


def test_a_feed_that_brought_an_event_was_heard():
    disconnected = gap(Dataset.TRADES, "rejected", None, None)
    assert counted([trade(at(150))], disconnected) == [None, 1, None, None]


def test_other_losses_and_other_feeds_do_not_silence_a_feed():
    lost = gap(Dataset.TRADES, "trade_id", at(0), at(900))
    of_the_book = gap(BOOK, "disconnect", at(0), at(900))
    assert counted([], lost, of_the_book) == [0, 0, 0, 0]


def test_a_feed_that_was_not_captured_has_no_counts():
    rows = synchronise(Market({}), SYNC).snapshots
    assert rows["n_trades"].null_count == rows["n_liquidations"].null_count == 10
    assert rows["driven"].to_pylist() == 10 * [False]
