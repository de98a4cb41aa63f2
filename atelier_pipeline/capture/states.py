"""The states of a connection, and what is logged when they change."""

import logging
from enum import StrEnum

logger = logging.getLogger("atelier_pipeline.capture")


class ConnectionState(StrEnum):
    """Where a connection stands between its attempts.

    `streaming` begins with the first event; `subscribing` lasts from the opening handshake to it.
    """

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    SUBSCRIBING = "subscribing"
    STREAMING = "streaming"
    RECONNECTING = "reconnecting"


class StateLog:
    """The state of one line to an exchange; every change is logged with its reason."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.state = ConnectionState.DISCONNECTED
        self.attempt = 0

    def __str__(self) -> str:
        if self.state is ConnectionState.RECONNECTING:
            return f"{self.state} {self.attempt}"
        return str(self.state)

    def become(self, state: ConnectionState, reason: str, attempt: int = 0) -> None:
        """Change to `state`; `attempt` counts the attempts in a row to connect again."""
        self.state, self.attempt = state, attempt
        level = logging.WARNING if state is ConnectionState.RECONNECTING else logging.INFO
        logger.log(level, "%s: %s: %s", self.name, str(self), reason)
