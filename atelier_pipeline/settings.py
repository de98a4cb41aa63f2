"""Every setting of an installation, in one typed place: environment variables and their defaults.

What one collector captures is not here but in its manifest. Nothing here opens or creates a path.
"""

from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from atelier_pipeline.errors import SettingsError

MINUTES_PER_DAY = 1440


def _local(path: object) -> object:
    if isinstance(path, str) and "://" in path:
        raise ValueError("expected a path on this machine; object stores can't be written yet")
    return path


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _dividing_a_day(minutes: int) -> int:
    if MINUTES_PER_DAY % minutes:
        raise ValueError(f"expected a number of minutes that divides a day ({MINUTES_PER_DAY})")
    return minutes


def _websocket_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"ws", "wss"} or not parts.hostname:
        raise ValueError("expected an address such as ws://127.0.0.1:8765")
    return url.rstrip("/")


def _web_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("expected an address that begins with https:// or http://")
    return url.rstrip("/")


def _secret_address(url: SecretStr) -> SecretStr:
    _web_address(url.get_secret_value())
    return url


_SECRETS = frozenset({"alert_webhook"})
LocalPath = Annotated[Path, BeforeValidator(_local), AfterValidator(_absolute)]


class Settings(BaseSettings):
    """The settings of an installation; relative paths start at the working directory."""

    model_config = SettingsConfigDict(
        env_prefix="ATELIER_",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        validate_by_name=True,
        validate_default=True,
    )

    lake: LocalPath = Field(
        default=Path("data/lake"), description="Root of the Parquet files; one source per lake."
    )
    journal: LocalPath = Field(
        default=Path("data/journal"),
        description="Root of the journals of frames; always a local disk.",
    )
    catalog: LocalPath = Field(
        default=Path("data/atelier.duckdb"), description="The DuckDB file of views over the lake."
    )
    manifests: LocalPath = Field(
        default=Path(__file__).parent / "manifests" / "live",
        description="Folder of collectors, one TOML file each; default: the shipped ones.",
    )
    window_minutes: Annotated[int, AfterValidator(_dividing_a_day)] = Field(
        default=60,
        ge=1,
        le=MINUTES_PER_DAY,
        description="Length of a capture window; must divide a day.",
    )
    simulator_url: Annotated[str, AfterValidator(_websocket_address)] = Field(
        default="ws://127.0.0.1:8765",
        description="Address of the simulated exchanges, without the exchange's name.",
    )
    window_disk_mib: int = Field(
        default=1024,
        ge=1,
        description="Free disk that a capture of one window needs; with less it is refused.",
    )
    disk_floor_mib: int = Field(
        default=256,
        ge=1,
        description="Free disk at which a running capture stops and seals what it has.",
    )
    frame_limit_mib: int = Field(
        default=64,
        ge=1,
        le=512,
        description="Largest frame accepted; a larger one ends its connection.",
    )
    journal_queue_mib: int = Field(
        default=128,
        ge=1,
        le=16384,
        description="Frames held in memory for a slow disk; more are dropped and counted.",
    )
    metrics: LocalPath | None = Field(
        default=None,
        description="Folder of metrics files for Prometheus; absent: none are written.",
    )
    alert_webhook: Annotated[SecretStr, AfterValidator(_secret_address)] | None = Field(
        default=None,
        description="Address that is sent a message when a run fails; a secret, never shown.",
    )
    alert_timeout_secs: float = Field(
        default=10.0, gt=0, le=60, description="How long an alert waits for the webhook."
    )
    reports_url: Annotated[str, AfterValidator(_web_address)] | None = Field(
        default=None,
        description="Address of the lake's folder `reports`, for links in Dagster's page; "
        "`atelier ui` serves it on loopback where this is absent.",
    )
    frames_days: int | None = Field(
        default=None,
        ge=1,
        description="Days after its window that sealed frames are kept by the scheduled prune; "
        "absent: for ever.",
    )
    run_log_days: float = Field(
        default=30,
        ge=0,
        description="Days that the log of a run is kept in DAGSTER_HOME after its last line; "
        "0: for ever.",
    )
    dagster_home: LocalPath = Field(
        default=Path("data/dagster"),
        validation_alias="DAGSTER_HOME",
        description="Dagster's own storage: runs, events, schedules.",
    )

    @model_validator(mode="after")
    def _queue_holds_a_frame(self) -> Self:
        if self.journal_queue_mib < self.frame_limit_mib:
            raise ValueError(
                f"ATELIER_JOURNAL_QUEUE_MIB = {self.journal_queue_mib}: expected at least "
                f"ATELIER_FRAME_LIMIT_MIB = {self.frame_limit_mib}"
            )
        return self


def load_settings() -> Settings:
    """The settings as the environment gives them.

    Raises:
        SettingsError: names every variable that can't be used, its value and what is expected.
    """
    try:
        return Settings()
    except ValidationError as error:
        problems = [_problem(details) for details in error.errors()]
        raise SettingsError("; ".join(problems)) from None


def _problem(details: ErrorDetails) -> str:
    if not details["loc"]:
        return expectation(details)
    name = str(details["loc"][0])
    variable = name.upper() if name == "DAGSTER_HOME" else f"ATELIER_{name.upper()}"
    given = "(secret)" if name in _SECRETS else repr(details["input"])
    return f"{variable} = {given}: {expectation(details)}"


def expectation(details: ErrorDetails | dict[str, Any]) -> str:
    """What would have been accepted, in words, from one of pydantic's error details."""
    message = str(details["msg"]).removeprefix("Value error, ")
    for bound in ("greater", "less"):
        message = message.replace(f"Input should be {bound}", f"expected a number {bound}")
    return message.replace("Input should be", "expected")
