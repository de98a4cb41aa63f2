"""A profile fills in what the environment leaves open."""

from pathlib import Path

import pytest

from atelier_pipeline.errors import SettingsError
from atelier_pipeline.orchestration.profile import DEMO, use_profile


@pytest.fixture(autouse=True)
def _bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in DEMO:
        monkeypatch.setenv(variable, "")


def test_the_demo_has_its_own_lake_journal_windows_and_dagster(tmp_path: Path):
    settings = use_profile("demo")
    assert settings.lake == tmp_path / "data/demo"
    assert settings.journal == tmp_path / "data/demo_journal"
    assert settings.dagster_home == tmp_path / "data/demo_dagster"
    assert settings.window_minutes == 1
    assert sorted(path.stem for path in settings.manifests.glob("*.toml")) == [
        "bybit",
        "coinbase",
        "kraken",
    ]


def test_the_live_profile_is_the_plain_settings(tmp_path: Path):
    settings = use_profile("live")
    assert (settings.lake, settings.window_minutes) == (tmp_path / "data/lake", 60)


def test_a_variable_that_is_set_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ATELIER_LAKE", "elsewhere")
    assert use_profile("demo").lake == tmp_path / "elsewhere"


def test_an_unknown_profile_is_refused_with_those_there_are():
    with pytest.raises(SettingsError, match="'test': expected one of demo, live"):
        use_profile("test")
