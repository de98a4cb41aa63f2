"""The tables of docs/settings.md and docs/manifest.md, and the schema for editors, from the types.

`python -m atelier_pipeline_tests.reference_tables` writes them; tests compare.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from atelier_pipeline.manifest.schema import SCHEMA_FILE, Manifest, manifest_schema
from atelier_pipeline.settings import Settings

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
START, END = "<!-- made from the types: start -->\n", "<!-- made from the types: end -->\n"


def settings_table() -> str:
    rows = [
        (f"`{_variable(name)}`", _type(field), _default(field), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    return _table(("variable", "type", "default", "meaning"), rows)


def manifest_table() -> str:
    return _table(("key", "type", "default", "meaning"), list(_keys(Manifest, "")))


def schema_text() -> str:
    return json.dumps(manifest_schema(), indent=2) + "\n"


def with_table(page: str, table: str) -> str:
    before, rest = page.split(START)
    return before + START + "\n" + table + "\n" + END + rest.split(END)[1]


def _variable(name: str) -> str:
    return "DAGSTER_HOME" if name == "dagster_home" else f"ATELIER_{name.upper()}"


def _keys(table: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    for name, field in table.model_fields.items():
        inner = _inner(field.annotation)
        repeated = "tuple" in str(field.annotation)
        if inner is None:
            yield f"`{prefix}{name}`", _type(field), _default(field), field.description or ""
        elif prefix == "workers[]." and name in {"datatypes", "output"}:
            yield f"`{prefix}{name}`", "as in collect", _default(field), field.description or ""
        else:
            yield from _keys(inner, f"{prefix}{name}{'[]' if repeated else ''}.")


def _inner(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((t for t in map(_inner, get_args(annotation)) if t is not None), None)


def _type(field: FieldInfo) -> str:
    words = _words(field.annotation)
    limits = {"Ge": "at least {ge}", "Gt": "above {gt}", "Le": "at most {le}"}
    bounds = [
        text.format(**{kind.lower(): getattr(limit, kind.lower())})
        for limit in field.metadata
        for kind, text in limits.items()
        if type(limit).__name__ == kind
    ]
    return ", ".join([words, *bounds])


def _words(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return " \\| ".join(f"`{value}`" for value in get_args(annotation))
    if get_origin(annotation) is Annotated:
        return _words(get_args(annotation)[0])
    if get_origin(annotation) in {Union, UnionType}:
        return next(_words(a) for a in get_args(annotation) if a is not type(None))
    names = {int: "integer", float: "number", str: "text", bool: "true or false", Path: "path"}
    names[SecretStr] = "text"
    return names[annotation]


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is PydanticUndefined:
        return "required"
    if value is None:
        return "absent"
    if isinstance(value, Path) and value.is_absolute():
        return f"`{value.relative_to(ROOT).as_posix()}`"
    if isinstance(value, str):
        return f'`"{value}"`'
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    for name, table in (("settings", settings_table()), ("manifest", manifest_table())):
        path = DOCS / f"{name}.md"
        path.write_text(with_table(path.read_text(encoding="utf-8"), table), encoding="utf-8")
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
