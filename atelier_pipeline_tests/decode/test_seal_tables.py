"""Raw tables of small scripts, whole."""

from atelier_pipeline.decode.seal import seal
from atelier_pipeline.lake.schemas import RAW
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline_tests.decode.script import (
    BOOKS,
    EVERYTHING,
    T0,
    TRADES,
    WINDOW,
    Script,
    at,
    book,
    liquidation,
    plain,
    ticker,
    trade,
)


def level(  # noqa: PLR0913 - one argument for each field
    message: int,
    side: str,
    rank: int | None,
    price: float,
    size: float,
    ts_event: int,
    ts_recv: int,
    *,
    snapshot: bool = False,
    opening: bool = False,
    number: int | None = None,
) -> dict[str, object]:
    return {
        "orderbook_ts": ts_event,
        "symbol": "A",
        "exchange": "toy",
        "side": side,
        "level": rank,
        "price": price,
        "size": size,
        "ts_event": ts_event,
        "ts_recv": ts_recv,
        "message": message,
        "update_id": number,
        "is_snapshot": snapshot,
        "opening": opening,
    }


def books_of(script: Script, *, depth: int | None = None) -> list[dict[str, object]]:
    sealed = seal(script.batches(), script.scope(BOOKS, depth=depth), WINDOW)
    return plain(sealed.tables["A", Dataset.ORDERBOOKS])


def test_a_book_opens_with_its_state_before_the_window_and_goes_on_with_its_messages() -> None:
    script = Script("update_id").opened(-3)
    script.says(-2, book(-2.1, [(100, 1), (99, 2)], [(101, 3)], snapshot=True, number=7))
    script.says(-1, book(-1.1, [(99, 0)], [(102, 4)], number=8))
    script.says(1, book(0.9, [(100, 5)], [(101, 0), (103, 6)], number=9))
    script.says(11, book(10.9, [(100, 6)], number=10)).closed(12)
    opening = {"snapshot": True, "opening": True, "number": 8}
    assert books_of(script) == [
        level(0, "bid", 0, 100, 1, at(-1.1), at(-1), **opening),
        level(0, "ask", 0, 101, 3, at(-1.1), at(-1), **opening),
        level(0, "ask", 1, 102, 4, at(-1.1), at(-1), **opening),
        level(1, "bid", None, 100, 5, at(0.9), at(1), number=9),
        level(1, "ask", None, 101, 0, at(0.9), at(1), number=9),
        level(1, "ask", None, 103, 6, at(0.9), at(1), number=9),
    ]


def test_a_message_of_the_window_s_first_nanosecond_is_no_part_of_the_opening() -> None:
    script = Script().opened(-3)
    script.says(-2, book(-2, [(100, 1)], [(101, 1)], snapshot=True))
    script.says(0.1, book(0, [(100, 9)], [])).closed(11)
    assert [(row["message"], row["size"]) for row in books_of(script)] == [(0, 1), (0, 1), (1, 9)]


def test_a_late_message_belongs_to_the_window_of_the_newest_time_before_it() -> None:
    script = Script().opened(-3)
    script.says(-2, book(-2, [(100, 1)], [(101, 1)], snapshot=True))
    script.says(0.5, book(0.4, [(100, 2)]))
    script.says(0.6, book(-0.1, [(100, 3)])).closed(11)
    rows = [(row["message"], row["size"], row["ts_event"]) for row in books_of(script)]
    assert rows[2:] == [(1, 2, at(0.4)), (2, 3, at(-0.1))]


def test_a_snapshot_counts_its_levels_best_first_whatever_their_order_on_the_wire() -> None:
    script = Script().opened(-1)
    bids, asks = [(99, 2), (100, 1), (98, 3)], [(102, 5), (101, 4)]
    script.says(1, book(1, bids, asks, snapshot=True)).closed(11)
    assert books_of(script) == [
        level(1, "bid", 0, 100, 1, at(1), at(1), snapshot=True),
        level(1, "bid", 1, 99, 2, at(1), at(1), snapshot=True),
        level(1, "bid", 2, 98, 3, at(1), at(1), snapshot=True),
        level(1, "ask", 0, 101, 4, at(1), at(1), snapshot=True),
        level(1, "ask", 1, 102, 5, at(1), at(1), snapshot=True),
    ]


def test_a_message_without_levels_is_one_row_without_level() -> None:
    script = Script("update_id").opened(-1)
    script.says(1, book(1, [(100, 1)], [(101, 1)], snapshot=True, number=1))
    script.says(2, book(2, number=2)).says(3, book(3, snapshot=True, number=3)).closed(11)
    nothing = {"side": None, "level": None, "price": None, "size": None}
    assert books_of(script)[2:] == [
        level(2, "bid", None, 0, 0, at(2), at(2), number=2) | nothing,
        level(3, "bid", None, 0, 0, at(3), at(3), number=3, snapshot=True) | nothing,
    ]


def test_the_opening_book_is_cut_where_the_client_has_to_cut() -> None:
    script = Script(cuts=True).opened(-3)
    script.says(-2, book(-2, [(100, 1)], [(101, 1)], snapshot=True))
    script.says(-1, book(-1, [(100.5, 2)], [(101.5, 2)])).closed(11)
    rows = books_of(script, depth=1)
    assert [(row["side"], row["price"]) for row in rows] == [("bid", 100.5), ("ask", 101)]


def test_a_snapshot_sent_again_under_its_number_is_counted_and_left_out() -> None:
    script = Script("update_id").opened(-1)
    best = book(1, [(100, 1)], [(101, 1)], snapshot=True, number=5)
    script.says(1, best).says(4, book(4, [(100, 1)], [(101, 1)], snapshot=True, number=5))
    script.says(5, book(5, [(100, 2)], [(101, 1)], snapshot=True, number=6)).closed(11)
    sealed = seal(script.batches(), script.scope(BOOKS), WINDOW)
    table = sealed.tables["A", Dataset.ORDERBOOKS]
    assert plain(table, "message", "update_id", "size")[::2] == [
        {"message": 1, "update_id": 5, "size": 1.0},
        {"message": 2, "update_id": 6, "size": 2.0},
    ]
    assert plain(sealed.captures["A"], "events", "duplicates") == [{"events": 2, "duplicates": 1}]


def test_messages_of_another_depth_are_another_feed() -> None:
    script = Script("update_id").opened(-1)
    script.says(1, book(1, [(100, 1)], [(101, 1)], snapshot=True, number=5, depth=5))
    script.says(2, book(2, [(100, 9)], [(101, 9)], snapshot=True, number=70, depth=1))
    script.says(3, book(3, [(100, 2)], number=6, depth=5)).closed(11)
    rows = books_of(script, depth=5)
    assert [(row["message"], row["size"]) for row in rows] == [(1, 1), (1, 1), (2, 2)]


def test_trades_are_unique_by_id_and_in_order_of_their_own_time() -> None:
    script = Script().opened(-1)
    script.says(1, trade(0.9, "a", side="sell", price=100.5, amount=2), trade(0.8, "b"))
    script.says(2, trade(0.8, "b", price=1), trade(-0.1, "c"), trade(10, "d"))
    script.closed(11)
    sealed = seal(script.batches(), script.scope(TRADES), WINDOW)
    row = {"symbol": "A", "exchange": "toy", "ts_recv": at(1)}
    assert plain(sealed.tables["A", Dataset.TRADES]) == [
        row
        | {"trade_ts": at(0.8) // 1_000_000, "side": "buy", "price": 100, "amount": 1}
        | {"id": "b", "ts_event": at(0.8)},
        row
        | {"trade_ts": at(0.9) // 1_000_000, "side": "sell", "price": 100.5, "amount": 2}
        | {"id": "a", "ts_event": at(0.9)},
    ]
    assert plain(sealed.captures["A"], "events", "duplicates") == [{"events": 2, "duplicates": 1}]


def test_history_inside_the_window_is_kept_like_any_trade() -> None:
    script = Script().opened(1)
    history = [trade(-1, 1, history=True), trade(0.5, 2, history=True)]
    script.says(2, *history).says(3, trade(2.9, 3)).closed(11)
    sealed = seal(script.batches(), script.scope(TRADES), WINDOW)
    assert plain(sealed.tables["A", Dataset.TRADES], "id") == [{"id": "2"}, {"id": "3"}]


def test_liquidations_are_never_deduplicated() -> None:
    script = Script().opened(-1)
    script.says(1, liquidation(0.9), liquidation(0.9)).says(2, liquidation(0.7, side="sell"))
    script.closed(11)
    sealed = seal(script.batches(), script.scope(frozenset({Dataset.LIQUIDATIONS})), WINDOW)
    row = {"symbol": "A", "exchange": "toy", "price": 100.0, "amount": 1.0}
    twice = row | {
        "liquidation_ts": at(0.9) // 1_000_000,
        "side": "buy",
        "ts_event": at(0.9),
        "ts_recv": at(1),
    }
    assert plain(sealed.tables["A", Dataset.LIQUIDATIONS]) == [
        row
        | {"liquidation_ts": at(0.7) // 1_000_000, "side": "sell"}
        | {"ts_event": at(0.7), "ts_recv": at(2)},
        twice,
        twice,
    ]


def test_tickers_are_merged_and_only_what_a_message_said_becomes_a_row() -> None:
    script = Script().opened(-3)
    script.says(
        -2, ticker(-2, snapshot=True, rate=0.0001, next_ms=5, hours=8, interest=7, value=70)
    )
    script.says(-1, ticker(-1, rate=0.0002))
    script.says(1, ticker(1)).says(2, ticker(2, next_ms=6)).says(3, ticker(3, value=71))
    script.says(4, ticker(4, snapshot=True, interest=9)).says(5, ticker(5, next_ms=7)).closed(11)
    both = frozenset({Dataset.FUNDINGS, Dataset.OPEN_INTERESTS})
    sealed = seal(script.batches(), script.scope(both), WINDOW)
    funding = {"symbol": "A", "exchange": "toy", "funding_rate": 0.0002, "interval_hours": 8.0}
    assert plain(sealed.tables["A", Dataset.FUNDINGS]) == [
        funding
        | {"ts": at(-1) // 1_000_000, "next_funding_ts": 5, "opening": True}
        | {"ts_event": at(-1), "ts_recv": at(-1)},
        funding
        | {"ts": at(2) // 1_000_000, "next_funding_ts": 6, "opening": False}
        | {"ts_event": at(2), "ts_recv": at(2)},
    ]
    interest = {"symbol": "A", "exchange": "toy"}
    assert plain(sealed.tables["A", Dataset.OPEN_INTERESTS]) == [
        interest
        | {"ts": at(-2) // 1_000_000, "open_interest": 7.0, "open_interest_value": 70.0}
        | {"opening": True, "ts_event": at(-2), "ts_recv": at(-2)},
        interest
        | {"ts": at(3) // 1_000_000, "open_interest": 7.0, "open_interest_value": 71.0}
        | {"opening": False, "ts_event": at(3), "ts_recv": at(3)},
        interest
        | {"ts": at(4) // 1_000_000, "open_interest": 9.0, "open_interest_value": None}
        | {"opening": False, "ts_event": at(4), "ts_recv": at(4)},
    ]


def test_a_new_connection_forgets_the_ticker_of_the_old_one() -> None:
    script = Script().opened(-3).says(-2, ticker(-2, snapshot=True, rate=0.0001))
    script.closed(1, "disconnect").opened(2, 1).says(3, ticker(3, next_ms=6), connection=1)
    script.closed(11, connection=1)
    sealed = seal(script.batches(), script.scope(frozenset({Dataset.FUNDINGS})), WINDOW)
    assert plain(sealed.tables["A", Dataset.FUNDINGS], "ts_event", "opening") == [
        {"ts_event": at(-2), "opening": True}
    ]


def test_every_feed_of_the_scope_has_a_table_even_without_events() -> None:
    script = Script()
    sealed = seal(script.batches(), script.scope(EVERYTHING, "A", "B"), WINDOW)
    assert {feed: table.schema for feed, table in sealed.tables.items()} == {
        (symbol, dataset): RAW[dataset] for symbol in ("A", "B") for dataset in Dataset
    }
    assert [table.num_rows for table in sealed.tables.values()] == [0] * 10
    assert {symbol: table.num_rows for symbol, table in sealed.captures.items()} == {"A": 5, "B": 5}


def test_a_feed_that_answers_under_another_name_keeps_the_subscribed_one() -> None:
    script = Script(renamed={"A-USDC": "A"}).opened(-1)
    script.says(1, trade(1, 1, symbol="A")).closed(11)
    sealed = seal(script.batches(), script.scope(TRADES, "A-USDC"), WINDOW)
    assert plain(sealed.tables["A-USDC", Dataset.TRADES], "symbol", "id") == [
        {"symbol": "A-USDC", "id": "1"}
    ]


def test_two_symbols_that_answer_under_one_name_have_the_events_of_their_own_connection() -> None:
    script = Script(renamed={"A-USDC": "A"}).opened(-1, 0, "A").opened(-1, 1, "A-USDC")
    script.says(1, trade(1, 1)).says(2, trade(1, 1), connection=1).closed(11).closed(11, "ended", 1)
    sealed = seal(script.batches(), script.scope(TRADES, "A", "A-USDC"), WINDOW)
    assert [plain(table, "symbol", "ts_recv") for table in sealed.tables.values()] == [
        [{"symbol": "A", "ts_recv": at(1)}],
        [{"symbol": "A-USDC", "ts_recv": at(2)}],
    ]


def test_a_frame_without_receive_time_gives_every_event_its_own_time() -> None:
    script = Script().untimed(trade(2, 1), trade(1, 2))
    sealed = seal(script.batches(), script.scope(TRADES), WINDOW, whole=True)
    assert plain(sealed.tables["A", Dataset.TRADES], "ts_event", "ts_recv") == [
        {"ts_event": at(1), "ts_recv": at(1)},
        {"ts_event": at(2), "ts_recv": at(2)},
    ]


def test_an_event_with_neither_time_takes_the_newest_one_before_it() -> None:
    script = Script().untimed(trade(2, 1)).untimed(trade(0, 2, ts_event=0))
    sealed = seal(script.batches(), script.scope(TRADES), WINDOW, whole=True)
    assert plain(sealed.tables["A", Dataset.TRADES], "id", "ts_event", "ts_recv") == [
        {"id": "1", "ts_event": at(2), "ts_recv": at(2)},
        {"id": "2", "ts_event": at(2), "ts_recv": at(2)},
    ]


def test_times_before_1970_never_reach_a_table() -> None:
    script = Script().opened(-1).says(1, trade(0, 1, ts_event=-T0)).closed(11)
    sealed = seal(script.batches(), script.scope(TRADES), WINDOW)
    assert plain(sealed.tables["A", Dataset.TRADES], "ts_event") == [{"ts_event": at(1)}]
