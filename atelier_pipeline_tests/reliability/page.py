"""The tables of docs/reliability.md, made from what the matrix test itself finds.

`python -m atelier_pipeline_tests.reliability.page` writes them; a test compares.
"""

from collections import defaultdict
from pathlib import Path

from atelier_pipeline_tests.decode.script import plain
from atelier_pipeline_tests.reliability.cases import CASES
from atelier_pipeline_tests.reliability.collectors import NS_PER_SEC, SYMBOLS, datasets_of
from atelier_pipeline_tests.reliability.matrix import Case, Outcome, outcome_of
from atelier_pipeline_tests.reliability.virtual import T0

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
START, END = "<!-- made from the matrix: start -->", "<!-- made from the matrix: end -->"
CELLS = [(case, exchange) for case in CASES for exchange in case.expected]


def matrix_table() -> str:
    lines = ["| fault | exchange | the ledger says | bounds, s of the window |", "|---|---|---|---|"]
    lines += [line for case, exchange in CELLS for line in cell_lines(outcome_of(case, exchange))]
    return "\n".join(lines)


def shown_lines(case: Case, exchange: str) -> list[str]:
    """The rows of a cell as the page has them."""
    begin = f"| {case.name} | `{exchange}` |"
    return [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith(begin)]


def shown_cells() -> list[tuple[str, str]]:
    """(fault, exchange) of every cell on the page, in order."""
    table = PAGE.read_text("utf-8").split(START)[1].split(END)[0]
    rows = [line.split(" | ") for line in table.strip().splitlines()[2:]]
    return list(dict.fromkeys((row[0].removeprefix("| "), row[1].strip("`")) for row in rows))


def with_table(page: str) -> str:
    before, rest = page.split(START)
    return f"{before}{START}\n\n{matrix_table()}\n\n{END}{rest.split(END)[1]}"


def cell_lines(outcome: Outcome) -> list[str]:
    """The rows of a cell as they should be."""
    said = _said(outcome)
    if not outcome.is_truthful:
        said.append(("**nothing more: frames don't show it**", ""))
    begin = f"| {outcome.case.name} | `{outcome.exchange}` |"
    return [f"{begin} {what} | {bounds} |" for what, bounds in said or [("–", "")]]


def _said(outcome: Outcome) -> list[tuple[str, str]]:
    """(words, bounds) for the rows of gaps, those of one cause, scope and number together."""
    names = dict(zip(SYMBOLS[outcome.exchange], "AB", strict=True))
    groups: dict[tuple[str, str, object], list[tuple[str, str, int, int]]] = defaultdict(list)
    for symbol, name in names.items():
        for row in plain(outcome.sealed.gaps[symbol]):
            place = (row["cause"], row["scope"], row["lost"])
            groups[place].append((name, row["dataset"], row["ts_start"], row["ts_end"]))
    return [(_words(outcome.exchange, *place, rows), _bounds(rows)) for place, rows in groups.items()]


def _words(
    exchange: str, cause: str, scope: str, lost: object, rows: list[tuple[str, str, int, int]]
) -> str:
    where = " of the connection" if scope == "connection" else ""
    many = {None: "", 0: " (a note)"}.get(lost, f" ({lost} lost)")
    return f"`{cause}`{where}{many}: {_feeds(exchange, rows)}"


def _feeds(exchange: str, rows: list[tuple[str, str, int, int]]) -> str:
    """Which feeds, without saying twice what is so for both symbols or every dataset."""
    datasets = {name: sorted({d for n, d, *_ in rows if n == name}) for name, *_ in rows}
    everything = sorted(map(str, datasets_of(exchange)))
    told = {
        name: "every feed" if of == everything else " and ".join(of)
        for name, of in datasets.items()
    }
    if len(set(told.values())) == 1:
        return f"{' and '.join(sorted(told))}, {next(iter(told.values()))}"
    return "; ".join(f"{name}, {feeds}" for name, feeds in sorted(told.items()))


def _bounds(rows: list[tuple[str, str, int, int]]) -> str:
    start, end = min(row[2] for row in rows), max(row[3] for row in rows)
    return f"{(start - T0) / NS_PER_SEC:.3f} to {(end - T0) / NS_PER_SEC:.3f}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text("utf-8")), "utf-8")
