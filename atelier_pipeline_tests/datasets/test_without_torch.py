"""All but the tensors works without torch, and the tensors say what is missing."""

import subprocess
import sys

import pytest

WITHOUT_TORCH = "import sys; sys.modules['torch'] = None; "


def run(code: str) -> subprocess.CompletedProcess:
    """In a process of its own, so that nobody has imported torch before."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH + code],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_tensors_name_the_extra_that_is_missing():
    answer = run("import atelier_pipeline.datasets.tensors")
    assert answer.returncode == 1
    assert answer.stderr.strip().splitlines()[-1] == (
        "ImportError: atelier_pipeline.datasets.tensors needs PyTorch: "
        "pip install 'atelier-pipeline[torch]'"
    )


@pytest.mark.parametrize("module", ["datasets", "lake", "definitions"])
def test_the_rest_does_not_ask_for_torch(module):
    answer = run(f"import atelier_pipeline.{module}")
    assert answer.returncode == 0, answer.stderr
