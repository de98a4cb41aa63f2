"""What the tests of this folder share."""

import subprocess
import sys
from collections.abc import Callable

import pytest

Ran = subprocess.CompletedProcess[str]
"""A command that has ended, and what it wrote."""


@pytest.fixture
def command() -> Callable[..., Ran]:
    """Runs a module of this folder as its documented command does, from a fresh process.

    Processes that are killed are forked: a test's own process has threads, and must not be.
    """

    def run(module: str, *options: str, through: tuple[str, ...] = ()) -> Ran:
        words = [*through, sys.executable, "-m", f"{__package__}.{module}", *options]
        return subprocess.run(words, capture_output=True, text=True, check=False)

    return run
