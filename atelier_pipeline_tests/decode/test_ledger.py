"""The ledger of a running capture says what sealing says, and forgets what no loss needs."""

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from atelier_pipeline.decode.ledger import LiveLedger
from atelier_pipeline.decode.scope import Scope
from atelier_pipeline.decode.seal import seal
from atelier_pipeline.decode.watch import Watch
from atelier_pipeline_tests.decode.script import (
    BOOKS,
    EVERYTHING,
    SEC,
    WINDOW,
    Script,
    book,
    frames_batch,
    plain,
)
from atelier_pipeline_tests.decode.test_invariance import Story, stories

THRESHOLD_NS = 5 * SEC
BID, ASK = [(100.0, 1.0)], [(101.0, 1.0)]


def ledger_of(script: Script, scope: Scope, cuts: Sequence[int], kept_frames: int) -> LiveLedger:
    """The ledger after all frames, taken in sights that end at the cuts, and asked after each."""
    ledger, watch = LiveLedger(scope, WINDOW, THRESHOLD_NS, kept_frames), Watch(scope)
    edges = sorted({0, len(script.rows), *(cut for cut in cuts if cut < len(script.rows))})
    for start, end in pairwise(edges):
        ledger.take(watch.look(frames_batch(script.rows[start:end], start)))
        ledger.gaps("A")
    ledger.take(watch.finish(WINDOW.end_ns))
    return ledger


@settings(max_examples=60, deadline=None)
@given(
    story=stories(),
    cuts=st.lists(st.integers(1, 45), max_size=20),
    kept_frames=st.sampled_from([0, 3, 1000]),
)
def test_it_says_what_sealing_the_same_frames_says(
    story: Story, cuts: list[int], kept_frames: int
) -> None:
    script, scope = story.script, story.script.scope(EVERYTHING)
    script.closed(story.time + 0.2, "ended", story.connection)
    sealed = seal([frames_batch(script.rows, 0)], scope, WINDOW)
    ledger = ledger_of(script, scope, cuts, kept_frames)
    assert plain(ledger.gaps("A")) == plain(sealed.gaps["A"])


def test_its_memory_grows_with_the_losses_and_not_with_the_frames() -> None:
    script = Script("update_id").opened(-1)
    script.says(0, book(0, BID, ASK, snapshot=True, number=1))
    for number in range(2, 502):
        script.says(number / 100, book(number / 100, BID, number=number + (number > 250)))
    scope = script.scope(BOOKS)
    ledger = ledger_of(script, scope, range(0, 502, 10), kept_frames=20)
    assert ledger.remembered < 40
    assert [row["cause"] for row in plain(ledger.gaps("A"))] == ["sequence"]
