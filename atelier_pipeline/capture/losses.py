"""Why a connection ended, in words, and whether connecting again can help."""

import ssl
from dataclasses import dataclass

from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidStatus,
    InvalidURI,
)
from websockets.frames import CloseCode

TRANSIENT_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP answers to a handshake after which another attempt may succeed."""


@dataclass(frozen=True, slots=True)
class Loss:
    """The end of a connection, or of an attempt to make one.

    Attributes:
        reason: what happened.
        terminal: connecting again would end the same way.
        oversize: a frame was larger than the limit.
    """

    reason: str
    terminal: bool = False
    oversize: bool = False


def loss_of(error: Exception) -> Loss:
    """What an error of the network, the handshake or the WebSocket protocol means."""
    if isinstance(error, ConnectionClosed):
        oversize = error.sent is not None and error.sent.code == CloseCode.MESSAGE_TOO_BIG
        return Loss(_closed(error), oversize=oversize and not error.rcvd_then_sent)
    if isinstance(error, InvalidStatus):
        code = error.response.status_code
        return Loss(f"answered with HTTP {code}", terminal=code not in TRANSIENT_STATUS)
    if isinstance(error, TimeoutError):
        return Loss("no answer in time")
    described = str(error) or type(error).__name__
    return Loss(described, terminal=_is_terminal(error))


def _closed(error: ConnectionClosed) -> str:
    if error.rcvd is not None and (error.sent is None or error.rcvd_then_sent):
        return f"closed by the exchange: {error.rcvd}"
    if error.sent is not None:
        return f"closed by us: {error.sent}"
    return "lost without a close frame"


def _is_terminal(error: Exception) -> bool:
    if isinstance(error, InvalidMessage):
        return not isinstance(error.__cause__, EOFError)
    return isinstance(error, (InvalidURI, InvalidHandshake, ssl.SSLCertVerificationError))
