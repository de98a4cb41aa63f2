"""The simulated exchanges run as long as they are needed, on a port that is free."""

import os
import socket
from urllib.parse import urlsplit

import pytest

from atelier_pipeline.orchestration.simulated import HOST, simulated_exchanges


def connects(url: str) -> bool:
    try:
        socket.create_connection((HOST, urlsplit(url).port or 0), timeout=1).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATELIER_SIMULATOR_URL", "")


def test_they_are_where_the_environment_says_and_end_with_the_body():
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        wanted = f"ws://{HOST}:{taken.getsockname()[1]}"
        with simulated_exchanges(wanted):
            url = os.environ["ATELIER_SIMULATOR_URL"]
            assert url != wanted
            assert connects(url)
    assert not connects(url)
