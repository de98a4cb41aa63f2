"""A connection is alive for as long as something was heard on it, and what we say is not heard."""

import pytest

from atelier_pipeline.decode.seal import seal
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
    trade,
)

ASK, BID = [(101.0, 1.0)], [(100.0, 1.0)]


def trading() -> Script:
    """A trade a second before the window, and another one in it."""
    script = Script().opened(-3).says(-2, accepted(Dataset.TRADES))
    return script.says(-1, trade(-1, 1)).says(4, trade(4, 2))


def told(script: Script) -> list[tuple[object, ...]]:
    return losses(seal(script.batches(), script.scope(TRADES), WINDOW).gaps["A"])


def test_a_connection_that_is_silent_to_the_planned_end_may_have_been_lost_when_last_heard():
    assert told(trading().says(6).gone(11)) == [
        ("trades", "disconnect", "connection", 5.5, 10.0, 11.0, None, None, None)
    ]


def test_what_a_silent_connection_may_have_left_out_leaves_the_seam_without_proof():
    script = trading().gone(11)
    sealed = seal(script.batches(), script.scope(TRADES), WINDOW)
    assert plain(sealed.captures["A"], "tail_hash") == [{"tail_hash": None}]


def test_a_connection_heard_behind_the_window_s_end_was_there_all_along():
    assert told(trading().says(10.1).gone(11)) == []


@pytest.mark.parametrize("kind", ["sent", "clock"])
def test_what_we_say_ourselves_does_not_show_a_connection_alive(kind: str):
    script = trading().frame(at(9), kind, b"{}", 0).gone(9.5, "disconnect")
    script.opened(9.7, 1).says(9.8, accepted(Dataset.TRADES), connection=1)
    assert told(script.closed(11, connection=1)) == [
        ("trades", "disconnect", "connection", 4.0, 9.8, 9.5, None, None, None)
    ]


@pytest.mark.parametrize("kind", ["sent", "clock"])
def test_a_silence_is_the_connection_s_own_whatever_we_say_in_it(kind: str):
    script = Script().opened(-3).says(-2, book(-2, BID, ASK, snapshot=True)).says(0, book(0))
    script.frame(at(3), kind, b"{}", 0).says(7, book(7)).closed(11)
    sealed = seal(script.batches(), script.scope(BOOKS), WINDOW)
    assert losses(sealed.gaps["A"]) == [
        ("orderbooks", "silence", "connection", 0.0, 7.0, None, None, None, 0)
    ]
