"""A process that dies at a chosen call into the file system, and does nothing any more."""

import os
from collections.abc import Iterator
from contextlib import suppress

import pytest

from atelier_pipeline.housekeeping import compact

CALLS = ("fsync", "link", "unlink", "rmdir", "mkdir", "rename", "replace")


class PowerCutError(BaseException):
    """What no handler in the project takes for an error of its own."""


class Power:
    """Cut before call number `calls` (from 0) that changes names or makes something durable."""

    def __init__(self, calls: int) -> None:
        self.left = calls
        self.was_cut = False

    def spend(self) -> None:
        self.was_cut = self.was_cut or self.left == 0
        if self.was_cut:
            raise PowerCutError
        self.left -= 1


def cut_everywhere(run, prepare) -> Iterator[int]:
    """Run `run` with the power cut before its first call, then before its second, and so on.

    `prepare` makes a fresh place for each. Yields the number of the call after each cut; ends with
    the first run that needs all calls and is not cut.
    """
    calls = 0
    while True:
        prepare()
        power = Power(calls)
        with pytest.MonkeyPatch.context() as patch:
            for name in CALLS:
                patch.setattr(os, name, _spending(power, getattr(os, name)))
            patch.setattr(compact, "swap_folders", _spending(power, compact.swap_folders))
            with suppress(PowerCutError):
                run()
        if not power.was_cut:
            return
        yield calls
        calls += 1


def _spending(power, call):
    def spent(*arguments, **options):
        power.spend()
        return call(*arguments, **options)

    return spent
