"""Failed runs are told to people: a line in the log, and a webhook where there is one.

Telling never fails anything: a webhook that does not answer is a line in the log as well.
"""

import logging
import urllib.error
import urllib.request
from http.client import HTTPException
from urllib.parse import urlsplit

import dagster as dg
import msgspec
from pydantic import SecretStr

from atelier_pipeline.orchestration.installation import Installation
from atelier_pipeline.orchestration.outcome import outcome_of

logger = logging.getLogger(__name__)


class Alert(msgspec.Struct, frozen=True):
    """A failed run, as the webhook receives it in JSON; `text` says it all in one line.

    `problems` are the reasons of failed steps, `checks` the rules that failed.
    """

    text: str
    job: str
    partition: str
    run_id: str
    problems: list[str]
    checks: list[str]


def alert_sensor() -> dg.SensorDefinition:
    """A sensor that tells of every run that fails; runs that were ended are none of them."""

    @dg.run_failure_sensor(
        name="alert_failures",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Logs each failed run, and sends it to ATELIER_ALERT_WEBHOOK if that is set.",
    )
    def alert_failures(
        context: dg.RunFailureSensorContext, installation: dg.ResourceParam[Installation]
    ) -> None:
        alert = alert_of(context.instance, context.dagster_run)
        logger.error(alert.text)
        settings = installation.settings
        if settings.alert_webhook is not None:
            send(alert, settings.alert_webhook, settings.alert_timeout_secs)

    return alert_failures


def alert_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Alert:
    """What there is to tell of a failed run."""
    outcome = outcome_of(instance, run.run_id)
    partition = run.tags.get("dagster/partition", "")
    checks = [f"{name}: {offending} offending rows" for name, offending in outcome.failed.items()]
    reasons = "; ".join([*outcome.problems, *checks]) or "its process ended without a reason"
    name = f"{run.job_name} {partition}".rstrip()
    return Alert(
        text=f"{name} failed: {reasons} (run {run.run_id})",
        job=run.job_name,
        partition=partition,
        run_id=run.run_id,
        problems=outcome.problems,
        checks=checks,
    )


def send(alert: Alert, webhook: SecretStr, timeout_secs: float) -> bool:
    """POST an alert; whether it was accepted. Its address is a secret: logs name the host alone."""
    address = webhook.get_secret_value()
    request = urllib.request.Request(  # noqa: S310 - settings accept http and https alone
        address,
        data=msgspec.json.encode(alert),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    host = urlsplit(address).hostname
    try:
        with urllib.request.urlopen(request, timeout=timeout_secs):  # noqa: S310 - as above
            return True
    except urllib.error.HTTPError as error:
        logger.warning("the alert's webhook at %s answered HTTP %d", host, error.code)
        error.close()
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        logger.warning("the alert's webhook at %s can't be reached: %r", host, reason)
    return False
