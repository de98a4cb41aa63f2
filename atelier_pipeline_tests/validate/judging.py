"""Judging a small lake: what each rule finds, and the usual damage to rows."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from atelier_pipeline.validate.rule import Finding, Limits
from atelier_pipeline.validate.rules import WindowFiles, check_files
from atelier_pipeline_tests.validate.small_lake import Damage, Row, SmallLake, window

SYMBOL = "BTC/USD"


def found(lake: Path, *symbols: str, **limits: Any) -> dict[str, Finding]:
    files = WindowFiles(lake, "bybit", symbols or (SYMBOL,), window())
    findings = check_files(files, Limits(**limits))
    return {f"{finding.stage}/{finding.rule}": finding for finding in findings}


def failed(lake: Path, *symbols: str, **limits: Any) -> dict[str, list[Row]]:
    return {
        name: finding.sample.to_pylist()
        for name, finding in found(lake, *symbols, **limits).items()
        if not finding.passed
    }


def change(row: int, **values: Any) -> Callable[[list[Row]], list[Row]]:
    return lambda rows: [old | values if i == row else old for i, old in enumerate(rows)]


def drop(row: int) -> Callable[[list[Row]], list[Row]]:
    return lambda rows: rows[:row] + rows[row + 1 :]


def repeat(row: int) -> Callable[[list[Row]], list[Row]]:
    return lambda rows: rows[: row + 1] + rows[row:]


def swap(row: int) -> Callable[[list[Row]], list[Row]]:
    return lambda rows: [*rows[:row], rows[row + 1], rows[row], *rows[row + 2 :]]


def check_damage(
    good_lake: Path, folder: Path, table: str, damage: Damage, expected: dict[str, Any]
) -> None:
    """Exactly the `expected` rules fail, with these rows; ... stands for any rows."""
    lake = shutil.copytree(good_lake, folder / "lake")
    SmallLake().damaged(table, damage).write(lake, [table])
    failures = failed(lake)
    assert set(failures) == set(expected)
    for name, rows in expected.items():
        assert rows is ... or failures[name] == rows
