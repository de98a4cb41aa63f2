"""Failed runs are told of, and a webhook that fails is not a second failure."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import dagster as dg
import pytest
from pydantic import SecretStr

from atelier_pipeline import pipeline
from atelier_pipeline.orchestration.alerts import Alert, alert_sensor, send
from atelier_pipeline.orchestration.installation import Installation
from atelier_pipeline_tests.orchestration.past_window import (
    installation,
    journal,
    run,
    sealing_damage,
)

ALERT = Alert("all of it", "job", "kraken|2026-02-26T15:00", "run", ["raw: gone"], [])


@dataclass
class Hook:
    """A webhook on loopback, and what it was sent."""

    url: str
    received: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def hook_answering() -> Iterator[Callable[[int], Hook]]:
    """Starts a webhook that answers with a status."""
    servers: list[HTTPServer] = []

    def start(status: int) -> Hook:
        class Handler(BaseHTTPRequestHandler):
            received: ClassVar[list[dict[str, Any]]] = []

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                self.received.append(json.loads(self.rfile.read(length)))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        server = HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return Hook(f"http://127.0.0.1:{server.server_port}/secret", Handler.received)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def tell(
    installed: Installation, instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult
) -> None:
    """What the sensor does with a run that failed."""
    sensor = alert_sensor()
    (failure,) = [e for e in result.all_events if e.event_type is dg.DagsterEventType.RUN_FAILURE]
    context = dg.build_run_status_sensor_context(
        sensor.name, failure, instance, result.dagster_run
    ).for_run_failure()
    sensor(context, installation=installed)


def with_webhook(installed: Installation, url: str) -> Installation:
    changed = installed.settings.model_copy(update={"alert_webhook": SecretStr(url)})
    return Installation(changed, installed.collectors, installed.now_ns)


def test_a_failed_run_is_logged_and_sent_with_partition_and_reason(
    tmp_path: Path, hook_answering: Callable[[int], Hook], caplog: pytest.LogCaptureFixture
):
    hook = hook_answering(200)
    installed = with_webhook(installation(tmp_path), hook.url)
    with (
        dg.DagsterInstance.ephemeral() as instance,
        caplog.at_level(logging.ERROR, "atelier_pipeline"),
    ):
        result = run(installed, instance, "kraken")
        tell(installed, instance, result)
    (sent,) = hook.received
    (problem,) = sent["problems"]
    assert "time can't be captured again" in problem
    assert sent == {
        "text": f"window_job kraken|2026-02-26T15:00 failed: {problem} (run {result.run_id})",
        "job": "window_job",
        "partition": "kraken|2026-02-26T15:00",
        "run_id": result.run_id,
        "problems": [problem],
        "checks": [],
    }
    assert sent["text"] in caplog.messages
    assert hook.url not in caplog.text


def test_a_run_that_a_check_has_stopped_names_the_rule(
    tmp_path: Path, hook_answering: Callable[[int], Hook], monkeypatch: pytest.MonkeyPatch
):
    hook = hook_answering(200)
    installed = with_webhook(installation(tmp_path), hook.url)
    journal(installed.collectors["kraken"], installed.settings)
    monkeypatch.setattr(pipeline, "seal", sealing_damage)
    with dg.DagsterInstance.ephemeral() as instance:
        tell(installed, instance, run(installed, instance, "kraken"))
    rule = "raw/captures: positive_price_size: 1 offending rows"
    assert [(sent["problems"], sent["checks"]) for sent in hook.received] == [([], [rule])]


def test_without_a_webhook_a_failed_run_is_a_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    installed = installation(tmp_path)
    with (
        dg.DagsterInstance.ephemeral() as instance,
        caplog.at_level(logging.ERROR, "atelier_pipeline"),
    ):
        tell(installed, instance, run(installed, instance, "kraken"))
    assert "window_job kraken|2026-02-26T15:00 failed: raw: " in caplog.text


@pytest.mark.parametrize("status", [404, 500])
def test_a_webhook_that_refuses_is_logged_by_its_host_alone(
    status: int, hook_answering: Callable[[int], Hook], caplog: pytest.LogCaptureFixture
):
    assert not send(ALERT, SecretStr(hook_answering(status).url), 5)
    assert caplog.messages == [f"the alert's webhook at 127.0.0.1 answered HTTP {status}"]


def test_a_webhook_that_is_not_there_is_logged_by_its_host_alone(caplog: pytest.LogCaptureFixture):
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as closed:
        port = closed.server_port
    assert not send(ALERT, SecretStr(f"http://127.0.0.1:{port}/secret"), 5)
    (message,) = caplog.messages
    assert message.startswith("the alert's webhook at 127.0.0.1 can't be reached: ")
    assert "secret" not in message


def test_a_webhook_that_does_not_answer_in_time_is_given_up(caplog: pytest.LogCaptureFixture):
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as silent:
        assert not send(ALERT, SecretStr(f"http://127.0.0.1:{silent.server_port}/secret"), 0.05)
    (message,) = caplog.messages
    assert "timed out" in message
    assert "secret" not in message
