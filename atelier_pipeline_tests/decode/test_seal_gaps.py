"""The ledger: every rule of what is known to be missing, as whole rows."""

from zlib import crc32

import pytest

from atelier_pipeline.decode.scope import capture_id
from atelier_pipeline.decode.seal import Sealed, seal
from atelier_pipeline.exchanges.contract import Acknowledged, ConnectionSequence, Heartbeat, Topic
from atelier_pipeline.lake.journal import Damage
from atelier_pipeline.lake.schemas import GAPS
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline_tests.decode.script import (
    BOOKS,
    TRADES,
    WINDOW,
    Script,
    accepted,
    at,
    book,
    losses,
    plain,
    refused,
    ticker,
    trade,
)

BOTH = BOOKS | TRADES
BID, ASK = [(100.0, 1.0)], [(101.0, 1.0)]


def sealed(
    script: Script,
    datasets: frozenset[Dataset] = BOOKS,
    *symbols: str,
    gap_threshold_secs: float = 60.0,
) -> Sealed:
    scope = script.scope(datasets, *symbols)
    return seal(script.batches(), scope, WINDOW, gap_threshold_secs=gap_threshold_secs)


def gaps(script: Script, datasets: frozenset[Dataset] = BOOKS) -> list[tuple[object, ...]]:
    return losses(sealed(script, datasets).gaps["A"])


def streaming(integrity: str = "none", *, ids_grow: bool = False) -> Script:
    """A connection with a book and a trade before the window."""
    script = Script(integrity, ids_grow=ids_grow).opened(-3)
    script.says(-2, book(-2, BID, ASK, snapshot=True, number=10))
    return script.says(-1, trade(-1, 50))


def test_a_capture_that_ran_through_the_window_has_no_gaps() -> None:
    script = streaming().says(4, book(4)).says(8, book(8)).says(11, book(11)).closed(12)
    assert sealed(script, BOTH).gaps["A"].equals(GAPS.empty_table())


def test_a_hole_in_the_update_ids_lasts_until_the_next_snapshot() -> None:
    script = streaming("update_id").says(1, book(0.9, BID, number=11))
    script.says(2, book(1.9, BID, number=14)).says(3, book(2.9, BID, number=15))
    script.says(4, book(3.9, BID, ASK, snapshot=True, number=16)).closed(11)
    assert gaps(script)[:1] == [
        ("orderbooks", "sequence", "symbol", 0.9, 3.9, 2.0, 11, 14, 2),
    ]


def test_an_update_id_that_goes_back_is_a_loss_of_unknown_size() -> None:
    script = streaming("update_id").says(1, book(1, BID, number=9)).closed(5, "shutdown")
    assert gaps(script)[0] == ("orderbooks", "sequence", "symbol", 0.0, 10.0, 1.0, 10, 9, None)


def test_each_hole_of_a_broken_book_is_a_loss_of_its_own() -> None:
    script = streaming("update_id").says(1, book(1, BID, number=12))
    script.says(2, book(2, BID, number=14)).says(3, book(3, BID, ASK, snapshot=True, number=20))
    script.says(6, book(6, number=21)).says(9, book(9, number=22)).closed(11)
    assert gaps(script) == [
        ("orderbooks", "sequence", "symbol", 0.0, 3.0, 1.0, 10, 12, 1),
        ("orderbooks", "sequence", "symbol", 1.0, 3.0, 2.0, 12, 14, 1),
    ]


def test_changes_before_the_first_snapshot_are_no_loss_of_numbers() -> None:
    script = Script("update_id").opened(-3).says(-2, book(-2, number=5))
    script.says(-1, book(-1, number=9)).says(0, book(0, BID, ASK, snapshot=True, number=10))
    script.says(4, book(4, number=11)).says(8, book(8, number=12)).closed(11)
    assert gaps(script) == []


def test_a_hole_in_a_connection_s_numbers_costs_every_feed_of_it() -> None:
    script = Script("connection_sequence").opened(-3)
    script.says(-2, ConnectionSequence(4), book(-2, BID, ASK, snapshot=True))
    script.says(-1, ConnectionSequence(5), trade(-1, 50))
    script.says(2, ConnectionSequence(9), book(1.9, BID))
    script.says(3, ConnectionSequence(10), book(2.9, BID, ASK, snapshot=True))
    script.says(7, ConnectionSequence(11), book(7)).says(11, ConnectionSequence(12)).closed(12)
    assert gaps(script, BOTH) == [
        ("trades", "sequence", "connection", -0.0, 2.0, 2.0, 5, 9, None),
        ("orderbooks", "sequence", "connection", -0.0, 2.9, 2.0, 5, 9, None),
    ]


def test_a_failed_checksum_is_a_loss_from_the_message_that_fails() -> None:
    script = Script("checksum_top10").opened(-3)
    right, wrong = crc32(b"10111001"), 7
    script.says(-2, book(-2, BID, ASK, snapshot=True, digits=True, checksum=right))
    script.says(1, book(1, BID, digits=True, checksum=right))
    script.says(2, book(2, BID, digits=True, checksum=wrong))
    script.says(3, book(3, BID, digits=True, checksum=right))
    script.says(4, book(4, BID, ASK, snapshot=True, digits=True, checksum=right))
    whole = sealed(script.closed(11))
    assert losses(whole.gaps["A"]) == [
        ("orderbooks", "checksum", "symbol", 1.0, 4.0, 2.0, None, None, None)
    ]
    assert plain(whole.captures["A"], "events", "integrity", "verified") == [
        {"events": 4, "integrity": "checksum_top10", "verified": 2}
    ]


def test_a_book_crossed_for_up_to_a_second_has_lost_nothing() -> None:
    script = streaming().says(1, book(1, [(102, 1)])).says(2, book(2, [(102, 0)]))
    assert gaps(script.says(6, book(6)).says(10, book(10)).closed(11)) == []


def test_a_book_crossed_for_over_a_second_is_lost_until_the_next_snapshot() -> None:
    script = streaming().says(1, book(1)).says(2, book(2, [(102, 1)])).says(2.5, book(2.5))
    script.says(3.1, book(3.1)).says(4, book(4, [(102, 0)]))
    script.says(5, book(5, BID, ASK, snapshot=True)).says(9, book(9)).closed(11)
    assert gaps(script) == [("orderbooks", "crossed", "symbol", 1.0, 5.0, 3.1, None, None, None)]


def test_a_snapshot_that_ends_a_long_crossing_heals_what_was_known_before_it() -> None:
    script = streaming().says(1, book(1)).says(2, book(2, [(102, 1)]))
    script.says(4, book(4, BID, ASK, snapshot=True)).says(8, book(8)).says(11, book(11)).closed(12)
    assert gaps(script) == [("orderbooks", "crossed", "symbol", 1.0, 4.0, 2.0, None, None, None)]


def test_a_book_that_stays_crossed_to_the_end_is_lost() -> None:
    script = streaming().says(4, book(4)).says(8, book(8, [(102, 1)])).says(11, trade(11, 1))
    assert gaps(script.closed(12)) == [
        ("orderbooks", "crossed", "symbol", 4.0, 10.0, 10.0, None, None, None)
    ]


def test_a_lost_connection_costs_books_to_the_snapshot_and_trades_to_the_first_event() -> None:
    script = streaming().says(1, book(0.9, BID), trade(0.8, 51))
    script.closed(2, "disconnect", reason="reset").opened(3, 1)
    script.says(4, book(3.9, BID, ASK, snapshot=True), connection=1)
    script.says(5, trade(4.9, 60), connection=1).says(8, book(8), connection=1)
    script.says(11, book(11), connection=1).closed(12, connection=1)
    whole = sealed(script, BOTH)
    assert losses(whole.gaps["A"]) == [
        ("trades", "disconnect", "connection", 0.8, 4.9, 2.0, None, None, None),
        ("orderbooks", "disconnect", "connection", 0.9, 3.9, 2.0, None, None, None),
    ]
    assert plain(whole.gaps["A"], "detail") == [{"detail": "reset"}] * 2
    assert plain(whole.captures["A"], "dataset", "reconnects") == [
        {"dataset": "orderbooks", "reconnects": 1},
        {"dataset": "trades", "reconnects": 1},
    ]


def test_a_frame_above_the_limit_costs_all_until_the_next_connection_streams() -> None:
    script = streaming("update_id").says(1, book(0.9, number=11), trade(0.8, 51))
    script.dropped(2, 1, "oversize").closed(2, "disconnect").opened(3, 1)
    script.says(4, book(3.9, BID, ASK, snapshot=True, number=40), connection=1)
    script.says(5, trade(4.9, 60), connection=1).says(11, book(11, number=41), connection=1)
    assert gaps(script.closed(12, connection=1), BOTH) == [
        ("trades", "oversize", "connection", 0.8, 4.9, 2.0, None, None, None),
        ("orderbooks", "oversize", "connection", 0.9, 3.9, 2.0, None, None, None),
        ("orderbooks", "disconnect", "connection", 1.5, 3.9, 2.0, None, None, None),
        ("trades", "disconnect", "connection", 1.5, 4.9, 2.0, None, None, None),
    ]


def test_a_quiet_feed_was_whole_until_shortly_before_its_connection_was_last_heard_of() -> None:
    script = streaming().says(6, book(6, BID)).closed(7, "disconnect").opened(7.5, 1)
    script.says(8, accepted(Dataset.TRADES), connection=1).closed(11, connection=1)
    assert gaps(script, TRADES) == [
        ("trades", "disconnect", "connection", 5.5, 8.0, 7.0, None, None, None)
    ]


def test_a_connection_that_is_not_made_again_is_lost_to_the_window_s_end() -> None:
    script = streaming().says(1, book(1)).closed(2, "disconnect", reason="reset")
    script.closed(3, "disconnect", 1, reason="refused").closed(4, "disconnect", 2)
    assert gaps(script) == [
        ("orderbooks", "disconnect", "connection", 1.0, 10.0, 2.0, None, None, None)
    ]


def test_a_stop_before_the_window_s_end_is_a_shutdown() -> None:
    script = streaming().says(1, book(1)).says(3, trade(3, 51)).closed(4, "shutdown")
    assert gaps(script, BOTH) == [
        ("orderbooks", "shutdown", "connection", 2.5, 10.0, 4.0, None, None, None),
        ("trades", "shutdown", "connection", 3.0, 10.0, 4.0, None, None, None),
    ]


def test_a_capture_that_goes_on_after_a_stop_ends_the_shutdown() -> None:
    script = streaming().says(1, book(1)).closed(2, "shutdown").opened(5, 1)
    script.says(6, book(6, BID, ASK, snapshot=True), connection=1).says(9, book(9), connection=1)
    script.closed(11, connection=1)
    assert gaps(script) == [
        ("orderbooks", "shutdown", "connection", 1.0, 6.0, 2.0, None, None, None)
    ]


def test_the_planned_end_is_no_loss_even_on_a_clock_that_is_behind() -> None:
    script = streaming().says(4, book(4)).says(8, book(8)).says(9.8, book(10.1)).closed(9.9)
    assert gaps(script) == []


def test_frames_that_end_without_closing_are_a_crash() -> None:
    script = streaming().says(1, book(1)).says(2, trade(2, 51))
    assert gaps(script, BOTH) == [
        ("orderbooks", "crash", "connection", 1.5, 10.0, 2.0, None, None, None),
        ("trades", "crash", "connection", 2.0, 10.0, 2.0, None, None, None),
    ]


def test_a_connection_replaced_without_closing_is_a_crash() -> None:
    script = streaming().says(1, book(1)).opened(4, 1)
    script.says(5, book(5, BID, ASK, snapshot=True), connection=1).says(9, book(9), connection=1)
    script.closed(11, connection=1)
    assert gaps(script) == [("orderbooks", "crash", "connection", 1.0, 5.0, 1.0, None, None, None)]


def test_a_torn_journal_is_a_crash_with_its_reason() -> None:
    script = streaming().says(1, book(1)).opened(4, 1)
    script.says(5, book(5, BID, ASK, snapshot=True), connection=1).says(9, book(9), connection=1)
    script.closed(11, connection=1)
    torn = Damage(
        segment="segment-000.arrows",
        after_seq=3,
        after_ts=at(1),
        reason="crc32 differs",
        unread_bytes=9,
    )
    whole = seal(script.batches(), script.scope(BOOKS), WINDOW, damage=[torn], pieces=2)
    assert losses(whole.gaps["A"]) == gaps(script)
    assert plain(whole.gaps["A"], "cause", "detail") == [
        {"cause": "crash", "detail": "crc32 differs"}
    ]


def test_a_connection_made_before_the_old_one_ends_loses_nothing() -> None:
    script = streaming().opened(1, 1)
    script.says(2, book(2, BID, ASK, snapshot=True), connection=1)
    script.closed(3, "disconnect").says(6, book(6), connection=1).says(9, book(9), connection=1)
    assert gaps(script.closed(11, connection=1)) == []


def test_a_late_start_lasts_from_the_window_s_start_to_the_first_state_or_answer() -> None:
    script = (
        Script().opened(2).says(3, accepted(Dataset.TRADES)).says(3.5, accepted(Dataset.ORDERBOOKS))
    )
    script.says(4, book(3.9, BID, ASK, snapshot=True)).says(5, ticker(4.8, snapshot=True, rate=0.1))
    script.says(7, book(7)).closed(11)
    assert gaps(script, BOTH | {Dataset.FUNDINGS}) == [
        ("trades", "late_start", "connection", 0.0, 3.0, 0.0, None, None, None),
        ("orderbooks", "late_start", "connection", 0.0, 3.9, 0.0, None, None, None),
        ("fundings", "late_start", "connection", 0.0, 4.8, 0.0, None, None, None),
    ]


def test_a_late_start_that_still_tells_of_the_time_before_is_a_note() -> None:
    script = Script().opened(0.5).says(1, book(-0.5, BID, ASK, snapshot=True))
    script.says(5, book(5)).says(9, book(9)).closed(11)
    assert gaps(script) == [("orderbooks", "late_start", "connection", 0, 0, None, None, None, 0)]


def test_a_feed_that_never_came_is_late_for_the_whole_window_and_says_why() -> None:
    script = Script().closed(1, "disconnect", reason="no route").closed(2, "disconnect", 1)
    whole = sealed(script)
    assert losses(whole.gaps["A"]) == [
        ("orderbooks", "late_start", "connection", 0.0, 10.0, 0.0, None, None, None)
    ]
    assert plain(whole.gaps["A"], "detail") == [{"detail": "no route"}]


def test_a_recording_that_is_the_whole_truth_has_no_late_start_and_no_crash() -> None:
    script = Script().says(3, book(3, BID, ASK, snapshot=True)).says(5, book(5))
    whole = seal(script.batches(), script.scope(BOTH), WINDOW, whole=True)
    assert whole.gaps["A"].num_rows == 0


@pytest.mark.parametrize("cause", ["overflow", "oversize"])
def test_dropped_frames_cost_books_to_the_snapshot_and_trades_to_the_next_frame(
    cause: str,
) -> None:
    script = streaming("update_id").says(1, book(1, number=11)).dropped(2, 7, cause)  # pyright: ignore[reportArgumentType]
    script.says(3, book(3, number=12)).says(4, book(4, BID, ASK, snapshot=True, number=13))
    script.says(8, book(8, number=14)).closed(11)
    whole = sealed(script, BOTH)
    assert losses(whole.gaps["A"]) == [
        ("trades", cause, "connection", 0.5, 3.0, 2.0, None, None, None),
        ("orderbooks", cause, "connection", 1.0, 4.0, 2.0, None, None, None),
    ]
    assert plain(whole.gaps["A"], "detail") == [{"detail": "7 frames: full"}] * 2


def test_an_undecodable_frame_may_have_been_anything() -> None:
    script = streaming().says(1, book(1)).garbage(2).garbage(3).says(4, book(4))
    script.says(5, book(5, BID, ASK, snapshot=True)).says(9, book(9)).closed(11)
    whole = sealed(script, BOTH)
    assert losses(whole.gaps["A"]) == [
        ("trades", "decode_error", "connection", 0.5, 3.0, 2.0, None, None, None),
        ("orderbooks", "decode_error", "connection", 1.0, 5.0, 2.0, None, None, None),
    ]
    detail = "2 frames, first: toy does not document b'garbage'"
    assert plain(whole.gaps["A"], "detail") == [{"detail": detail}] * 2
    assert plain(whole.captures["A"], "rejected") == [{"rejected": 2}] * 2


def test_undecodable_frames_far_apart_are_losses_of_their_own() -> None:
    script = streaming().garbage(1).garbage(3).says(4, trade(4, 51)).closed(11)
    whole = sealed(script, TRADES, gap_threshold_secs=1.5)
    assert [row[3:6] for row in losses(whole.gaps["A"])] == [(0.0, 1.0, 1.0), (0.5, 3.0, 3.0)]


def test_an_undecodable_frame_is_a_note_where_numbers_show_what_books_lose() -> None:
    script = streaming("update_id").says(1, book(1, number=11)).garbage(2)
    script.says(3, book(3, number=12)).says(7, book(7, number=13)).closed(11)
    assert gaps(script) == [("orderbooks", "decode_error", "connection", 2, 2, None, None, None, 0)]


def test_a_refused_feed_is_lost_for_the_window() -> None:
    script = Script().opened(-3).says(-2, refused("no such depth", Topic("orderbooks", "A")))
    script.says(-1, trade(-1, 50)).says(11, trade(11, 51)).closed(12)
    whole = sealed(script, BOTH)
    assert losses(whole.gaps["A"]) == [
        ("orderbooks", "rejected", "symbol", 0.0, 10.0, -2.0, None, None, None)
    ]
    assert plain(whole.gaps["A"], "detail") == [{"detail": "no such depth"}]
    assert whole.summary.refusals == ("no such depth",)


def test_a_refusal_of_no_named_topic_is_of_what_never_streamed() -> None:
    script = Script().opened(-3).says(-2, refused("depth not supported"))
    script.says(-1, accepted(Dataset.TRADES)).closed(11)
    assert gaps(script, BOTH) == [
        ("orderbooks", "rejected", "symbol", 0.0, 10.0, -2.0, None, None, None)
    ]


def test_a_refusal_while_the_feed_streams_is_a_note() -> None:
    script = streaming().says(1, book(1)).says(2, refused("already", Topic("orderbooks", "A")))
    script.says(5, book(5)).says(9, book(9)).closed(11)
    assert gaps(script) == [("orderbooks", "rejected", "symbol", 2, 2, None, None, None, 0)]


def test_missing_trade_ids_are_counted_and_bounded_by_their_neighbours() -> None:
    script = streaming(ids_grow=True).says(1, trade(1, 51)).says(2, trade(1.9, 55))
    script.says(3, trade(1.5, 53)).says(11, trade(11, 56)).closed(12)
    assert gaps(script, TRADES) == [
        ("trades", "trade_id", "symbol", 1.0, 1.5, 3.0, 51, 53, 1),
        ("trades", "trade_id", "symbol", 1.5, 1.9, 2.0, 53, 55, 1),
    ]


def test_history_after_a_reconnection_fills_the_hole() -> None:
    script = streaming(ids_grow=True).says(1, trade(1, 51)).closed(2, "disconnect").opened(3, 1)
    history = [trade(1, 51, history=True), trade(2.5, 52, history=True)]
    script.says(4, *history, connection=1).says(5, trade(5, 53), connection=1)
    whole = sealed(script.says(11, trade(11, 54), connection=1).closed(12, connection=1), TRADES)
    assert losses(whole.gaps["A"]) == [
        ("trades", "disconnect", "connection", 1.0, 4.0, 2.0, None, None, None)
    ]
    assert plain(whole.captures["A"], "events", "duplicates", "verified") == [
        {"events": 3, "duplicates": 1, "verified": 3}
    ]


def test_a_heartbeat_tells_of_trades_that_never_came() -> None:
    script = streaming(ids_grow=True).says(
        2, Heartbeat(ts_event=at(2), symbol="A", last_trade_id=52)
    )
    assert gaps(script.closed(11), TRADES) == [
        ("trades", "trade_id", "symbol", 0.0, 2.0, 2.0, 50, None, 2)
    ]


def test_a_heartbeat_before_the_first_trade_is_where_the_ids_start() -> None:
    script = Script(ids_grow=True).opened(-3).says(-2, Acknowledged())
    script.says(1, Heartbeat(ts_event=at(1), symbol="A", last_trade_id=49))
    assert gaps(script.says(3, trade(3, 52)).closed(11), TRADES) == [
        ("trades", "trade_id", "symbol", 1.0, 3.0, 3.0, 49, 52, 2)
    ]


def test_events_without_a_usable_time_take_their_receipt_and_a_note() -> None:
    script = streaming().says(1, trade(0, 51, ts_event=0)).says(2, trade(62.001, 52))
    script.says(8, trade(-86_393, 53), trade(-86_391.9, 54)).says(11, trade(11, 55)).closed(12)
    whole = sealed(script, TRADES, gap_threshold_secs=5)
    times = plain(whole.tables["A", Dataset.TRADES], "id", "ts_event", "ts_recv")
    assert times == [
        {"id": "51", "ts_event": at(1), "ts_recv": at(1)},
        {"id": "52", "ts_event": at(2), "ts_recv": at(2)},
        {"id": "53", "ts_event": at(8), "ts_recv": at(8)},
    ]
    assert losses(whole.gaps["A"]) == [
        ("trades", "bad_time", "symbol", 1, 2, None, None, None, 0),
        ("trades", "bad_time", "symbol", 8, 8, None, None, None, 0),
    ]
    assert plain(whole.captures["A"], "bad_times") == [{"bad_times": 3}]


def test_a_snapshot_may_be_old_but_not_from_the_future() -> None:
    script = Script().opened(1).says(2, book(-90_000, BID, ASK, snapshot=True))
    script.says(3, book(63.001, BID, ASK, snapshot=True)).says(7, book(7)).closed(11)
    assert gaps(script) == [
        ("orderbooks", "late_start", "connection", 0, 0, None, None, None, 0),
        ("orderbooks", "bad_time", "symbol", 3, 3, None, None, None, 0),
    ]


def test_a_silent_book_is_noted_as_its_symbol_s_or_its_connection_s() -> None:
    script = streaming().says(1, book(0.9, BID)).says(4, trade(4, 51)).says(6.5, book(6.4))
    script.says(12, book(11.9)).closed(13)
    assert losses(sealed(script, BOTH, gap_threshold_secs=5).gaps["A"]) == [
        ("orderbooks", "silence", "symbol", 1.0, 6.5, None, None, None, 0),
        ("orderbooks", "silence", "connection", 6.5, 10.0, None, None, None, 0),
    ]


def test_a_loss_outside_the_window_is_another_window_s() -> None:
    script = Script("update_id").opened(-9).says(-8, book(-8, BID, ASK, snapshot=True, number=1))
    script.says(-7, book(-7, number=5)).says(-6, book(-6, BID, ASK, snapshot=True, number=6))
    script.says(-2, book(-2, number=7)).says(2, book(2, number=8)).says(6, book(6, number=9))
    script.says(10, book(10, number=10)).says(11, book(11, number=15)).closed(12)
    assert gaps(script) == []


def test_a_loss_from_before_is_cut_to_the_window_and_shuts_the_opening_out() -> None:
    script = Script("update_id").opened(-9).says(-8, book(-8, BID, ASK, snapshot=True, number=1))
    script.says(-1, book(-1, number=5)).says(2, book(2, BID, ASK, snapshot=True, number=9))
    script.says(6, book(6, number=10)).says(10, book(10, number=11)).closed(12)
    whole = sealed(script)
    assert losses(whole.gaps["A"]) == [
        ("orderbooks", "sequence", "symbol", 0.0, 2.0, -1.0, 1, 5, 3)
    ]
    table = plain(whole.tables["A", Dataset.ORDERBOOKS], "message", "opening")
    assert table[0] == {"message": 1, "opening": False}


def test_a_connection_lost_before_the_window_shuts_the_opening_out() -> None:
    script = streaming().closed(-0.5, "disconnect").opened(1, 1)
    script.says(2, book(2, BID, ASK, snapshot=True), connection=1).says(6, book(6), connection=1)
    script.closed(11, connection=1)
    table = sealed(script).tables["A", Dataset.ORDERBOOKS]
    assert plain(table, "message", "opening")[0] == {"message": 1, "opening": False}


def test_a_loss_noticed_in_the_window_leaves_the_opening_as_it_was_believed() -> None:
    script = streaming("update_id").says(1, book(1, BID, number=12)).closed(5, "shutdown")
    table = sealed(script).tables["A", Dataset.ORDERBOOKS]
    assert plain(table, "message", "opening")[0] == {"message": 0, "opening": True}


def test_a_loss_stays_with_the_symbol_whose_evidence_it_is() -> None:
    script = Script("update_id").opened(-3)
    for symbol in ("A", "B"):
        script.says(-2, book(-2, BID, ASK, snapshot=True, number=1, symbol=symbol))
        script.says(5, book(5, number=2, symbol=symbol))
    script.says(6, book(6, number=9)).says(7, book(7, number=3, symbol="B"))
    script.closed(11)
    whole = sealed(script, BOOKS, "A", "B")
    causes = {symbol: plain(table, "cause") for symbol, table in whole.gaps.items()}
    assert causes == {"A": [{"cause": "sequence"}], "B": []}


def test_a_gap_row_names_its_capture_and_has_an_id_of_its_own() -> None:
    script = streaming("update_id").says(1, book(1, number=12)).says(2, book(2, number=14))
    table = sealed(script.closed(3, "shutdown")).gaps["A"]
    rows = plain(table, "gap_id", "exchange", "symbol", "capture_id")
    ids = [row["gap_id"] for row in rows]
    assert len(set(ids)) == len(ids) == 3
    name = {"exchange": "toy", "symbol": "A", "capture_id": capture_id("toy", "toys", at(0))}
    assert [{**row, "gap_id": None} for row in rows] == [name | {"gap_id": None}] * 3
