"""What a perpetual contract has besides its book: open interest, funding, mark and index price."""

from random import Random

from atelier_pipeline.simulator.market import FairPrice, Instrument

FUNDING_INTERVAL_HOURS = 8
_FUNDING_INTERVAL_MS = FUNDING_INTERVAL_HOURS * 3_600_000
_NOTIONAL_HELD = 2.5e8
_MOST_FUNDING = 75_000


class Perpetual:
    """The slow state of one contract, moved by `drift` at times that the caller chooses.

    Attributes:
        open_interest: one side, in size units; exchanges that publish both sides double it.
        funding: rate per interval, in units of 10^-8.
    """

    def __init__(self, instrument: Instrument, fair: FairPrice, rng: Random) -> None:
        self._instrument = instrument
        self._fair = fair
        self._rng = rng
        self._per_dollar = 10**instrument.listing.price_digits
        size_unit = 10**instrument.listing.size_digits
        self.open_interest = round(_NOTIONAL_HELD / fair.level * size_unit * (0.5 + rng.random()))
        self.funding = rng.randrange(-5_000, 20_000)
        self._premium = 0.0

    def drift(self) -> None:
        """Let positions open and close, and the funding rate follow the premium."""
        change = self._rng.gauss(0, 2e-4)
        self.open_interest = max(1, round(self.open_interest * (1 + change)))
        self._premium = 0.9 * self._premium + self._rng.gauss(0, 4e-6)
        if self._rng.random() < 0.5:  # noqa: PLR2004 - the rate moves at every other drift
            moved = self.funding + round(self._rng.gauss(0, 60))
            self.funding = max(-_MOST_FUNDING, min(_MOST_FUNDING, moved))

    def index_price(self, now: int) -> int:
        """The fair price, in price units."""
        return round(self._fair.at(now) * self._per_dollar)

    def mark_price(self, now: int) -> int:
        """The fair price with the contract's premium, in price units."""
        return round(self._fair.at(now) * (1 + self._premium) * self._per_dollar)

    def next_funding_ms(self, now: int) -> int:
        """The next settlement after `now`, in UTC ms."""
        now_ms = now // 1_000_000
        return now_ms - now_ms % _FUNDING_INTERVAL_MS + _FUNDING_INTERVAL_MS
