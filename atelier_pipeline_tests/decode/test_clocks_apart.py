"""Where the exchange's clock and the local one differ, what was missed is still told."""

from atelier_pipeline.decode.seal import Sealed, seal
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline_tests.decode.script import (
    TRADES,
    WINDOW,
    Script,
    accepted,
    losses,
    plain,
    trade,
)


def sealed(script: Script) -> Sealed:
    return seal(script.batches(), script.scope(TRADES), WINDOW)


def told(script: Script) -> list[tuple[object, ...]]:
    """(dataset, cause, start, end, known) of each loss."""
    rows = losses(sealed(script).gaps["A"])
    return [(row[0], row[1], *row[3:6]) for row in rows]


def test_a_capture_that_ends_before_the_exchange_s_clock_does_says_what_it_left_out():
    script = Script().opened(-5).says(-4, accepted(Dataset.TRADES))
    script.says(5, trade(2, 1)).says(10, trade(7, 2)).gone(11)
    assert told(script) == [("trades", "shutdown", 7.0, 10.0, 11.0)]


def test_what_was_left_out_leaves_the_seam_without_proof():
    script = Script().opened(-5).says(-4, accepted(Dataset.TRADES))
    script.says(5, trade(2, 1)).says(10, trade(7, 2)).closed(11)
    assert plain(sealed(script).captures["A"], "tail_hash") == [{"tail_hash": None}]


def test_a_feed_that_is_merely_quiet_has_left_nothing_out():
    script = Script().opened(-5).says(-4, accepted(Dataset.TRADES))
    assert told(script.says(5, trade(4.9, 1)).closed(11)) == []


def test_a_feed_whose_own_time_passed_the_end_has_left_nothing_out():
    script = Script().opened(-5).says(-4, accepted(Dataset.TRADES))
    assert told(script.says(10.2, trade(10.1, 1)).closed(10.15)) == []


def test_an_exchange_whose_clock_is_ahead_is_heard_late_by_its_own_time():
    script = Script().opened(-3).says(-2, accepted(Dataset.TRADES))
    script.says(-1, trade(4, 1)).says(5, trade(10, 2)).closed(6)
    assert told(script) == [("trades", "late_start", 0.0, 3.0, 0.0)]


def test_a_loss_begins_earlier_where_events_take_long_to_come():
    script = Script().opened(-5).says(-4, accepted(Dataset.TRADES))
    script.says(1, trade(0, 1)).says(4).closed(4, "disconnect").opened(5, 1)
    script.says(6, accepted(Dataset.TRADES), connection=1).says(11, trade(10, 2), connection=1)
    script.closed(12, connection=1)
    assert told(script) == [("trades", "disconnect", 2.5, 6.0, 4.0)]
