"""Problems of a manifest, gathered so that one message names them all."""

import difflib
from dataclasses import dataclass, field
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from atelier_pipeline.errors import SettingsError
from atelier_pipeline.settings import expectation


@dataclass(frozen=True, slots=True)
class Refusals:
    """What is wrong with one file, one line per problem: file, key, value, expectation."""

    origin: str
    lines: list[str] = field(default_factory=list[str])

    def add(self, key: str, value: object, expected: str) -> None:
        """Note once that `key = value` can't be used."""
        line = f"{self.origin}: {key} = {_shown(value)}: {expected}"
        if line not in self.lines:
            self.lines.append(line)

    def add_invalid(self, error: ValidationError, root: type[BaseModel]) -> None:
        """Note every problem that pydantic found against the type `root`."""
        self.lines.extend(f"{self.origin}: {_worded(d, root)}" for d in error.errors())

    def check(self) -> None:
        """Raise SettingsError with every line, if there is any."""
        if self.lines:
            raise SettingsError("\n".join(self.lines))


def _worded(details: ErrorDetails, root: type[BaseModel]) -> str:
    location = details["loc"]
    key = dotted(location)
    if details["type"] == "missing":
        return f"{key} is missing: expected {_kind(root, location)}"
    if details["type"] == "extra_forbidden":
        return f"{key} is not a known key: {_known_keys(root, location)}"
    expected = "expected a table" if details["type"] == "model_type" else expectation(details)
    return f"{key} = {_shown(details['input'])}: {expected}"


def dotted(location: tuple[int | str, ...]) -> str:
    """The key as TOML writers say it: ("workers", 0, "symbol") is workers[0].symbol."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(str(key) for key in value) + "}"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _kind(root: type[BaseModel], location: tuple[int | str, ...]) -> str:
    schema = _table(root, location).model_json_schema()["properties"][location[-1]]
    return {"string": "a string", "array": "one or more tables"}.get(schema.get("type"), "a table")


def _known_keys(root: type[BaseModel], location: tuple[int | str, ...]) -> str:
    known = list(_table(root, location).model_fields)
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    meant = f"did you mean {close[0]}? " if close else ""
    return f"{meant}expected one of {', '.join(known)}"


def _table(root: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel]:
    table = root
    for part in location[:-1]:
        if isinstance(part, str):
            table = _table_in(table.model_fields[part].annotation) or table
    return table


def _table_in(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - any annotation may come
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_table_in(argument) for argument in get_args(annotation))
    return next((table for table in found if table is not None), None)
