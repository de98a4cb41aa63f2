"""docs/validation.md lists the rules and limits as they are."""

from atelier_pipeline.validate.rules import RULES
from atelier_pipeline_tests.validate.rules_page import PAGE, with_tables


def test_the_tables_are_made_from_the_rules_and_limits() -> None:
    page = PAGE.read_text("utf-8")
    assert page == with_tables(page)


def test_every_rule_is_described_in_one_sentence_or_two() -> None:
    for rule in RULES:
        assert rule.description.endswith(".")
        assert rule.description.count(". ") <= 1
