"""Every fault on every exchange: what is told, what is whole again, what was never touched."""

import pytest

from atelier_pipeline.exchanges.registry import exchange_named
from atelier_pipeline.market.events import NormalizedDelta
from atelier_pipeline.simulator.fault_script import Kind
from atelier_pipeline_tests.decode.script import plain
from atelier_pipeline_tests.reliability.cases import CASES
from atelier_pipeline_tests.reliability.collectors import SYMBOLS
from atelier_pipeline_tests.reliability.matrix import Case, Outcome, expected_of, outcome_of
from atelier_pipeline_tests.reliability.page import (
    CELLS,
    NOT_TOLD,
    overview,
    rows_of,
    shown_overview,
    shown_rows,
)

BY_ITSELF = {"sequence", "checksum"}
"""Causes that one message of the book shows, on a connection that lives on."""


@pytest.mark.parametrize(
    ("case", "exchange"), CELLS, ids=[f"{case.name}-{exchange}" for case, exchange in CELLS]
)
def test_a_fault_is_told_by_its_bounds_healed_and_kept_to_what_it_touched(
    case: Case, exchange: str
):
    outcome = outcome_of(case, exchange)
    assert outcome.told == expected_of(case, exchange)
    assert outcome.is_truthful == (exchange not in case.unseen)
    assert_both_books_end_as_the_exchange_has_them(outcome)
    assert_the_other_symbol_is_untouched(outcome)
    assert_books_own_losses_have_exact_bounds(outcome)
    assert [row for row in shown_rows() if row[:2] == (case.name, exchange)] == rows_of(outcome)


def assert_both_books_end_as_the_exchange_has_them(outcome: Outcome) -> None:
    last = [ticks[-1] for ticks in outcome.ticks.values()]
    whole = [outcome.exchange not in outcome.case.unhealed, True]
    assert [(tick.valid, tick.is_true) for tick in last] == [(is_so, is_so) for is_so in whole]


def assert_the_other_symbol_is_untouched(outcome: Outcome) -> None:
    """B, unless the evidence is of the whole connection."""
    case, other = outcome.case, SYMBOLS[outcome.exchange][1]
    touched = [told for told in outcome.told if told[0] == "B" and told[4] != 0]
    assert not case.of_symbol or {scope for _, _, _, scope, _ in touched} <= {"connection"}
    if not touched:
        assert outcome.missing[other] == outcome.foreign[other] == 0
        assert all(tick.is_true and tick.valid for tick in outcome.ticks[other])


def assert_books_own_losses_have_exact_bounds(outcome: Outcome) -> None:
    """From the last good message to the snapshot that heals."""
    for symbol in SYMBOLS[outcome.exchange]:
        messages = book_messages(outcome, symbol)
        for row in plain(outcome.sealed.gaps[symbol]):
            if row["scope"] == "symbol" and row["cause"] in BY_ITSELF:
                bounds = (row["ts_start"], row["ts_end"])
                assert bounds == bounds_of(messages, row["ts_known"], outcome)


Message = tuple[int, int, bool]
"""ts_recv, book time, is it a whole book."""


def book_messages(outcome: Outcome, symbol: str) -> list[Message]:
    """A symbol's book messages as they were received, read one by one."""
    decode, newest = exchange_named(outcome.exchange).decode, 0
    messages: list[Message] = []
    for ts_recv, _, kind, payload in outcome.capture.frames:
        if kind == "text" and not is_cut(payload):
            for event in decode(payload, ts_recv):
                if isinstance(event, NormalizedDelta) and event.symbol == symbol:
                    newest = max(newest, event.ts_event)
                    messages.append((ts_recv, newest, event.is_snapshot))
    return messages


def is_cut(payload: bytes) -> bool:
    return not payload.rstrip().endswith(b"}")


def bounds_of(messages: list[Message], known: int, outcome: Outcome) -> tuple[int, int]:
    shown = [ts_recv for ts_recv, *_ in messages].index(known)
    heals = [time for _, time, is_snapshot in messages[shown + 1 :] if is_snapshot]
    end = min(heals[0] if heals else outcome.capture.window.end_ns, outcome.capture.window.end_ns)
    return messages[shown - 1][1], end


def test_every_kind_of_fault_has_a_case():
    assert {case.fault["what"] for case in CASES} == set(Kind.__args__)


def test_the_page_shows_every_cell_and_no_other():
    shown = dict.fromkeys((row.fault, row.exchange) for row in shown_rows())
    assert list(shown) == [(case.name, exchange) for case, exchange in CELLS]


def test_the_overview_is_that_of_the_rows_below_it():
    assert shown_overview() == overview(shown_rows())


def test_what_is_not_told_has_a_reason():
    untold = [(case.name, exchange) for case, exchange in CELLS if exchange in case.unseen]
    shown = [row for row in shown_rows() if row.says.startswith(NOT_TOLD)]
    assert [(row.fault, row.exchange) for row in shown] == untold
