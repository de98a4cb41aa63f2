"""What a decode covers."""

from atelier_pipeline.decode.scope import Scope, capture_id
from atelier_pipeline_tests.decode.script import BOOKS, T0, Script


def test_a_capture_s_id_is_the_same_everywhere() -> None:
    assert capture_id("bybit", "majors", T0) == "557f8c88db9c9333"
    assert capture_id("bybit", "majors", T0 + 1) != capture_id("bybit", "majors", T0)


def test_a_symbol_may_have_a_depth_of_its_own() -> None:
    exchange = Script(cuts=True).exchange
    scope = Scope(exchange, "c", "live", dict.fromkeys("AB", BOOKS), 5, {"B": 1})
    assert [scope.depth_of(symbol) for symbol in "AB"] == [5, 1]
    assert [scope.kept_depth_of(symbol) for symbol in "AB"] == [5, 1]


def test_a_book_that_the_feed_itself_keeps_at_depth_is_not_cut() -> None:
    assert Script(cuts=False).scope(BOOKS, depth=5).kept_depth_of("A") is None
