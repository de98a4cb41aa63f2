"""Fixtures that every test may use."""

import os
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("house", deadline=None)  # how long it takes proves nothing
hypothesis.settings.load_profile("house")


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of recorded frames; skips where it is absent, fails where it was promised."""
    promised = os.environ.get("ATELIER_RECORDINGS")
    folder = Path(promised) if promised else Path(__file__).parents[2] / "shared" / "recordings"
    if not folder.is_dir():
        if promised:
            pytest.fail(f"ATELIER_RECORDINGS names {folder}, which is not a folder")
        pytest.skip(f"no recordings in {folder}; set ATELIER_RECORDINGS to run this test")
    return folder
