"""What a run has found: measured lines, verdicts on the targets, and how cost grows."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from atelier_pipeline_tests.benchmarks.measure import Ratio, Series, ratio


@dataclass(frozen=True)
class Line:
    """One case in its rounds.

    Attributes:
        unit: what was counted.
        rate, cpu_rate: median units per second, of wall and of processor time.
        versus: how many times faster than the peer in the same rounds; None for the peer itself
            and where there is none.
    """

    label: str
    unit: str
    rate: float
    cpu_rate: float
    peak_mib: float
    versus: Ratio | None = None


@dataclass(frozen=True)
class Verdict:
    """A target and what was measured; `remark` says more than the figures."""

    what: str
    target: str
    measured: str
    is_met: bool
    distance: str
    remark: str = ""


@dataclass(frozen=True)
class Point:
    """The cost of some amount of work."""

    amount: float
    secs: float
    cpu_secs: float
    peak_mib: float


@dataclass(frozen=True)
class Growth:
    """What more of one thing costs."""

    label: str
    unit: str
    points: Sequence[Point]


@dataclass
class Results:
    """Everything that a run has found, in order."""

    lines: list[Line] = field(default_factory=list[Line])
    verdicts: list[Verdict] = field(default_factory=list[Verdict])
    growth: list[Growth] = field(default_factory=list[Growth])

    def add(self, unit: str, mine: Series, theirs: Series | None = None) -> Ratio | None:
        """A case and its peer; returns the ratio of their speeds."""
        versus = ratio(mine, theirs) if theirs else None
        self.lines.append(_line(mine, unit, versus))
        if theirs and all(line.label != theirs.case.label for line in self.lines):
            self.lines.append(_line(theirs, unit, None))
        return versus

    def at_least(
        self, what: str, target: float, measured: float, unit: str, remark: str = ""
    ) -> None:
        """A target from below."""
        distance = f"{measured / target:.2f} of it"
        self._judge(what, ("≥", target), measured, unit, (measured >= target, distance, remark))

    def at_most(
        self, what: str, target: float, measured: float, unit: str, remark: str = ""
    ) -> None:
        """A target from above."""
        distance = f"{measured / target:.2f} times it" if target else "none is allowed"
        self._judge(what, ("≤", target), measured, unit, (measured <= target, distance, remark))

    def _judge(
        self,
        what: str,
        target: tuple[str, float],
        measured: float,
        unit: str,
        judged: tuple[bool, str, str],
    ) -> None:
        wanted = f"{target[0]} {short(target[1])} {unit}"
        self.verdicts.append(Verdict(what, wanted, f"{short(measured)} {unit}", *judged))


def short(value: float) -> str:
    """A number with three digits that count, and k or M for thousands and millions."""
    for size, letter in ((1e6, " M"), (1e4, " k")):
        if abs(value) >= size:
            return f"{value / (1e6 if letter == ' M' else 1e3):.3g}{letter}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _line(series: Series, unit: str, versus: Ratio | None) -> Line:
    return Line(series.case.label, unit, series.rate, series.cpu_rate, series.peak_mib, versus)
