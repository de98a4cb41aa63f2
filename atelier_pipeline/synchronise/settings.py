"""How a market is put on the grid, and the words for it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

from atelier_pipeline.errors import SettingsError
from atelier_pipeline.market.datasets import Dataset

Clock: TypeAlias = Literal["event", "receive"]


class ClockMode(StrEnum):
    """Which feed drives the clock; the value is what a manifest says.

    In windows every mode has every tick. Live, a driving event lets out the rows before its period.
    """

    OrderbookDriven = "on_orderbook"
    TradeDriven = "on_trade"
    LiquidationDriven = "on_liquidation"
    ExternalClock = "on_time"

    @property
    def driver(self) -> Dataset | None:
        """The driving feed; None where time itself drives."""
        return _DRIVERS.get(self)


_DRIVERS = {
    ClockMode.OrderbookDriven: Dataset.ORDERBOOKS,
    ClockMode.TradeDriven: Dataset.TRADES,
    ClockMode.LiquidationDriven: Dataset.LIQUIDATIONS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncSettings:
    """The grid and its rules.

    Attributes:
        period_ns: length of a period.
        depth: levels per side kept at a tick.
        mode: the feed that drives the clock.
        clock: whether an event belongs to the period of its own time or of its receipt.
        emission_delay_ns: how long a live row waits for events that are on their way.
    """

    period_ns: int
    depth: int = 50
    mode: ClockMode = ClockMode.OrderbookDriven
    clock: Clock = "event"
    emission_delay_ns: int = 2_000_000_000

    def __post_init__(self) -> None:
        if self.period_ns <= 0:
            raise SettingsError(f"period_ns must be positive, not {self.period_ns}")
        if self.depth <= 0:
            raise SettingsError(f"depth must be at least 1 level, not {self.depth}")
        if self.clock not in {"event", "receive"}:
            raise SettingsError(f'clock must be "event" or "receive", not {self.clock!r}')
        if self.emission_delay_ns < 0:
            raise SettingsError(
                f"emission_delay_ns must be 0 or more, not {self.emission_delay_ns}"
            )

    @property
    def row_delay_ns(self) -> int:
        """How long after its tick a row waits; under the receive clock all has come by then."""
        return self.emission_delay_ns if self.clock == "event" else 0
