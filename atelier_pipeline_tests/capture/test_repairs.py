"""When a book is asked for again."""

from atelier_pipeline.capture.repairs import RETRY_SECS, Repairs


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


def test_a_book_that_breaks_again_and_again_is_not_asked_for_each_time():
    repairs = Repairs(opened_secs=100)
    asked = [breaking(repairs, 101 + tenth / 10) for tenth in range(250)]
    assert asked.count(True) == 3


def test_a_book_that_breaks_long_after_it_healed_is_asked_for_at_once():
    repairs = Repairs(opened_secs=100)
    assert breaking(repairs, 101)
    assert not healing(repairs, 102)
    assert breaking(repairs, 101 + RETRY_SECS)


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
