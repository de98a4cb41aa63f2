"""When a book is asked for again."""

from atelier_pipeline.capture.repairs import PAUSE_SECS, RETRY_SECS, Repairs


def waiting(repairs: Repairs, now_secs: float) -> bool:
    return repairs.is_due("A", now_secs, broke=False, whole=False)


def breaking(repairs: Repairs, now_secs: float) -> bool:
    return repairs.is_due("A", now_secs, broke=True, whole=False)


def healing(repairs: Repairs, now_secs: float) -> bool:
    return repairs.is_due("A", now_secs, broke=False, whole=True)


def test_a_book_that_is_whole_is_left_alone():
    repairs = Repairs(opened_secs=100)
    assert not any(healing(repairs, now) for now in (100, 111, 200))


def test_a_book_that_breaks_is_asked_for_at_once_and_once():
    repairs = Repairs(opened_secs=100)
    assert breaking(repairs, 101)
    assert not waiting(repairs, 101.1)
    assert not healing(repairs, 101.2)


def test_a_book_that_breaks_again_and_again_is_asked_for_after_longer_and_longer_pauses():
    repairs = Repairs(opened_secs=100)
    asked = [now for now in range(101, 141) if breaking(repairs, now)]
    assert asked == [101, 102, 104, 108, 116, 126, 136]


def test_a_book_that_came_and_broke_again_is_asked_for_after_a_short_pause():
    repairs = Repairs(opened_secs=100)
    assert breaking(repairs, 101)
    assert not healing(repairs, 101.2)
    assert not breaking(repairs, 101.5)
    assert waiting(repairs, 101 + PAUSE_SECS)


def test_pauses_begin_anew_when_nothing_was_asked_for_in_a_while():
    repairs = Repairs(opened_secs=100)
    assert [breaking(repairs, now) for now in (101, 102, 103, 104)] == [True, True, False, True]
    later = 104 + 2 * RETRY_SECS
    assert breaking(repairs, later)
    assert breaking(repairs, later + PAUSE_SECS)


def test_a_request_without_an_answer_is_not_repeated_sooner_because_others_were():
    repairs = Repairs(opened_secs=100)
    assert breaking(repairs, 101)
    assert breaking(repairs, 102)
    asked = [tenths for tenths in range(1, 101) if waiting(repairs, 102 + tenths / 10)]
    assert asked == [100]


def test_a_snapshot_that_does_not_come_is_asked_for_when_its_time_is_over():
    repairs = Repairs(opened_secs=100)
    assert not waiting(repairs, 100 + RETRY_SECS - 0.1)
    assert waiting(repairs, 100 + RETRY_SECS)
    assert not waiting(repairs, 100 + RETRY_SECS + 0.1)
    assert waiting(repairs, 100 + 2 * RETRY_SECS)


def test_each_symbol_waits_for_itself():
    repairs = Repairs(opened_secs=100)
    assert breaking(repairs, 101)
    assert repairs.is_due("B", 102, broke=True, whole=False)


def test_a_book_that_is_asked_for_anyway_is_not_asked_for_twice():
    repairs = Repairs(opened_secs=100)
    repairs.asked("A", 105)
    assert not waiting(repairs, 105 + RETRY_SECS - 0.1)
    assert waiting(repairs, 105 + RETRY_SECS)
