"""When the next attempt to connect may be made. No socket, no clock."""

from collections import deque

from atelier_pipeline.exchanges.contract import RateLimit


class Attempts:
    """Spaces attempts so that no stretch of time holds more than the limit allows.

    A leaky bucket would not do: once full, it lets through twice its size within one period, and
    exchanges that ban an address count over any period.
    """

    def __init__(self, limit: RateLimit) -> None:
        self._secs = limit.secs
        self._newest: deque[float] = deque(maxlen=limit.count)

    def reserve(self, now_secs: float) -> float:
        """Seconds to wait before the next attempt, which counts as made then."""
        is_full = len(self._newest) == self._newest.maxlen
        at_secs = max(now_secs, self._newest[0] + self._secs) if is_full else now_secs
        self._newest.append(at_secs)
        return at_secs - now_secs


def fair_share(limit: RateLimit) -> RateLimit:
    """What one capture may use: half, for the capture of the next window runs beside it."""
    return RateLimit(max(limit.count // 2, 1), limit.secs)
