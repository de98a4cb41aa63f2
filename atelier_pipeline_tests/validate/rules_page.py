"""The tables of docs/validation.md, made from the rules and their limits.

`python -m atelier_pipeline_tests.validate.rules_page` writes them; a test compares.
"""

import re
from dataclasses import fields
from pathlib import Path

from atelier_pipeline.validate.rule import Limits
from atelier_pipeline.validate.rules import RULES

PAGE = Path(__file__).parents[2] / "docs" / "validation.md"


def rules_table() -> str:
    rows = [
        f"| {rule.stage} | `{rule.name}` | {rule.severity} | {rule.description} |" for rule in RULES
    ]
    return "\n".join(["| stage | rule | severity | what must hold |", "|---|---|---|---|", *rows])


def limits_table() -> str:
    rows = [
        f"| `{field.name}` | {_default(field.default)} | {_meaning(field.name)} |"
        for field in fields(Limits)
    ]
    return "\n".join(["| limit | default | meaning |", "|---|---|---|", *rows])


def with_tables(page: str) -> str:
    for name, table in (("rules", rules_table()), ("limits", limits_table())):
        start, end = f"<!-- made from the {name}: start -->", f"<!-- made from the {name}: end -->"
        before, rest = page.split(start)
        page = f"{before}{start}\n\n{table}\n\n{end}{rest.split(end)[1]}"
    return page


def _default(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _meaning(name: str) -> str:
    """The limit's line in the docstring of `Limits`."""
    found = re.search(
        rf"^ +{name}: ((?:.*\n)+?)(?= +\w+: | +\Z|\Z)", Limits.__doc__ or "", re.MULTILINE
    )
    assert found is not None, f"Limits does not explain {name}"
    return " ".join(found[1].split()).removesuffix(".")


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text("utf-8")), "utf-8")
