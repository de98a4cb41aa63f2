"""Settings: what the environment says, and what it may not say."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from atelier_pipeline.errors import SettingsError
from atelier_pipeline.settings import Settings, load_settings
from atelier_pipeline_tests.reference_tables import DOCS, settings_table, with_table


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    for name in Settings.model_fields:
        monkeypatch.delenv(f"ATELIER_{name.upper()}", raising=False)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.chdir(tmp_path)


def test_an_empty_environment_gives_the_documented_defaults(tmp_path: Path):
    settings = load_settings()
    assert settings.lake == tmp_path / "data" / "lake"
    assert settings.journal == tmp_path / "data" / "journal"
    assert settings.catalog == tmp_path / "data" / "atelier.duckdb"
    assert settings.dagster_home == tmp_path / "data" / "dagster"
    assert settings.window_minutes == 60
    assert settings.simulator_url == "ws://127.0.0.1:8765"
    assert sorted(path.name for path in settings.manifests.iterdir()) == [
        "bybit.toml",
        "coinbase.toml",
        "kraken.toml",
    ]


def test_every_variable_is_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("ATELIER_LAKE", "elsewhere")
    monkeypatch.setenv("ATELIER_WINDOW_MINUTES", "15")
    monkeypatch.setenv("ATELIER_SIMULATOR_URL", "ws://127.0.0.1:9000/")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    settings = load_settings()
    assert settings.lake == tmp_path / "elsewhere"
    assert settings.window_minutes == 15
    assert settings.simulator_url == "ws://127.0.0.1:9000"
    assert settings.dagster_home == tmp_path / "home"


def test_an_empty_variable_counts_as_absent(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ATELIER_WINDOW_MINUTES", "")
    assert load_settings().window_minutes == 60


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("ATELIER_WINDOW_MINUTES", "7", "expected a number of minutes that divides a day (1440)"),
        ("ATELIER_WINDOW_MINUTES", "an hour", "expected a valid integer"),
        ("ATELIER_LAKE", "s3://bucket/lake", "expected a path on this machine"),
        ("DAGSTER_HOME", "s3://bucket/home", "expected a path on this machine"),
        ("ATELIER_SIMULATOR_URL", "localhost:8765", "expected an address such as ws://"),
        ("ATELIER_DISK_FLOOR_MIB", "0", "expected a number greater than or equal to 1"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_variable_value_and_expectation(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, expected: str
):
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as refusal:
        load_settings()
    assert str(refusal.value).startswith(f"{variable} = '{value}': {expected}")


def test_a_webhook_is_a_secret_that_no_message_and_no_text_shows(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ATELIER_ALERT_WEBHOOK", "ftp://host/token")
    with pytest.raises(SettingsError) as refusal:
        load_settings()
    assert str(refusal.value) == (
        "ATELIER_ALERT_WEBHOOK = (secret): expected an address that begins with https:// or http://"
    )
    monkeypatch.setenv("ATELIER_ALERT_WEBHOOK", "https://host/token")
    settings = load_settings()
    assert settings.alert_webhook is not None
    assert settings.alert_webhook.get_secret_value() == "https://host/token"
    assert "token" not in f"{settings!r}{settings.model_dump_json()}"


def test_all_problems_are_named_in_one_message(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ATELIER_WINDOW_MINUTES", "7")
    monkeypatch.setenv("ATELIER_LAKE", "s3://bucket/lake")
    with pytest.raises(SettingsError, match=r"ATELIER_LAKE.*; ATELIER_WINDOW_MINUTES"):
        load_settings()


def test_a_journal_queue_smaller_than_a_frame_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ATELIER_JOURNAL_QUEUE_MIB", "32")
    with pytest.raises(SettingsError, match="at least ATELIER_FRAME_LIMIT_MIB = 64"):
        load_settings()


def test_settings_can_not_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        load_settings().window_minutes = 5


def test_the_reference_page_has_every_setting_as_the_type_has_it():
    page = (DOCS / "settings.md").read_text(encoding="utf-8")
    assert with_table(page, settings_table()) == page
