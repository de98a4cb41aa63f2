"""How long the command line needs before it does anything."""

import subprocess
import sys

from atelier_pipeline_tests.benchmarks.stopwatch import Stopwatch

_REPEATS = 5


def help_page(watch: Stopwatch) -> dict[str, float]:
    """`atelier --help`, a process each time; an amount of starts."""
    return _started(watch, (sys.executable, "-m", "atelier_pipeline.cli", "--help"))


def nothing(watch: Stopwatch) -> dict[str, float]:
    """Python itself, which does nothing."""
    return _started(watch, (sys.executable, "-c", ""))


def _started(watch: Stopwatch, command: tuple[str, ...]) -> dict[str, float]:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with watch:
        for _ in range(_REPEATS):
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return watch.sample(_REPEATS)
