"""The tables of docs/reliability.md, made from what the matrix test itself finds.

`python -m atelier_pipeline_tests.reliability.page` writes them, or only the rows of faults whose
names hold the words given; tests compare.
"""

import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from atelier_pipeline_tests.decode.script import plain
from atelier_pipeline_tests.reliability.cases import CASES
from atelier_pipeline_tests.reliability.collectors import NS_PER_SEC, SYMBOLS, datasets_of
from atelier_pipeline_tests.reliability.matrix import Outcome, outcome_of
from atelier_pipeline_tests.reliability.virtual import T0

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
CELLS = [(case, exchange) for case in CASES for exchange in case.expected]
NOTHING = "nothing"
NOT_TOLD = "**not told**"
NOTE = " (a note)"

Place = tuple[str, str]
"""Symbol (A or B), dataset."""


class Row(NamedTuple):
    """What the ledger says of a fault in one row or in several of one kind."""

    fault: str
    exchange: str
    says: str
    bounds: str


def rows_of(outcome: Outcome) -> list[Row]:
    """The rows of a cell as they should be on the page."""
    said = _said(outcome)
    if not outcome.is_truthful:
        said.append((f"{NOT_TOLD}: {outcome.case.unseen.get(outcome.exchange)}", ""))
    cell = outcome.case.name, outcome.exchange
    return [Row(*cell, *words) for words in said or [(NOTHING, "")]]


def shown_rows() -> list[Row]:
    """The rows of every cell as they are on the page, in order."""
    lines = _between("details", PAGE.read_text("utf-8")).strip().splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [Row(fault, name.strip("`"), says, bounds) for fault, name, says, bounds in cells]


def details(rows: Sequence[Row]) -> str:
    """Every row, with its bounds."""
    head = ["| fault | exchange | the ledger says | bounds, s of the window |", "|---|---|---|---|"]
    lines = [f"| {row.fault} | `{row.exchange}` | {row.says} | {row.bounds} |" for row in rows]
    return "\n".join([*head, *lines])


def overview(rows: Sequence[Row]) -> str:
    """A row for each fault, a column for each exchange, in it the causes of losses."""
    said: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        said[row.fault][row.exchange].append(row.says)
    lines = [f"| fault | {' | '.join(f'`{name}`' for name in SYMBOLS)} |", "|---" * 6 + "|"]
    for fault, by_exchange in said.items():
        cells = [_in_short(by_exchange.get(name, ["does not apply"])) for name in SYMBOLS]
        lines.append(f"| {fault} | {' | '.join(cells)} |")
    return "\n".join(lines)


def shown_overview() -> str:
    """The overview as it is on the page."""
    return _between("overview", PAGE.read_text("utf-8")).strip()


def _in_short(said: Sequence[str]) -> str:
    if said in ([NOTHING], ["does not apply"]):
        return "ok" if said == [NOTHING] else ""
    losses = re.findall(r"`(\w+)`", " ".join(words for words in said if NOTE not in words))
    untold = [NOT_TOLD] if any(words.startswith(NOT_TOLD) for words in said) else []
    return ", ".join([*(f"`{cause}`" for cause in dict.fromkeys(losses)), *untold]) or "a note"


def _said(outcome: Outcome) -> list[tuple[str, str]]:
    """(words, bounds) for the rows of gaps, those of one cause, scope and number together."""
    names = dict(zip(SYMBOLS[outcome.exchange], "AB", strict=True))
    groups: dict[tuple[str, str, object], list[tuple[Place, int, int]]] = defaultdict(list)
    for symbol, name in names.items():
        for row in plain(outcome.sealed.gaps[symbol]):
            kind = (row["cause"], row["scope"], row["lost"])
            groups[kind].append(((name, row["dataset"]), row["ts_start"], row["ts_end"]))
    return [(_words(outcome.exchange, *kind, rows), _bounds(rows)) for kind, rows in groups.items()]


def _words(
    exchange: str, cause: str, scope: str, lost: object, rows: list[tuple[Place, int, int]]
) -> str:
    where = " of the connection" if scope == "connection" else ""
    many = {None: "", 0: NOTE}.get(lost, f" ({lost} lost)")
    return f"`{cause}`{where}{many}: {_feeds(exchange, [place for place, *_ in rows])}"


def _feeds(exchange: str, places: list[Place]) -> str:
    """Which feeds, without saying twice what is so for both symbols or every dataset."""
    datasets = {name: sorted({d for n, d in places if n == name}) for name, _ in places}
    everything = sorted(map(str, datasets_of(exchange)))
    told = {
        name: "every feed" if of == everything else " and ".join(of)
        for name, of in datasets.items()
    }
    if len(set(told.values())) == 1:
        return f"{' and '.join(sorted(told))}, {next(iter(told.values()))}"
    return "; ".join(f"{name}, {feeds}" for name, feeds in sorted(told.items()))


def _bounds(rows: list[tuple[Place, int, int]]) -> str:
    start, end = min(start for _, start, _ in rows), max(end for *_, end in rows)
    return f"{(start - T0) / NS_PER_SEC:.3f} to {(end - T0) / NS_PER_SEC:.3f}"


def _marks(name: str) -> tuple[str, str]:
    what = f"made from the matrix, {name}"
    return f"<!-- {what}: start -->", f"<!-- {what}: end -->"


def _between(name: str, page: str) -> str:
    start, end = _marks(name)
    return page.split(start)[1].split(end, maxsplit=1)[0]


def _with(name: str, table: str, page: str) -> str:
    start, end = _marks(name)
    return f"{page.split(start, maxsplit=1)[0]}{start}\n\n{table}\n\n{end}{page.split(end)[1]}"


def _made_rows(words: str) -> list[Row]:
    """The rows of every cell: those asked for made anew, the others as they are shown."""
    shown = [row for row in shown_rows() if words not in row.fault]
    rows: list[Row] = []
    for case, exchange in CELLS:
        if words in case.name:
            sys.stdout.write(f"{case.name}, {exchange}\n")
            rows += rows_of(outcome_of(case, exchange))
        else:
            rows += [row for row in shown if row[:2] == (case.name, exchange)]
    return rows


if __name__ == "__main__":
    made = _made_rows(" ".join(sys.argv[1:]))
    page = _with("overview", overview(made), PAGE.read_text("utf-8"))
    PAGE.write_text(_with("details", details(made), page), "utf-8")
