"""Consecutive windows with faults: no trade is invented, doubled or silently lost, no book lies."""

import pytest

from atelier_pipeline_tests.reliability.collectors import SYMBOLS
from atelier_pipeline_tests.reliability.windows import run_windows

WINDOWS = 8


@pytest.mark.parametrize("exchange", SYMBOLS)
def test_the_windows_of_a_run_with_faults_hold_what_the_exchange_sent_or_say_what_they_lost(
    exchange: str,
):
    account = run_windows(exchange, WINDOWS, seed=3)
    assert account.wrong == []
    assert account.sent == account.kept + account.told
    assert account.windows == WINDOWS
    # That something went wrong, and that most of it was whole, is part of the proof.
    assert account.faults > WINDOWS / 2
    assert account.causes
    assert account.openings > WINDOWS
    assert account.closings > WINDOWS
    assert account.openings + account.closings + account.unknown == 2 * 2 * WINDOWS
    assert account.ticks > account.marked
