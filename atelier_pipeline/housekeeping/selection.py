"""Which windows and days a command works on."""

import datetime as dt
from dataclasses import dataclass

from atelier_pipeline.errors import LakeError, SettingsError
from atelier_pipeline.exchanges.registry import exchange_named
from atelier_pipeline.lake.names import file_name, group_name
from atelier_pipeline.market.window import Window

NS_PER_SEC = 1_000_000_000
NS_PER_DAY = 86_400 * NS_PER_SEC


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is chosen; None chooses all.

    Attributes:
        exchange: the exchange's name.
        collector: the collector's name.
        symbol: the exchange's own spelling, or that of file names.
        first_day, last_day: UTC days, both included.

    Raises:
        SettingsError: an unknown exchange, a collector or symbol that can name no file, or days in
            the wrong order.
    """

    exchange: str | None = None
    collector: str | None = None
    symbol: str | None = None
    first_day: dt.date | None = None
    last_day: dt.date | None = None

    def __post_init__(self) -> None:
        if self.exchange is not None:
            exchange_named(self.exchange)
        try:
            group_name(self.collector or "any", "collector")
            file_name(self.symbol or "any")
        except LakeError as error:
            raise SettingsError(str(error)) from None
        if self.first_day and self.last_day and self.first_day > self.last_day:
            raise SettingsError(
                f"no day is between {self.first_day} and {self.last_day}: the first one comes first"
            )

    @property
    def name(self) -> str | None:
        """The symbol as file names spell it."""
        return None if self.symbol is None else file_name(self.symbol)

    @property
    def within(self) -> Window | None:
        """The time of the chosen days; None for all time."""
        if self.first_day is None and self.last_day is None:
            return None
        start = 0 if self.first_day is None else day_start_ns(self.first_day)
        end = 2**63 - 1 if self.last_day is None else day_start_ns(self.last_day) + NS_PER_DAY
        return Window(start, end)

    def has_time(self, time_ns: int) -> bool:
        """Whether an instant (UTC ns) is in the chosen days."""
        return self.within is None or time_ns in self.within


def day_start_ns(day: dt.date) -> int:
    """The first instant of a UTC day, in ns."""
    start = dt.datetime.combine(day, dt.time(), dt.UTC)
    return int(start.timestamp()) * NS_PER_SEC
