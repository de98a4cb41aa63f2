"""kill -9 at any moment of a window's capture and sealing, and what is there afterwards.

    python -m atelier_pipeline_tests.reliability.kills --kills 200 --seed 7

Real processes with real WebSockets before the simulated exchanges, one exchange beside the other. A
quarter each is killed at a random moment of the whole run, at a random moment of the sealing, at
one of the calls of the run that make files durable or name them, and at one of the sealing's.
"""

import argparse
import logging
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import msgspec

from atelier_pipeline.capture.listener import Listener
from atelier_pipeline.capture.states import logger
from atelier_pipeline_tests.reliability.collectors import SYMBOLS, collector
from atelier_pipeline_tests.reliability.served import Served, served
from atelier_pipeline_tests.reliability.trials import (
    Evidence,
    Trial,
    evidence_of,
    files_of,
    sealed_bytes,
    torn,
)
from atelier_pipeline_tests.reliability.victims import (
    When,
    answer_of,
    calls_of,
    done,
    ended,
    forked,
    killed_after,
    killed_at_call,
)

HOW = ("run", "sealing", "calls of the run", "calls of the sealing")
FIRST_CALLS = 40
"""Calls of the run among which one is chosen: the journal's, and then the first of the sealing."""


class Kill(msgspec.Struct):
    """One kill and what was found behind it.

    Attributes:
        died: False where everything had been done before: no kill at all.
        evidence: of the frames, where a capture was killed.
        wrong: what must not be, in words.
    """

    exchange: str
    how: str
    moment: str
    died: bool
    evidence: Evidence | None = None
    wrong: list[str] = []


class Lane:
    """The kills of one exchange, one after the other; itself it touches no file's content."""

    def __init__(self, exchange: str, exchanges: Served, folder: Path, seed: int) -> None:
        self.exchange = exchange
        self.exchanges = exchanges
        self._folder = folder / exchange
        self._rng = random.Random(f"{seed}/{exchange}")  # noqa: S311 - a finding must be repeatable
        self._whole = self._captured("whole")
        began = time.monotonic()
        done(self._whole.seal)
        self._seal_secs = time.monotonic() - began
        self._seal_calls = calls_of(self._copied("counted").seal)
        self._bytes = answer_of(lambda: sealed_bytes(self._whole), dict[str, str])

    def kills(self, wanted: int) -> Iterator[Kill]:
        """So many kills; one that came too late is tried again."""
        for number in range(wanted):
            yield next(kill for kill in self._tries(number) if kill.died or kill.wrong)

    def _tries(self, number: int) -> Iterator[Kill]:
        how = HOW[number % len(HOW)]
        for attempt in count():
            name = f"kill-{number}-{attempt}"
            try:
                yield self._of_run(how, name) if "run" in how else self._of_sealing(how, name)
            finally:
                shutil.rmtree(self._folder / name)

    def _captured(self, name: str) -> Trial:
        """A window that was captured without disturbance, and is to be sealed."""
        trial = Trial.begin(self.exchange, self._folder / name, self.exchanges.url)
        done(trial.capture)
        return trial

    def _copied(self, name: str) -> Trial:
        """The same window in another place."""
        trial = msgspec.structs.replace(self._whole, root=str(self._folder / name))
        shutil.copytree(self._whole.settings.journal, trial.settings.journal)
        return trial

    def _of_sealing(self, how: str, name: str) -> Kill:
        trial = self._copied(name)
        if how == "sealing":
            secs = self._rng.uniform(0, self._seal_secs)
            moment, died = f"{secs:.3f} s", killed_after(trial.seal, secs) > 0
        else:
            number, when = self._call(self._seal_calls)
            moment, died = f"{when} call {number}", killed_at_call(trial.seal, number, when)
        wrong = answer_of(lambda: files_of(trial), list[str])
        done(trial.seal)
        if answer_of(lambda: sealed_bytes(trial), dict[str, str]) != self._bytes:
            wrong.append("sealed again, the files are not those of an undisturbed sealing")
        return Kill(self.exchange, how, moment, died, None, wrong)

    def _of_run(self, how: str, name: str) -> Kill:
        before = max(self.exchanges.sent(self.exchange))
        trial = Trial.begin(self.exchange, self._folder / name, self.exchanges.url)
        if how == "run":
            secs = self._rng.uniform(0, trial.secs + self._seal_secs)
            killed_ns = killed_after(trial.run, secs)
            moment, died = f"{secs:.3f} s", killed_ns > 0
        else:
            number, when = self._call(FIRST_CALLS)
            moment, died = f"{when} call {number}", killed_at_call(trial.run, number, when)
            killed_ns = time.time_ns()
        wrong = answer_of(lambda: files_of(trial), list[str])
        crashed = answer_of(lambda: torn(trial) is True, bool)
        done(trial.run)
        if not answer_of(lambda: torn(trial) is not None, bool):
            # Killed before it had begun, and found on a busy machine when the window was over.
            return Kill(self.exchange, how, moment, died, None, wrong)
        sent = {n: frames for n, frames in self.exchanges.sent(self.exchange).items() if n > before}
        evidence = answer_of(lambda: evidence_of(trial, sent, killed_ns, crashed=crashed), Evidence)
        return Kill(self.exchange, how, moment, died, evidence, [*wrong, *evidence.wrong])

    def _call(self, calls: int) -> tuple[int, When]:
        return self._rng.randint(1, calls), self._rng.choice(["before", "after"])


def kill_all(kills: int, seed: int, exchanges: list[str]) -> list[Kill]:
    """So many kills, spread over the exchanges, which take their turns at the same time."""
    logger.setLevel(logging.CRITICAL)
    for exchange in exchanges:
        Listener(collector(exchange)).warm_up()
    with (
        tempfile.TemporaryDirectory(prefix="atelier-kills-") as name,
        served(Path(name)) as running,
    ):
        shares = {e: len(range(n, kills, len(exchanges))) for n, e in enumerate(exchanges)}
        lanes = [
            forked(lambda e=exchange, n=share: _keep(Lane(e, running, _made(name), seed), n, name))
            for exchange, share in shares.items()
        ]
        codes = [ended(pid, secs=60 + 60 * kills) for pid in lanes]
        if any(codes):
            raise RuntimeError("the kills of an exchange ended early: see above")
        paths = [Path(name) / f"{exchange}.jsonl" for exchange in exchanges]
        lines = [line for path in paths for line in path.read_bytes().splitlines()]
    return [msgspec.json.decode(line, type=Kill) for line in lines]


def _made(name: str) -> Path:
    folder = Path(name) / "trials"
    folder.mkdir(exist_ok=True)
    return folder


def _keep(lane: Lane, kills: int, folder: str) -> None:
    with (Path(folder) / f"{lane.exchange}.jsonl").open("wb") as file:
        for number, kill in enumerate(lane.kills(kills), 1):
            file.write(msgspec.json.encode(kill) + b"\n")
            sys.stdout.write(f"{kill.exchange} {number}/{kills}: {told(kill)}\n")
            sys.stdout.flush()


def told(kill: Kill) -> str:
    """One kill and what it cost, for who waits for the others."""
    lost = kill.evidence
    if lost is None or not lost.crashed:
        cost = "nothing lost"
    else:
        cost = f"{lost.lost_frames} frames of {lost.lost_secs:.3f} s lost"
    return "; ".join([f"{kill.how}, {kill.moment}", cost, *kill.wrong])


def summary(kills: list[Kill]) -> Iterator[str]:
    """What all kills came to, and each that left something wrong."""
    for how in HOW:
        yield f"killed in the {how}: {sum(kill.how == how for kill in kills)}"
    found = [kill.evidence for kill in kills if kill.evidence is not None]
    crashed = [evidence for evidence in found if evidence.crashed]
    secs = sorted(evidence.lost_secs for evidence in crashed)
    yield (
        f"torn journals: {len(crashed)}, of which {sum(e.went_on for e in crashed)} went on; lost: "
        f"{sum(e.lost_frames for e in crashed)} frames, {secs[-1] if secs else 0:.2f} s at most; "
        f"events not in the lake: {sum(e.told for e in found)} told, "
        f"{sum(e.by_crash for e in found)} of them by a crash"
    )
    wrong = [kill for kill in kills if kill.wrong]
    yield f"wrong: {len(wrong)}"
    for kill in wrong:
        yield f"{kill.exchange}, {kill.how}, {kill.moment}: {'; '.join(kill.wrong)}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="over all exchanges")
    parser.add_argument("--seed", type=int, default=7, help="another seed, other moments")
    parser.add_argument("--exchange", choices=[*SYMBOLS], action="append", help="default: all")
    options = parser.parse_args(arguments)
    kills = kill_all(options.kills, options.seed, options.exchange or [*SYMBOLS])
    sys.stdout.write("\n".join([*summary(kills), ""]))
    return 1 if any(kill.wrong for kill in kills) else 0


if __name__ == "__main__":
    sys.exit(main())
