"""What the end of a connection means."""

import ssl

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import (
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidMessage,
    InvalidStatus,
    InvalidURI,
)
from websockets.frames import Close
from websockets.http11 import Response

from atelier_pipeline.capture.losses import Loss, loss_of


def answered(status: int) -> InvalidStatus:
    return InvalidStatus(Response(status, "", Headers()))


def unfinished() -> InvalidMessage:
    error = InvalidMessage("did not receive a valid HTTP response")
    error.__cause__ = EOFError("stream ends")
    return error


@pytest.mark.parametrize(
    ("error", "loss"),
    [
        (
            ConnectionClosedOK(Close(1000, "bye"), Close(1000, "bye"), rcvd_then_sent=True),
            Loss("closed by the exchange: 1000 (OK) bye"),
        ),
        (
            ConnectionClosedError(Close(1008, "slow"), Close(1008, "slow"), rcvd_then_sent=True),
            Loss("closed by the exchange: 1008 (policy violation) slow"),
        ),
        (ConnectionClosedError(None, None), Loss("lost without a close frame")),
        (
            ConnectionClosedError(None, Close(1009, "frame exceeds limit")),
            Loss("closed by us: 1009 (message too big) frame exceeds limit", oversize=True),
        ),
        (
            ConnectionClosedError(Close(1009, ""), Close(1009, ""), rcvd_then_sent=True),
            Loss("closed by the exchange: 1009 (message too big)"),
        ),
        (ConnectionRefusedError(111, "Connection refused"), Loss("[Errno 111] Connection refused")),
        (TimeoutError(), Loss("no answer in time")),
        (unfinished(), Loss("did not receive a valid HTTP response")),
        (answered(429), Loss("answered with HTTP 429")),
        (answered(503), Loss("answered with HTTP 503")),
        (answered(404), Loss("answered with HTTP 404", terminal=True)),
        (
            InvalidURI("http://x", "scheme isn't ws or wss"),
            Loss("http://x isn't a valid URI: scheme isn't ws or wss", terminal=True),
        ),
    ],
)
def test_an_error_has_a_reason_and_is_terminal_where_trying_again_is_no_use(
    error: Exception, loss: Loss
):
    assert loss_of(error) == loss


def test_a_certificate_that_can_not_be_verified_is_terminal():
    assert loss_of(ssl.SSLCertVerificationError("self-signed certificate")).terminal
