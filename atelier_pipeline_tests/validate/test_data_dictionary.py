"""docs/data-dictionary.md says of every column what the schemas say."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from atelier_pipeline.lake.meanings import meanings
from atelier_pipeline.lake.names import FileKind, Mode
from atelier_pipeline.validate.tables import TABLES, Table

PAGE = (Path(__file__).parents[2] / "docs" / "data-dictionary.md").read_text("utf-8")
FILES = [(kind, mode) for kind in FileKind for mode in kind.modes]
HEAD = "| column | in | type | unit | null | meaning |"


class Column(NamedTuple):
    """A row of a column table; `where` and `null` are raw, sync or both, `null` may be never."""

    name: str
    where: str
    type: str
    unit: str
    null: str
    meaning: str


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]


def all_columns(kind: FileKind) -> list[Column]:
    table = section(kind).split(HEAD)[1].split("\n\n")[0].strip().splitlines()
    rows = [Column(*cells(row)) for row in table[1:]]
    return [row._replace(name=row.name.strip("`")) for row in rows]


def columns(kind: FileKind, mode: Mode) -> list[Column]:
    return [column for column in all_columns(kind) if column.where in {mode, "both"}]


@pytest.mark.parametrize(("kind", "mode"), FILES)
def test_every_column_is_there_with_its_type_in_order(kind: FileKind, mode: Mode) -> None:
    documented = [(column.name, column.type) for column in columns(kind, mode)]
    assert documented == [(field.name, str(field.type)) for field in kind.schema(mode)]


@pytest.mark.parametrize("kind", FileKind)
def test_the_page_says_of_every_column_what_the_ui_says(kind: FileKind) -> None:
    said = {
        column.name: f"{column.meaning} [{column.unit}]".lstrip() if column.unit else column.meaning
        for column in all_columns(kind)
    }
    assert meanings(kind) == said
    assert not [name for name, text in said.items() if not text]


@pytest.mark.parametrize("kind", FileKind)
def test_no_column_is_there_for_a_mode_that_its_kind_has_not(kind: FileKind) -> None:
    assert {column.where for column in all_columns(kind)} <= {*kind.modes, "both"}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_the_page_and_the_schema_rule_agree_on_nulls(table: Table) -> None:
    found = columns(table.kind, table.mode)
    assert {column.null for column in found} <= {"never", "raw", "sync", "both"}
    nullable = {column.name for column in found if column.null in {table.mode, "both"}}
    assert nullable == table.nullable


def test_every_column_has_a_meaning_but_price_and_amount_of_a_trade() -> None:
    bare = {column.name for kind in FileKind for column in all_columns(kind) if not column.meaning}
    assert bare == {"price", "amount"}


@pytest.mark.parametrize("kind", FileKind)
def test_every_kind_of_file_is_listed_with_its_name_and_views(kind: FileKind) -> None:
    [row] = re.findall(rf"^\| \[[^]]+\]\(#{kind}\).*$", PAGE, re.MULTILINE)
    views = [f"`{table.name}`" for table in TABLES.values() if table.kind is kind]
    listed = [f"`{kind.datatype}`", ", ".join(kind.modes), ", ".join(views) or "none"]
    assert cells(row)[2:] == listed
