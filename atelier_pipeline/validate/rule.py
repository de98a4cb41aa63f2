"""What a rule is and what it finds. The rules themselves are beside, one module per stage.

A rule's query returns the rows that offend. It reads the tables of `reads` under their names, and

- `files`: every file that the window could have: `table_name, kind, symbol, path, present`;
- `wanted`: the contract's columns: `table_name, position, column_name, column_type, nullable`;
- with `footers`, of their files that are there: `found` (`path, position, column_name,
  column_type`) and `statistics` (`path, column_name, nulls, low, high`, a row per row group);
- by `getvariable`: `exchange`, `t0, t1` (the window, UTC ns) and every attribute of `Limits`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import pyarrow as pa


class Severity(StrEnum):
    """ERROR blocks what is downstream, WARN is for people to look at."""

    ERROR = "ERROR"
    WARN = "WARN"


class Stage(StrEnum):
    """Which files a rule judges first; it may read those of earlier stages too."""

    RAW = "raw"
    SYNC = "sync"
    AGGREGATES = "aggregates"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One statement about the files of a window that must hold.

    Attributes:
        name: what it is called; unique in its stage.
        description: what must hold, in one sentence.
        reads: the tables whose rows the query reads.
        query: a SELECT that returns the offending rows.
        footers: the tables whose files' footers it reads.
        reads_before: the tables whose rows of the window before it reads too, as `NAME_before`.
        doubt: a cheaper SELECT, which may read `book_marks` and `book_files` as well; where it
            finds nothing, `query` would find nothing either. Nobody sees its rows.
    """

    name: str
    stage: Stage
    severity: Severity
    description: str
    reads: tuple[str, ...]
    query: str
    footers: tuple[str, ...] = ()
    reads_before: tuple[str, ...] = ()
    doubt: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What rules need to know and files don't say, and where "too much" begins.

    Attributes:
        period_ns: the grid's period.
        clock: which time puts an event into a period.
        min_valid_share: fewest ticks with a valid book, of those outside declared losses.
        max_clock_offset_ns: most that the quickest event may take by the two clocks, or fall short.
        max_funding_rate: largest size of a funding rate per interval (0.05 = 5 %).
        funding_slack_ns: how late a funding update may still name the settlement just past.
        rounding: relative difference that two sums of the same numbers in another order may have.
    """

    period_ns: int = 100_000_000
    clock: Literal["event", "receive"] = "event"
    min_valid_share: float = 0.99
    max_clock_offset_ns: int = 500_000_000
    max_funding_rate: float = 0.05
    funding_slack_ns: int = 60_000_000_000
    rounding: float = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one rule found in one window.

    Attributes:
        passed: no row offends.
        offending: how many rows do; 1 where the rule could not judge.
        sample: the first of them in the order of their columns, times as text; nothing where it
            passed; where it could not judge, one row with the reason as `problem`.
    """

    rule: str
    stage: Stage
    severity: Severity
    description: str
    passed: bool
    offending: int
    sample: pa.Table


def fill(template: str, **parts: str) -> str:
    """`template` with SQL of our own put in for the words in capitals that name the parts."""
    for word, part in parts.items():
        template = template.replace(word, part)
    return template


def per_table(template: str, tables: tuple[str, ...]) -> str:
    """`template` for each of `tables`, whose name it writes as TABLE, one after the other."""
    return union(*(fill(template, TABLE=name) for name in tables))


def union(*queries: str) -> str:
    """The rows of all `queries`."""
    return "\nUNION ALL\n".join(queries)
