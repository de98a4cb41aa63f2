"""Typing a command, as a user does, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

ATELIER = (sys.executable, "-m", "atelier_pipeline.cli")


def atelier(*words: object, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """What `atelier` answers in `folder`, with these environment variables."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ATELIER_")}
    return subprocess.run(
        [*ATELIER, *map(str, words)],
        cwd=folder,
        env={**environment, **variables, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
