"""Captures: how each feed was captured, as whole rows, and the seams of neighbouring windows."""

import json

import pytest

from atelier_pipeline.decode.scope import Scope, capture_id
from atelier_pipeline.decode.seal import Sealed, Summary, seal
from atelier_pipeline.exchanges.contract import ConnectionSequence
from atelier_pipeline.exchanges.registry import exchange_named
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.window import Window
from atelier_pipeline_tests.decode.script import (
    BOOKS,
    EVERYTHING,
    SEC,
    T0,
    TRADES,
    WINDOW,
    Script,
    accepted,
    at,
    book,
    liquidation,
    plain,
    refused,
    ticker,
    trade,
)

BID, ASK = [(100.0, 1.0)], [(101.0, 1.0)]
NEXT = Window(WINDOW.end_ns, WINDOW.end_ns + 10 * SEC)


def test_a_row_says_all_of_how_a_book_was_captured() -> None:
    script = (
        Script("update_id").opened(-3).says(-2.5, book(-2.6, BID, ASK, snapshot=True, number=1))
    )
    script.says(1, book(0.9, BID, number=2)).says(2, book(1.7, BID, number=3))
    script.says(3, book(2.8, BID, number=4)).says(8, book(0, number=5, ts_event=0)).garbage(9)
    script.says(11, book(10.8, BID, number=6)).closed(12)
    sealed = seal(script.batches(), script.scope(BOOKS), WINDOW, pieces=2)
    row = plain(sealed.captures["A"])[0]
    assert (len(str(row["head_hash"])), len(str(row["tail_hash"]))) == (16, 16)
    assert row | {"head_hash": None, "tail_hash": None} == {
        "exchange": "toy",
        "symbol": "A",
        "dataset": "orderbooks",
        "window_start": WINDOW.start_ns,
        "window_end": WINDOW.end_ns,
        "capture_id": capture_id("toy", "toys", T0),
        "source": "simulated",
        "pieces": 2,
        "opened_at": at(-3),
        "closed_at": at(12),
        "frames": 6,
        "bytes": 6,
        "events": 4,
        "rejected": 1,
        "duplicates": 0,
        "inexact": 0,
        "bad_times": 1,
        "reconnects": 0,
        "integrity": "sequence",
        "clock_offset_ns": SEC // 10,
        "latency_p50_ns": SEC // 5,
        "latency_p99_ns": 3 * SEC // 10,
        "first_trade_id": None,
        "last_trade_id": None,
        "first_update_id": 2,
        "last_update_id": 5,
        "head_events": 2,
        "head_hash": None,
        "tail_events": 2,
        "tail_hash": None,
        "verified": 4,
    }


def test_a_row_says_all_of_how_trades_were_captured() -> None:
    script = Script(ids_grow=True).opened(1)
    script.says(2, trade(0.5, 8, history=True), trade(1.5, 9, history=True))
    script.says(3, trade(2.5, 10), trade(2.5, 11)).says(4, trade(3, 11), trade(3.9, 14))
    script.closed(5, "disconnect").opened(6, 1).says(7, trade(6.9, 15), connection=1)
    script.closed(8, "shutdown", 1)
    row = plain(seal(script.batches(), script.scope(TRADES), WINDOW).captures["A"])[0]
    assert row == {
        "exchange": "toy",
        "symbol": "A",
        "dataset": "trades",
        "window_start": WINDOW.start_ns,
        "window_end": WINDOW.end_ns,
        "capture_id": capture_id("toy", "toys", T0),
        "source": "simulated",
        "pieces": 1,
        "opened_at": at(1),
        "closed_at": at(8),
        "frames": 4,
        "bytes": 4,
        "events": 6,
        "rejected": 0,
        "duplicates": 1,
        "inexact": 0,
        "bad_times": 0,
        "reconnects": 1,
        "integrity": "trade_id",
        "clock_offset_ns": SEC // 10,
        "latency_p50_ns": SEC // 10,
        "latency_p99_ns": SEC // 2,
        "first_trade_id": "8",
        "last_trade_id": "15",
        "first_update_id": None,
        "last_update_id": None,
        "head_events": None,
        "head_hash": None,
        "tail_events": None,
        "tail_hash": None,
        "verified": 4,
    }


@pytest.mark.parametrize(
    ("integrity", "ids_grow", "expected"),
    [
        ("update_id", False, ["sequence", "none", "none", "none", "none"]),
        ("connection_sequence", True, ["sequence", "trade_id", "none", "none", "none"]),
        ("checksum_top10", False, ["checksum_top10", "none", "none", "none", "none"]),
        ("none", True, ["none", "trade_id", "none", "none", "none"]),
    ],
)
def test_integrity_names_what_proves_each_feed(
    integrity: str, *, ids_grow: bool, expected: list[str]
) -> None:
    script = Script(integrity, ids_grow=ids_grow)
    sealed = seal(script.batches(), script.scope(EVERYTHING), WINDOW)
    assert [row["integrity"] for row in plain(sealed.captures["A"], "integrity")] == expected


def test_numbered_connections_count_the_steps_of_the_window_for_each_of_their_books() -> None:
    script = Script("connection_sequence").opened(-3)
    script.says(-2, ConnectionSequence(0), book(-2, BID, ASK, snapshot=True))
    script.says(-1, ConnectionSequence(1)).says(1, ConnectionSequence(2), book(1, symbol="B"))
    script.says(2, ConnectionSequence(3)).says(3, ConnectionSequence(7))
    script.says(4, ConnectionSequence(8)).says(11, ConnectionSequence(9)).closed(12)
    sealed = seal(script.batches(), script.scope(BOOKS, "A", "B"), WINDOW)
    verified = [plain(sealed.captures[symbol], "verified") for symbol in ("A", "B")]
    assert verified == [[{"verified": 3}]] * 2
    assert sealed.summary.verified == 5


def test_values_of_more_digits_than_a_float_holds_are_counted_where_they_are_in_the_window() -> (
    None
):
    def frame(second: int, price: str) -> bytes:
        level = {"side": "bid", "event_time": f"2023-11-14T22:13:{second}Z", "price_level": price}
        event = {
            "type": "update",
            "product_id": "A-USD",
            "updates": [level | {"new_quantity": "1"}],
        }
        message = {"channel": "l2_data", "timestamp": "", "sequence_num": second, "events": [event]}
        return json.dumps(message).encode()

    script = Script()
    for second, price in ((19, "0.1234567890123456"), (21, "0.123456789012345")):
        script.frame(at(second - 20), "text", frame(second, price), 0)
    for second, price in ((22, "1234567.890123456"), (23, "1234567.890123456")):
        script.frame(at(second - 20), "text", frame(second, price), 0)
    script.frame(at(4), "text", frame(24, "1234567.890123456")[:-1], 0)
    scope = Scope(exchange_named("coinbase"), "c", "live", {"A-USD": BOOKS}, None)
    sealed = seal(script.batches(), scope, WINDOW, whole=True)
    assert plain(sealed.captures["A-USD"], "events", "inexact", "rejected") == [
        {"events": 3, "inexact": 2, "rejected": 1}
    ]


def test_a_recording_that_is_the_whole_truth_covers_its_window() -> None:
    script = Script().says(3, trade(3, 1))
    sealed = seal(script.batches(), script.scope(TRADES), WINDOW, whole=True)
    assert plain(sealed.captures["A"], "opened_at", "closed_at", "pieces") == [
        {"opened_at": WINDOW.start_ns, "closed_at": WINDOW.end_ns, "pieces": 1}
    ]


def test_a_planned_end_is_at_the_window_s_end_or_behind_whatever_the_clock_says() -> None:
    script = Script().opened(-3).says(9.8, trade(10.1, 1)).closed(9.9)
    sealed = seal(script.batches(), script.scope(TRADES), WINDOW)
    assert plain(sealed.captures["A"], "closed_at") == [{"closed_at": WINDOW.end_ns}]


def test_nothing_captured_and_captured_but_quiet_can_be_told_apart() -> None:
    nothing = seal([], Script().scope(TRADES), WINDOW)
    script = Script().opened(-3).says(-2, accepted(Dataset.TRADES)).closed(11)
    quiet = seal(script.batches(), script.scope(TRADES), WINDOW)
    columns = ("opened_at", "closed_at", "frames", "events")
    assert plain(nothing.captures["A"], *columns) == [
        {"opened_at": None, "closed_at": None, "frames": 0, "events": 0}
    ]
    assert plain(quiet.captures["A"], *columns) == [
        {"opened_at": at(-3), "closed_at": at(11), "frames": 0, "events": 0}
    ]
    assert (nothing.gaps["A"].num_rows, quiet.gaps["A"].num_rows) == (1, 0)


def test_a_summary_adds_up() -> None:
    script = Script("update_id").opened(-1).says(-0.5, refused("no"))
    script.says(1, book(1, BID, ASK, snapshot=True, number=1), trade(1, 1))
    script.says(2, book(2, number=3)).closed(3, "shutdown")
    sealed = seal(script.batches(), script.scope(BOOKS | TRADES), WINDOW)
    size = sum(len(payload) for *_, payload in script.rows)
    assert sealed.summary == Summary(
        frames=5,
        bytes=size,
        connections=1,
        events={Dataset.ORDERBOOKS: 2, Dataset.TRADES: 1},
        verified=0,
        losses={"late_start": 2, "shutdown": 2, "sequence": 1},
        refusals=("no",),
    )


def market(script: Script, connection: int, since: float, until: float) -> None:
    """What one connection is told of one market between two seconds of the first window."""
    opening = [(100.0, 1.0), (99.0, 2.0)], [(101.0, 1.0)]
    first = True
    for tick in range(-200, 400):
        second = tick / 10
        opening[0][0] = (100.0, 1.0 + tick)
        if not since <= second < until:
            continue
        if first:
            opening_ticker = ticker(second, snapshot=True, rate=0.1, interest=tick, value=1)
            script.says(second, book(second, *opening, snapshot=True), connection=connection)
            script.says(second, opening_ticker, connection=connection)
            first = False
        else:
            script.says(second, book(second, opening[0][:1]), connection=connection)
        script.says(second + 0.01, trade(second, tick), connection=connection)
        script.says(second + 0.02, liquidation(second), connection=connection)
        script.says(second + 0.03, ticker(second, interest=tick), connection=connection)


def neighbours(since: float = 5.0, until: float = 12.0) -> tuple[Sealed, Sealed]:
    """Two windows of one market: the first one captured until, the second one since a second."""
    first, second = Script(), Script()
    first.opened(-15, 0)
    market(first, 0, -15, until)
    first.closed(until)
    second.opened(since, 0)
    market(second, 0, since, 25)
    second.closed(25)
    return (
        seal(first.batches(), first.scope(EVERYTHING), WINDOW),
        seal(second.batches(), second.scope(EVERYTHING), NEXT),
    )


def seams(sealed: Sealed, end: str) -> list[dict[str, object]]:
    rows = plain(sealed.captures["A"], "dataset", f"{end}_events", f"{end}_hash")
    return [
        {"dataset": r["dataset"], "n": r[f"{end}_events"], "hash": r[f"{end}_hash"]} for r in rows
    ]


def test_two_captures_see_the_same_at_their_seam() -> None:
    first, second = neighbours()
    assert seams(first, "tail") == seams(second, "head")
    assert [row["n"] for row in seams(first, "tail")] == [3, 20, 20, 1, 1]


def test_a_seam_shows_an_event_that_one_of_two_captures_missed() -> None:
    first, _ = neighbours()
    script = Script().opened(-15)
    market(script, 0, -15, 12)
    behind_the_window, of_a_tick = 80, 4
    del script.rows[-behind_the_window - of_a_tick + 1]
    other = seal(script.closed(12).batches(), script.scope(EVERYTHING), WINDOW)
    differing = [
        mine["dataset"]
        for mine, theirs in zip(seams(first, "tail"), seams(other, "tail"), strict=True)
        if mine != theirs
    ]
    assert differing == ["trades"]


def test_a_capture_that_came_late_for_the_seam_says_nothing_about_it() -> None:
    _, second = neighbours(since=8.5)
    assert [row["hash"] is None for row in seams(second, "head")] == [False, True, True, True, True]


def test_a_capture_that_ended_before_the_window_says_nothing_about_its_end() -> None:
    script = Script().opened(-15)
    market(script, 0, -15, 9.5)
    sealed = seal(script.closed(9.6, "shutdown").batches(), script.scope(EVERYTHING), WINDOW)
    assert [row["hash"] for row in seams(sealed, "tail")] == [None] * 5
