"""Fixtures of the tests with a Dagster of their own."""

from pathlib import Path

import pytest

from atelier_pipeline.orchestration.instance import commit_without_waiting, prepare_home


@pytest.fixture(scope="session", autouse=True)
def _no_waiting_for_the_disk() -> None:
    commit_without_waiting()


@pytest.fixture(scope="session")
def prepared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DAGSTER_HOME that is made once; runs of different tests don't meet in it."""
    home = tmp_path_factory.mktemp("dagster")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DAGSTER_HOME", str(home))
        prepare_home(home)
    return home
