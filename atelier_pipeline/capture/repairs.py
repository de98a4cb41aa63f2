"""When a book that is not whole is asked for again. No socket, no clock."""

from dataclasses import dataclass

RETRY_SECS = 10.0
"""Time that an exchange has to send a snapshot before it is asked for another."""

PAUSE_SECS = 1.0
"""Least time between two requests for a book that came and broke again.

It doubles with each request up to RETRY_SECS; twice that time without one, and it begins anew.
"""


@dataclass(slots=True)
class _Asked:
    """The last request for a book: when, the pause behind it, whether the book has come since."""

    at_secs: float
    pause_secs: float
    came: bool = False


class Repairs:
    """The books of one connection that are waited for.

    A book that breaks is asked for at once, and again after a pause where it breaks again; a book
    that has not come within RETRY_SECS of the connection's beginning, or of the last request, too.
    """

    def __init__(self, opened_secs: float) -> None:
        self._opened_secs = opened_secs
        self._asked: dict[str, _Asked] = {}

    def is_due(self, symbol: str, now_secs: float, *, broke: bool, whole: bool) -> bool:
        """Whether the book of `symbol` must be asked for now; the answer counts as done.

        `broke`: it was whole and has broken since the last call. `whole`: it is known now.
        """
        asked = self._asked.get(symbol)
        if asked is not None:
            asked.came |= broke or whole
        if whole or now_secs < self._not_before(asked, broke=broke):
            return False
        self._asked[symbol] = _Asked(now_secs, _pause_secs(asked, now_secs))
        return True

    def asked(self, symbol: str, now_secs: float) -> None:
        """Note that the book of `symbol` is being asked for anyway."""
        self._asked[symbol] = _Asked(now_secs, PAUSE_SECS)

    def _not_before(self, asked: _Asked | None, *, broke: bool) -> float:
        if asked is None:
            return self._opened_secs + (0.0 if broke else RETRY_SECS)
        return asked.at_secs + (asked.pause_secs if asked.came else RETRY_SECS)


def _pause_secs(before: _Asked | None, now_secs: float) -> float:
    if before is None or now_secs - before.at_secs >= 2 * RETRY_SECS:
        return PAUSE_SECS
    return min(2 * before.pause_secs, RETRY_SECS)
