"""Connection states and their log."""

import logging

import pytest

from atelier_pipeline.capture.states import ConnectionState, StateLog


def test_every_change_is_logged_with_its_reason(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "atelier_pipeline.capture")
    state = StateLog("bybit 1/1")
    assert str(state) == "disconnected"
    state.become(ConnectionState.CONNECTING, "ws://there")
    state.become(ConnectionState.RECONNECTING, "lost without a close frame", 3)
    assert str(state) == "reconnecting 3"
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "bybit 1/1: connecting: ws://there"),
        ("WARNING", "bybit 1/1: reconnecting 3: lost without a close frame"),
    ]
