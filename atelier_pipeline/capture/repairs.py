"""When a book that is not whole is asked for again. No socket, no clock."""

RETRY_SECS = 10.0
"""Time that an exchange has to send a snapshot before it is asked for another."""


class Repairs:
    """The books of one connection that are waited for.

    A book that breaks is asked for at once, but not again within RETRY_SECS; a book that has not
    come within RETRY_SECS of the connection's beginning, or of the last request, is asked for too.
    """

    def __init__(self, opened_secs: float) -> None:
        self._opened_secs = opened_secs
        self._asked_secs: dict[str, float] = {}
        self._broken: set[str] = set()

    def is_due(self, symbol: str, now_secs: float, *, broke: bool, whole: bool) -> bool:
        """Whether the book of `symbol` must be asked for now; the answer counts as done.

        `broke`: it has broken since the last call. `whole`: it is known now.
        """
        if whole:
            self._broken.discard(symbol)
            return False
        if broke:
            self._broken.add(symbol)
        waiting_since = self._asked_secs.get(symbol)
        if waiting_since is None and symbol not in self._broken:
            waiting_since = self._opened_secs
        if waiting_since is not None and now_secs - waiting_since < RETRY_SECS:
            return False
        self._asked_secs[symbol] = now_secs
        return True
