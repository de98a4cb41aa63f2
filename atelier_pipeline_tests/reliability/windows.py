"""Consecutive windows with faults, each captured while the one before still is, on a virtual clock.

    python -m atelier_pipeline_tests.reliability.windows --windows 100 --seed 7

Every connection meets up to two faults of the matrix, at any moment of its lead or window. Held
against the exchange itself: the union of the windows' trades, and the book at every tick, the
boundaries among them (what opens a window, what closes the one before).
"""

import argparse
import logging
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from atelier_pipeline.capture.states import logger
from atelier_pipeline.decode.seal import Sealed
from atelier_pipeline.manifest import Collector
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.window import Window
from atelier_pipeline.simulator import Fault
from atelier_pipeline_tests.decode.script import plain
from atelier_pipeline_tests.reliability.cases import CASES
from atelier_pipeline_tests.reliability.collectors import NS_PER_SEC, SYMBOLS, collector
from atelier_pipeline_tests.reliability.ledger import (
    PERIOD_NS,
    Levels,
    losses_of,
    ticks_of,
    trades_of,
    true_trades,
    untold,
)
from atelier_pipeline_tests.reliability.virtual import T0, WITNESS, Capture, Market

WINDOW_SECS = 4
LEAD_SECS = 3
CONNECTIONS_PER_WINDOW = 5
"""More than faults make of them; connections have numbers through all windows."""

NOT_HERE = {
    "a trade id is skipped": set(SYMBOLS),
    "a digit is wrong in three book messages": set(SYMBOLS) - {"kraken"},
    "heartbeats and no data for 6 s": set(SYMBOLS),
}
"""What frames can't show: ids that trades don't have, values without a checksum, data held back."""


@dataclass
class Account:
    """What a run of windows came to.

    Attributes:
        sent, kept: the exchange's trades, and those in the windows.
        told: missing trades that lie in a loss of their window's ledger.
        openings, closings: books at boundaries that are the exchange's own.
        unknown: books at boundaries that are marked: no opening book, an invalid one, a loss.
        ticks: books at ticks that are the exchange's own, and valid.
        marked: books at other ticks, invalid or with a loss in their period.
        unshown: books at ticks behind a lost message that the next one made good: a checksum can't
            show that, since it is only sent with the next one.
        causes: rows of the ledgers, by cause, notes left out.
        wrong: what is neither the exchange's own nor told, in words.
    """

    exchange: str
    windows: int = 0
    faults: int = 0
    connections: int = 0
    sent: int = 0
    kept: int = 0
    told: int = 0
    openings: int = 0
    closings: int = 0
    unknown: int = 0
    ticks: int = 0
    marked: int = 0
    unshown: int = 0
    causes: Counter[str] = field(default_factory=Counter[str])
    wrong: list[str] = field(default_factory=list[str])

    def __str__(self) -> str:
        causes = ", ".join(f"{count} {cause}" for cause, count in sorted(self.causes.items()))
        return (
            f"{self.exchange}: {self.windows} windows, {self.faults} faults, "
            f"{self.connections} connections; {self.sent} trades sent, {self.kept} kept, "
            f"{self.told} in told losses; boundaries: {self.openings} opening and {self.closings} "
            f"closing books true, {self.unknown} marked; ticks: {self.ticks} true, {self.marked} "
            f"marked, {self.unshown} not shown by a checksum; losses: {causes or 'none'}; "
            f"wrong: {len(self.wrong)}"
        )


def faults_of(exchange: str, windows: int, seed: int) -> list[Fault]:
    """Up to two faults for each connection, of those that frames can show."""
    rng = random.Random(f"{seed}/{exchange}")  # noqa: S311 - a finding must be repeatable
    cases = [
        case
        for case in CASES
        if exchange in case.expected
        and exchange not in case.unseen
        and exchange not in NOT_HERE.get(case.name, ())
    ]
    return [
        Fault(
            **{
                "after_secs": rng.uniform(0, LEAD_SECS + WINDOW_SECS),
                **case.fault,
                "symbol": rng.choice(SYMBOLS[exchange]) if case.of_symbol else None,
                "connection": connection,
            }
        )
        for connection in range(WITNESS + 1, windows * CONNECTIONS_PER_WINDOW)
        for case in rng.sample(cases, rng.choice([0, 1, 1, 2]))
    ]


def run_windows(exchange: str, windows: int, seed: int) -> Account:
    """Capture, seal and judge `windows` consecutive windows."""
    market = Market(exchange, faults_of(exchange, windows, seed), seed=seed, rate=10)
    made = collector(exchange, lead_secs=LEAD_SECS, staleness_secs=2)
    account, seen = Account(exchange), set[tuple[str, str]]()
    for capture in _captured(market, windows, made):
        sealed = capture.sealed()
        account.windows += 1
        account.connections += sum(kind == "opened" for _, _, kind, _ in capture.frames)
        for symbol in SYMBOLS[exchange]:
            _Judge(market, capture, sealed, symbol, account, seen).judge()
        _forget(market, capture.window.end_ns)
    account.faults = len(market.faults.happened)
    return account


def _captured(market: Market, windows: int, made: Collector) -> Iterator[Capture]:
    """Each window's capture when it has ended; the next one is connected by then."""
    edges = (T0 + n * WINDOW_SECS * NS_PER_SEC for n in range(windows + 1))
    tiles = [Window(start, end) for start, end in pairwise(edges)]
    under_way = [market.capture(made, tiles[0])]
    for number, window in enumerate(tiles, 1):
        if number < windows:
            under_way.append(market.capture(made, tiles[number]))
        market.run(until_ns=window.end_ns + NS_PER_SEC)
        capture = under_way.pop(0)
        assert capture.is_over
        yield capture


def _forget(market: Market, before_ns: int) -> None:
    """Leave the truth of the windows to come, and the last book before them."""
    for symbol, books in market.truth.books.items():
        kept = sum(time < before_ns for time, _ in books)
        market.truth.books[symbol] = books[max(kept - 1, 0) :]


@dataclass(frozen=True)
class _Judge:
    """One symbol of one window, held against the exchange."""

    market: Market
    capture: Capture
    sealed: Sealed
    symbol: str
    account: Account
    seen: set[tuple[str, str]]

    def judge(self) -> None:
        losses = losses_of(self.sealed, self.symbol)
        self.account.causes.update(row["cause"] for row in losses)
        self._judge_trades()
        self._judge_opening()
        self._judge_ticks()

    def _judge_trades(self) -> None:
        account, symbol = self.account, self.symbol
        got = trades_of(self.sealed, symbol)
        own = true_trades(self.market.truth, symbol, self.capture.window)
        missing = {number: values for number, values in own.items() if number not in got}
        silent = untold(missing, losses_of(self.sealed, symbol, Dataset.TRADES))
        account.sent += len(own)
        account.kept += len(got)
        account.told += len(missing) - len(silent)
        again = {number for number in got if (symbol, number) in self.seen}
        foreign = {number for number, values in got.items() if own.get(number) != values}
        self.seen.update((symbol, number) for number in got)
        for words, ids in (("untold", silent), ("twice", again), ("foreign", foreign)):
            self._blame(f"trades {words}: {sorted(ids)}", is_wrong=bool(ids))

    def _judge_opening(self) -> None:
        t0 = self.capture.window.start_ns
        book: tuple[Levels, Levels] = [], []
        rows = plain(self.sealed.tables[self.symbol, Dataset.ORDERBOOKS])
        opening = [row for row in rows if row["opening"]]
        for row in opening:
            book[row["side"] == "ask"].append((row["price"], row["size"]))
        is_true = book == tuple(self.market.truth.book_before(self.symbol, t0))
        self.account.openings += is_true
        self.account.unknown += not is_true
        self._blame(
            "opening book", is_wrong=bool(opening) and not is_true and not self._is_told(t0)
        )

    def _judge_ticks(self) -> None:
        window, account = self.capture.window, self.account
        truth, made = self.market.truth, self.capture.collector
        for tick in ticks_of(self.sealed, made, window, self.symbol, truth):
            is_known = tick.is_true and tick.valid
            if tick.time == window.end_ns:
                account.closings += is_known
                account.unknown += not is_known
            account.ticks += is_known
            account.marked += not is_known and tick.is_honest
            is_unshown = not tick.is_honest and self._is_made_good(tick.time)
            account.unshown += is_unshown
            is_wrong = not (tick.is_honest or is_unshown or self._is_told(tick.time))
            secs = (tick.time - window.start_ns) / NS_PER_SEC
            self._blame(f"book at {secs:.1f} s", is_wrong=is_wrong)

    def _is_told(self, moment: int) -> bool:
        """Whether the ledger tells that the book may have been another one at a moment.

        A message without a usable time may have been of the period before.
        """
        return any(
            row["ts_start"] - PERIOD_NS * (row["cause"] == "bad_time") <= moment <= row["ts_end"]
            for row in plain(self.sealed.gaps[self.symbol])
            if row["dataset"] == Dataset.ORDERBOOKS
            and (row["lost"] != 0 or row["cause"] == "bad_time")
        )

    def _is_made_good(self, moment: int) -> bool:
        """Whether a book with checksums lacks the newest message alone."""
        if self.capture.collector.exchange.book_integrity != "checksum_top10":
            return False
        struck = [
            each.ts
            for each in self.market.faults.happened
            if each.ts < moment and each.content and each.content.symbol == self.symbol
        ]
        messages = (time for time, _ in self.market.truth.books[self.symbol])
        return bool(struck) and not any(max(struck) < time < moment for time in messages)

    def _blame(self, what: str, *, is_wrong: bool) -> None:
        if is_wrong:
            number = (self.capture.window.start_ns - T0) // (WINDOW_SECS * NS_PER_SEC)
            self.account.wrong.append(f"window {number}, {self.symbol}: {what}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=100, help="windows per exchange")
    parser.add_argument(
        "--seed", type=int, default=7, help="another seed, other markets and faults"
    )
    parser.add_argument("--exchange", choices=[*SYMBOLS], action="append", help="default: all")
    options = parser.parse_args(arguments)
    logger.setLevel(logging.CRITICAL)
    wrong = 0
    for exchange in options.exchange or SYMBOLS:
        began = time.perf_counter()
        account = run_windows(exchange, options.windows, options.seed)
        took = time.perf_counter() - began
        sys.stdout.write("\n".join([f"{account}; {took:.0f} s", *account.wrong, ""]))
        sys.stdout.flush()
        wrong += len(account.wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
