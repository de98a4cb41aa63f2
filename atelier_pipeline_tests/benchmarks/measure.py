"""Cases run in rounds A B A B, each in a process of its own, and what the rounds say together.

The parent stays small: on Linux a child begins with the peak memory of who started it.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]


class CaseFailedError(Exception):
    """A case's process ended without a sample."""


@dataclass(frozen=True)
class Case:
    """Something to be measured.

    Attributes:
        label: what the page calls it.
        command: the process to start; its last line of output is the sample as JSON.
    """

    label: str
    command: tuple[str, ...]

    def run(self) -> "Sample":
        """One sample; raises CaseFailedError, with what the process said, where there is none."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            self.command, capture_output=True, text=True, check=False, env=environment, cwd=ROOT
        )
        if done.returncode:
            raise CaseFailedError(f"{self.label}: {done.stderr.strip()[-2000:]}")
        return Sample(json.loads(done.stdout.splitlines()[-1]))


def ours(label: str, module: str, function: str, **parameters: object) -> Case:
    """The case `function` of `cases.module`, run by this Python."""
    child = f"{__package__}.child"
    command = (sys.executable, "-m", child, module, function, json.dumps(parameters))
    return Case(label, command)


def peer(label: str, python: Path, script: Path, **parameters: object) -> Case:
    """A script run by another environment's Python."""
    return Case(label, (str(python), str(script), json.dumps(parameters)))


@dataclass(frozen=True)
class Sample:
    """The figures of one run of a case; see Stopwatch.sample."""

    figures: Mapping[str, float]

    @property
    def rate(self) -> float:
        """Units of work per second of wall time."""
        return self.figures["amount"] / self.figures["secs"]

    @property
    def cpu_rate(self) -> float:
        """Units of work per second of processor time."""
        return self.figures["amount"] / max(self.figures["cpu_secs"], 1e-9)


@dataclass
class Series:
    """The samples of one case, in order."""

    case: Case
    samples: list[Sample] = field(default_factory=list[Sample])

    def median(self, figure: str) -> float:
        """The median of a figure over the rounds."""
        return statistics.median(sample.figures[figure] for sample in self.samples)

    @property
    def rate(self) -> float:
        """Median units per second of wall time."""
        return statistics.median(sample.rate for sample in self.samples)

    @property
    def cpu_rate(self) -> float:
        """Median units per second of processor time."""
        return statistics.median(sample.cpu_rate for sample in self.samples)

    @property
    def peak_mib(self) -> float:
        """The largest peak memory of any round."""
        return max(sample.figures["peak_mib"] for sample in self.samples)


@dataclass(frozen=True)
class Ratio:
    """How many times faster one case is than another: the median of the rounds' own ratios."""

    median: float
    low: float
    high: float
    cpu: float


def interleaved(cases: Sequence[Case], rounds: int) -> list[Series]:
    """Every case once in each round, in turn, so that what slows the machine slows them all."""
    series = [Series(case) for case in cases]
    for _ in range(rounds):
        for each in series:
            each.samples.append(each.case.run())
    return series


def ratio(mine: Series, theirs: Series) -> Ratio:
    """Of rates by wall time, round by round; `cpu` by processor time."""
    pairs = list(zip(mine.samples, theirs.samples, strict=True))
    ratios = [a.rate / b.rate for a, b in pairs]
    cpu = statistics.median(a.cpu_rate / b.cpu_rate for a, b in pairs)
    return Ratio(statistics.median(ratios), min(ratios), max(ratios), cpu)
