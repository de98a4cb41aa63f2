"""A good lake for tests that damage copies of it."""

from pathlib import Path

import pytest

from atelier_pipeline_tests.validate.small_lake import SmallLake


@pytest.fixture(scope="session")
def good_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return SmallLake().write(tmp_path_factory.mktemp("good") / "lake")
