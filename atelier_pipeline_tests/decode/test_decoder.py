"""What frames hold, before anything is judged."""

from atelier_pipeline.decode.columns import BookMessages, Fills
from atelier_pipeline.decode.decoder import Decoded, Decoder
from atelier_pipeline.decode.links import Alive, Answer, Break, Link
from atelier_pipeline.exchanges.contract import Acknowledged, ConnectionSequence, Heartbeat
from atelier_pipeline.lake.journal import Damage
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline_tests.decode.script import BOOKS, TRADES, Script, at, book, trade

BOTH = BOOKS | TRADES


def decoded(script: Script, *symbols: str, damage: tuple[Damage, ...] = ()) -> Decoded:
    decoder = Decoder(script.scope(BOTH, *symbols), damage)
    for batch in script.batches():
        decoder.read(batch)
    return decoder.flush()


def test_a_stretch_tells_frames_links_answers_heartbeats_and_breaks() -> None:
    script = Script().opened(1, 5).says(2, Acknowledged(request_id="1"), connection=5)
    script.says(3, Heartbeat(ts_event=at(2.9), symbol="A", last_trade_id=8), connection=5)
    script.frame(at(4), "clock", b"{}", 5).frame(at(4), "sent", b"ping", 9)
    script.garbage(5, 5).closed(6, "disconnect", 5, reason="reset")
    found = decoded(script)
    assert found.times.tolist() == [at(second) for second in (1, 2, 3, 4, 4, 5, 6)]
    assert found.links.tolist() == [0, 0, 0, 0, -1, 0, 0]
    assert found.sizes.tolist() == [len(payload) for *_, payload in script.rows]
    assert found.answers == [Answer(0, 1, at(2), Acknowledged(request_id="1"))]
    assert found.alive == [Alive("A", 2, at(2.9), 8)]
    assert found.breaks == [
        Break(0, 5, at(5), "decode_error", "toy does not document b'garbage'"),
        Break(0, 6, at(6), "disconnect", "reset"),
    ]


def test_levels_are_flattened_bids_before_asks_message_by_message() -> None:
    script = Script().opened(0).says(1, book(1, [(100, 1), (99, 2)], [(101, 3)], snapshot=True))
    script.says(2, book(2, [], [(101, 0)], number=7, checksum=5, digits=True), book(3))
    messages = decoded(script).feeds["A", Dataset.ORDERBOOKS]
    assert isinstance(messages, BookMessages)
    columns = messages.columns
    assert messages.frame.tolist() == [1, 2, 2]
    assert columns.offsets.tolist() == [0, 3, 4, 4]
    assert columns.is_bid.tolist() == [True, True, False, False]
    assert columns.price.tolist() == [100, 99, 101, 101]
    assert columns.size.tolist() == [1, 2, 3, 0]
    assert columns.update_id.tolist() == [-1, 7, -1]
    assert columns.checksum.tolist() == [-1, 5, -1]
    assert columns.is_snapshot.tolist() == [True, False, False]
    assert columns.digits.tolist() == [[0, 0], [0, 0], [0, 0], [101, 0]]


def test_only_what_the_scope_asks_for_is_kept() -> None:
    script = Script().opened(0, 0, "A").opened(0, 1, "B")
    script.says(1, trade(1, 1), trade(1, 2, symbol="B"), trade(1, 3, symbol="C"))
    script.says(2, trade(2, 4, symbol="B"), connection=1)
    feeds = decoded(script, "A", "B").feeds
    ids = {feed: fills.id.tolist() for feed, fills in feeds.items() if isinstance(fills, Fills)}
    assert ids == {("A", Dataset.TRADES): ["1"], ("B", Dataset.TRADES): ["4"]}


def test_the_numbers_of_a_connection_are_followed_link_by_link() -> None:
    script = Script().opened(0)
    for second, number in ((1, 4), (2, 5), (3, 8), (4, 8), (5, 9)):
        script.says(second, ConnectionSequence(number))
    script.opened(6).says(7, ConnectionSequence(0)).says(8, ConnectionSequence(1))
    found = decoded(script)
    assert found.held.tolist() == [2, 5, 8]
    told = [(each.frame, each.before, each.after, each.lost) for each in found.breaks]
    assert told == [(3, 5, 8, 2), (4, 8, 8, None)]


def test_a_recording_without_marks_is_one_link_of_every_symbol() -> None:
    script = Script().says(1, trade(1, 1))
    decoder = Decoder(script.scope(TRADES, "A", "B"))
    decoder.read(script.batches()[0])
    assert decoder.links == [Link(0, 0, ("A", "B"), 0)]
    assert decoder.pending == 1


def test_a_torn_journal_ends_every_connection_behind_its_last_frame() -> None:
    script = Script().opened(0, 0).opened(0.5, 1).says(1, trade(1, 1)).opened(4, 2)
    torn = Damage(segment="s", after_seq=2, after_ts=at(1), reason="cut", unread_bytes=0)
    assert decoded(script, damage=(torn,)).breaks == [
        Break(0, 3, at(1), "crash", "cut"),
        Break(1, 3, at(1), "crash", "cut"),
    ]
