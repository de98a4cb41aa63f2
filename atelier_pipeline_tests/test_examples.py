"""Every example runs as it stands."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))


def run(example: Path, folder: Path) -> str:
    """What an example prints when it is run in an empty folder."""
    answer = subprocess.run(
        [sys.executable, example],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_says_something(example, tmp_path):
    assert run(example, tmp_path).strip()


def test_simulated_features_shows_the_same_last_five_ticks_every_time(tmp_path):
    example = next(path for path in EXAMPLES if path.stem == "simulated_features")
    told = run(example, tmp_path)
    assert told == run(example, tmp_path)
    ticks = [int(line.split()[0]) for line in told.splitlines()]
    end_ns = 1_767_225_610 * 1_000_000_000
    assert ticks == [end_ns - k * 100_000_000 for k in (4, 3, 2, 1, 0)]
