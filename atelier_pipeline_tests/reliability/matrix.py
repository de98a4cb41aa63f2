"""Every fault on every exchange it applies to, and what the ledger must say of it.

Faults happen to the one connection of a capture on the virtual clock, 2 s into its window unless
said otherwise. A is the symbol that they are made for, B another one on the same connection.

Expectations are written as `A.orderbooks sequence=1`: symbol, dataset, cause, and how many were
lost; without a number it is unknown, 0 is a note. `*` stands for both symbols or every dataset,
`@` behind the cause for scope `connection`.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from atelier_pipeline.decode.seal import Sealed
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.window import Window
from atelier_pipeline.simulator import Fault
from atelier_pipeline_tests.decode.script import plain
from atelier_pipeline_tests.reliability.collectors import (
    NS_PER_SEC,
    SYMBOLS,
    collector,
    datasets_of,
)
from atelier_pipeline_tests.reliability.ledger import (
    PERIOD_NS,
    Tick,
    losses_of,
    ticks_of,
    trades_of,
    true_trades,
    untold,
)
from atelier_pipeline_tests.reliability.virtual import T0, WITNESS, Capture, Market

LEAD_SECS = 3
INTO_WINDOW_SECS = 2
EVERY = tuple(SYMBOLS)
Told = tuple[str, str, str, str, int | None]
"""Symbol (A or B), dataset, cause, scope, lost."""


@dataclass(frozen=True, eq=False)
class Case:
    """One fault.

    Attributes:
        name: what happens, in words.
        fault: the fault's settings but for symbol and connection.
        expected: by exchange, what the ledger says; an exchange that is missing has no such fault.
        unseen: by exchange where nothing in the frames can show it, why.
        of_symbol: whether it strikes A alone.
        unhealed: the exchanges where A's book is not whole at the window's end.
        secs: length of the window.
        collect: settings of the collector.
    """

    name: str
    fault: dict[str, Any]
    expected: dict[str, str]
    unseen: dict[str, str] = field(default_factory=dict)
    of_symbol: bool = True
    unhealed: tuple[str, ...] = ()
    secs: int = 8
    collect: dict[str, Any] = field(default_factory=dict)

    def faults(self, exchange: str) -> list[Fault]:
        symbol = SYMBOLS[exchange][0] if self.of_symbol else None
        after = {"after_secs": LEAD_SECS + INTO_WINDOW_SECS}
        settings = {**after, **self.fault, "symbol": symbol, "connection": WITNESS + 1}
        return [Fault(**settings)]


@dataclass(frozen=True)
class Outcome:
    """What became of a fault on one exchange."""

    case: Case
    exchange: str
    market: Market
    capture: Capture
    sealed: Sealed
    ticks: dict[str, list[Tick]]
    missing: dict[str, int]
    untold: dict[str, int]
    foreign: dict[str, int]

    @property
    def told(self) -> Counter[Told]:
        names = dict(zip(SYMBOLS[self.exchange], "AB", strict=True))
        return Counter(
            (names[symbol], row["dataset"], row["cause"], row["scope"], row["lost"])
            for symbol in SYMBOLS[self.exchange]
            for row in plain(self.sealed.gaps[symbol])
        )

    @property
    def is_truthful(self) -> bool:
        """Whether every reader of the window is told of what is not the exchange's own.

        Where an event came without a usable time, it may have been of the period before.
        """
        lies = [
            tick
            for symbol, ticks in self.ticks.items()
            for tick in ticks
            if not tick.is_honest and not self._is_of_unknown_time(symbol, tick.time)
        ]
        return not lies and not any(self.untold.values())

    def _is_of_unknown_time(self, symbol: str, time: int) -> bool:
        starts = [
            row["ts_start"] for row in plain(self.sealed.gaps[symbol]) if row["cause"] == "bad_time"
        ]
        return any(start - PERIOD_NS <= time <= start for start in starts)


def outcome_of(case: Case, exchange: str) -> Outcome:
    """Capture a window through the fault and seal it."""
    window = Window(T0, T0 + case.secs * NS_PER_SEC)
    market = Market(exchange, case.faults(exchange))
    capture = market.capture(collector(exchange, lead_secs=LEAD_SECS, **case.collect), window)
    market.run()
    sealed = capture.sealed()
    ticks, missing, silent, foreign = {}, {}, {}, {}
    for symbol in SYMBOLS[exchange]:
        got, own = trades_of(sealed, symbol), true_trades(market.truth, symbol, window)
        lost = {number: values for number, values in own.items() if number not in got}
        losses = losses_of(sealed, symbol, Dataset.TRADES)
        missing[symbol], silent[symbol] = len(lost), len(untold(lost, losses))
        foreign[symbol] = sum(own.get(number) != values for number, values in got.items())
        ticks[symbol] = ticks_of(sealed, capture.collector, window, symbol, market.truth)
    return Outcome(case, exchange, market, capture, sealed, ticks, missing, silent, foreign)


def expected_of(case: Case, exchange: str) -> Counter[Told]:
    """The expectation of a case, written out."""
    told: Counter[Told] = Counter()
    for line in filter(None, (part.strip() for part in case.expected[exchange].split(";"))):
        feeds, said = line.split()
        symbol, dataset = feeds.split(".")
        cause, _, lost = said.partition("=")
        scope = "connection" if cause.endswith("@") else "symbol"
        for s in "AB" if symbol == "*" else symbol:
            for d in [dataset] if dataset != "*" else map(str, datasets_of(exchange)):
                told[s, d, cause.rstrip("@"), scope, int(lost) if lost else None] += 1
    return told


def everywhere(text: str, *exchanges: str) -> dict[str, str]:
    """One expectation for several exchanges, all of them where none is named."""
    return dict.fromkeys(exchanges or EVERY, text)
