"""What each column means, for people: unit and meaning as the data dictionary has them."""

import tomllib
from functools import cache
from importlib.resources import files

from atelier_pipeline.lake.names import FileKind


@cache
def meanings(kind: FileKind) -> dict[str, str]:
    """What each column of a kind of file means, with its unit in brackets at the end, by name."""
    text = files("atelier_pipeline.lake").joinpath("columns.toml").read_text("utf-8")
    return {name: _said(**column) for name, column in tomllib.loads(text)[kind].items()}


def _said(unit: str = "", meaning: str = "") -> str:
    return f"{meaning} [{unit}]".lstrip() if unit else meaning
