"""One share of a collector's symbols, kept connected: a lost connection is made again."""

import asyncio
import random
from collections.abc import Callable, Container, Iterator

from atelier_pipeline.capture.backoff import delays_secs
from atelier_pipeline.capture.connection import Connection, Line
from atelier_pipeline.capture.losses import Loss
from atelier_pipeline.capture.shares import Share
from atelier_pipeline.capture.states import ConnectionState, StateLog, logger
from atelier_pipeline.capture.subscriptions import FeedError
from atelier_pipeline.decode.control import CloseCause
from atelier_pipeline.exchanges.contract import Acknowledged, Refused
from atelier_pipeline.manifest.schema import Reconnect


class Lane:
    """A share of symbols on one connection at a time.

    Attributes:
        connection: the current attempt to connect, or the last one.
        opened: how many attempts became a connection.
        loss: why the last connection ended; None while none has.
        gave_up: connecting again can't help, or the attempts are used up.
        was_accepted: the exchange accepted something on one of its connections.
    """

    def __init__(
        self, share: Share, line: Line, reconnect: Reconnect, numbers: Iterator[int], name: str
    ) -> None:
        self.state = StateLog(name)
        self.opened = 0
        self.loss: Loss | None = None
        self.gave_up = False
        self.was_accepted = False
        self._errors: list[FeedError] = []
        self._share = share
        self._line = line
        self._reconnect = reconnect
        self._numbers = numbers
        self._start_delays()
        self.connection = Connection(next(numbers), share, line)

    async def run(self) -> None:
        """Stay connected until cancelled, or until connecting again can't help."""
        while True:
            await asyncio.sleep(self._line.attempts.reserve(asyncio.get_running_loop().time()))
            self.state.become(ConnectionState.CONNECTING, self._line.url)
            self.loss = await self.connection.run(self._opened)
            self._errors = self.errors
            self._attempts += 1
            if self.loss.terminal or self._is_last_attempt():
                self.gave_up = True
                self.state.become(ConnectionState.DISCONNECTED, self.loss.reason)
                return
            self.state.become(ConnectionState.RECONNECTING, self.loss.reason, self._attempts)
            await asyncio.sleep(next(self._delays))
            self.connection = Connection(next(self._numbers), self._share, self._line)

    def hear(self, answer: Acknowledged | Refused) -> None:
        """Note what the exchange answered on this connection."""
        if isinstance(answer, Acknowledged):
            self.was_accepted = True
            self.connection.subscriptions.accept(answer)
        else:
            self.connection.subscriptions.refuse(answer)
            logger.error("%s: refused: %s", self.state.name, answer.reason)

    def insist(self, now_secs: float) -> None:
        """Ask alone for each feed that has no answer: others in its request may be to blame."""
        connection = self.connection
        if connection.repairs is None or not connection.is_open:
            return
        overdue = connection.is_overdue
        requests = connection.subscriptions.left_alone(now_secs, overdue=overdue)
        connection.ask(requests)
        asked = {topic for request in requests for topic in request.topics}
        for symbol, again in self._share.books.items():
            if any(not asked.isdisjoint(request.topics) for request in again):
                connection.repairs.asked(symbol, now_secs)

    def mend(
        self, now_secs: float, broken: Container[str], is_whole: Callable[[str], bool]
    ) -> None:
        """Subscribe again to the books of this connection that need it.

        `broken` have just lost something; `is_whole` tells whether a symbol's book is known.
        """
        connection = self.connection
        if connection.repairs is None or not connection.is_open:
            return
        for symbol, requests in self._share.books.items():
            if any(connection.subscriptions.is_refused(r.topics) for r in requests):
                continue
            broke, whole = symbol in broken, is_whole(symbol)
            if connection.repairs.is_due(symbol, now_secs, broke=broke, whole=whole):
                logger.warning("%s: order book of %s: subscribed again", self.state.name, symbol)
                connection.ask(requests)

    def streams(self) -> None:
        """Note that an event came on this connection: the next delays start anew."""
        if self.state.state is ConnectionState.SUBSCRIBING:
            self.state.become(ConnectionState.STREAMING, "first event")
            self._start_delays()

    @property
    def is_refused(self) -> bool:
        """Whether the exchange refused everything that was asked for on this connection."""
        return self.connection.subscriptions.all_refused

    @property
    def errors(self) -> list[FeedError]:
        """The feeds that were refused or not answered for, on any connection so far."""
        return list(dict.fromkeys([*self._errors, *self.connection.errors()]))

    def end(self, cause: CloseCause, reason: str) -> None:
        """Journal the end of the current connection and keep nothing that comes after."""
        self.connection.end(cause, reason)
        self.state.become(ConnectionState.DISCONNECTED, reason)

    def _opened(self) -> None:
        self.opened += 1
        self.state.become(ConnectionState.SUBSCRIBING, f"connection {self.connection.number}")

    def _start_delays(self) -> None:
        self._attempts = 0
        self._delays = delays_secs(self._reconnect, random.Random())  # noqa: S311 - spreads load

    def _is_last_attempt(self) -> bool:
        limit = self._reconnect.max_attempts
        return limit is not None and self._attempts > limit
