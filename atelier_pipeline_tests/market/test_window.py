"""Windows are half open."""

import pytest

from atelier_pipeline.market.window import Window


def test_a_window_holds_its_start_and_not_its_end():
    window = Window(10, 20)
    assert [time in window for time in (9, 10, 19, 20)] == [False, True, True, False]


@pytest.mark.parametrize("end", [10, 9])
def test_a_window_that_does_not_end_after_its_start_is_refused(end):
    with pytest.raises(ValueError, match=f"ends at {end} ns, not after its start 10 ns"):
        Window(10, end)
