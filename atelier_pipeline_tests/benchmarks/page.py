"""Results as Markdown, and their place in the page."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from atelier_pipeline_tests.benchmarks.results import Growth, Line, Results, short

BEGIN = "<!-- measured: written by make bench -->"
END = "<!-- end of what was measured -->"
_BAR = 24


def markdown(results: Results, surroundings: Iterable[str]) -> str:
    """Everything that was found, as tables."""
    parts = [
        *(f"- {line}" for line in surroundings),
        "",
        "### Against the targets",
        "",
        "| what | target | measured | verdict |",
        "|---|---|---|---|",
        *_verdicts(results),
        "",
        "### Every case",
        "",
        "| case | counted | a second of processor time | a second | peak MiB | against the peer |",
        "|---|---|---:|---:|---:|---|",
        *map(_row, results.lines),
        "",
        "### Growth",
        *(text for growth in results.growth for text in _growth(growth)),
    ]
    return "\n".join(parts)


def put(text: str, page: Path) -> None:
    """Replace what stands between the marks of the page."""
    before, _, rest = page.read_text("utf-8").partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"{page} has no place between {BEGIN!r} and {END!r}")
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", "utf-8")


def _verdicts(results: Results) -> Iterator[str]:
    for verdict in results.verdicts:
        judged = "met" if verdict.is_met else f"**missed**, {verdict.distance}"
        said = f"{judged}; {verdict.remark}" if verdict.remark else judged
        yield f"| {verdict.what} | {verdict.target} | {verdict.measured} | {said} |"


def _row(line: Line) -> str:
    versus = ""
    if line.versus is not None:
        each = line.versus
        versus = f"{each.cpu:.2f} times (wall {each.median:.2f}, {each.low:.2f} to {each.high:.2f})"
    rates = f"{short(line.cpu_rate)} | {short(line.rate)}"
    return f"| {line.label} | {line.unit} | {rates} | {line.peak_mib:.0f} | {versus} |"


def _growth(growth: Growth) -> Iterator[str]:
    first = growth.points[0]
    most = max(point.cpu_secs for point in growth.points)
    yield from ("", f"{growth.label}:", "")
    yield f"| {growth.unit} | s of processor time | times the first | peak MiB | |"
    yield "|---:|---:|---:|---:|---|"
    for point in growth.points:
        bar = "█" * max(1, round(_BAR * point.cpu_secs / most))
        times = f"{point.cpu_secs / first.cpu_secs:.2f} for {point.amount / first.amount:g}"
        yield (
            f"| {short(point.amount)} | {point.cpu_secs:.2f} | {times} "
            f"| {point.peak_mib:.0f} | {bar} |"
        )
