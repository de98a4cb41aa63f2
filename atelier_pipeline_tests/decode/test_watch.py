"""What a running capture is told, batch by batch."""

from pathlib import Path

import pytest

from atelier_pipeline.decode.watch import BrokenBook, Sight, Watch
from atelier_pipeline.exchanges.contract import ConnectionSequence
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline_tests.decode.replays import replay
from atelier_pipeline_tests.decode.script import (
    BOOKS,
    TRADES,
    Script,
    accepted,
    at,
    book,
    refused,
    trade,
)

BID, ASK = [(100.0, 1.0)], [(101.0, 1.0)]
BOTH = BOOKS | TRADES


def sights(script: Script, watch: Watch) -> list[Sight]:
    """What each frame, as a batch of its own, tells."""
    return [watch.look(batch) for batch in script.batches(1)]


def test_answers_come_with_their_connection() -> None:
    script = Script().opened(-1, 4).says(0, accepted(Dataset.TRADES), connection=4)
    script.says(1, refused("no"), connection=4)
    seen = [sight.answers for sight in sights(script, Watch(script.scope(BOTH)))]
    assert seen == [[], [(4, accepted(Dataset.TRADES))], [(4, refused("no"))]]


def test_events_are_counted_and_times_followed() -> None:
    script = Script().opened(-1).says(1, trade(0.9, 1), trade(0.8, 2))
    script.says(2, book(1.9, BID, ASK, snapshot=True))
    watch = Watch(script.scope(BOTH))
    assert [sight.events for sight in sights(script, watch)] == [
        {},
        {("A", Dataset.TRADES): 2},
        {("A", Dataset.ORDERBOOKS): 1},
    ]
    assert watch.newest == {("A", Dataset.ORDERBOOKS): at(1.9), ("A", Dataset.TRADES): at(0.9)}
    assert (watch.has_passed(at(0.9)), watch.has_passed(at(1))) == (True, False)
    assert watch.streaming == {0}


def test_a_book_is_whole_from_its_snapshot_on() -> None:
    script = Script().opened(-1).says(1, book(1, BID)).says(2, book(2, BID, ASK, snapshot=True))
    watch = Watch(script.scope(BOOKS))
    seen: list[bool] = []
    for batch in script.batches(1):
        watch.look(batch)
        seen.append(watch.whole("A"))
    assert seen == [False, False, True]


def test_a_broken_book_is_told_once_and_again_after_it_healed() -> None:
    script = Script("update_id").opened(-1, 3)
    script.says(1, book(1, BID, ASK, snapshot=True, number=1), connection=3)
    script.says(2, book(2, number=5), connection=3).says(3, book(3, number=9), connection=3)
    script.says(4, book(4, BID, ASK, snapshot=True, number=1), connection=3)
    script.says(5, book(5, number=5), connection=3)
    broken = [sight.broken for sight in sights(script, Watch(script.scope(BOOKS)))]
    told = [BrokenBook(connection=3, symbol="A", cause="sequence", scope="symbol")]
    assert broken == [[], [], told, [], [], told]


def test_a_book_that_heals_and_breaks_in_one_batch_is_told_again() -> None:
    script = Script("update_id").opened(-1).says(1, book(1, BID, ASK, snapshot=True, number=1))
    script.says(2, book(2, number=5)).says(3, book(3, number=9))
    script.says(4, book(4, BID, ASK, snapshot=True, number=20)).says(5, book(5, number=30))
    script.says(6, book(6, number=31)).says(7, book(7, number=99))
    watch = Watch(script.scope(BOOKS))
    told = [BrokenBook(connection=0, symbol="A", cause="sequence", scope="symbol")]
    assert [watch.look(batch).broken for batch in script.batches(2)] == [[], told, told, []]


def test_a_book_that_breaks_and_heals_in_one_batch_needs_nothing() -> None:
    script = Script("update_id").opened(-1).says(1, book(1, BID, ASK, snapshot=True, number=1))
    script.says(2, book(2, number=5)).says(3, book(3, BID, ASK, snapshot=True, number=1))
    (batch,) = script.batches()
    assert Watch(script.scope(BOOKS)).look(batch).broken == []


def test_a_hole_in_a_connection_s_numbers_breaks_every_book_of_it() -> None:
    script = Script("connection_sequence").opened(-1, 0, "A", "B").opened(-1, 1, "C")
    for symbol in ("A", "B", "C"):
        opening = book(0, BID, ASK, snapshot=True, symbol=symbol)
        script.says(0, opening, connection=int(symbol == "C"))
    script.says(1, ConnectionSequence(1)).says(2, ConnectionSequence(3))
    broken = [s.broken for s in sights(script, Watch(script.scope(BOOKS, "A", "B", "C")))]
    assert broken[-1] == [
        BrokenBook(connection=0, symbol="A", cause="sequence", scope="connection"),
        BrokenBook(connection=0, symbol="B", cause="sequence", scope="connection"),
    ]


def test_a_connection_that_ends_leaves_nothing_to_subscribe_to_again() -> None:
    script = Script().opened(-1).says(1, book(1, BID, ASK, snapshot=True)).closed(2, "disconnect")
    watch = Watch(script.scope(BOOKS))
    assert sights(script, watch)[-1].broken == []
    assert not watch.whole("A")


@pytest.mark.parametrize(("integrity", "breaks"), [("none", True), ("update_id", False)])
def test_an_undecodable_frame_breaks_books_that_no_number_proves(
    integrity: str, *, breaks: bool
) -> None:
    script = Script(integrity).opened(-1).says(1, book(1, BID, ASK, snapshot=True, number=1))
    seen = sights(script.garbage(2), Watch(script.scope(BOOKS)))[-1]
    assert seen.undecodable == [(0, "toy does not document b'garbage'")]
    assert bool(seen.broken) == breaks


def test_recorded_kraken_books_stay_whole_frame_by_frame(recordings: Path) -> None:
    run = replay(recordings, "kraken/btc-usd_book10")
    watch = Watch(run.scope)
    seen = [watch.look(batch) for batch in run.batches(7)]
    assert [book for sight in seen for book in sight.broken] == []
    assert sum(sight.events.get(("BTC/USD", Dataset.ORDERBOOKS), 0) for sight in seen) == 301
    assert watch.whole("BTC/USD")
