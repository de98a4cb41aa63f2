"""Write requirements.txt and requirements-dev.txt: exact pins, no registry names.

Pins that still fit stay as they are; with `--upgrade` every package is taken as new as can be.
"""

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEADER = "# Exact versions for pyproject.toml; written by `make lock`.\n"


def compile_pins(requirements: list[str], present: Path, constraint: Path | None = None) -> str:
    """Resolve `requirements` to exact versions, one a line, sorted; those of `present` stay."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "in.txt"), Path(folder, "out.txt")
        lines = [*requirements, *([f"-c {constraint}"] if constraint else [])]
        source.write_text("\n".join(lines) + "\n")
        target.write_text(present.read_text() if present.exists() else "")
        subprocess.run(  # noqa: S603 - our own arguments
            [
                *(sys.executable, "-m", "piptools", "compile", "--quiet", "--strip-extras"),
                *("--no-emit-index-url", "--no-emit-find-links", "--no-emit-trusted-host"),
                *("--no-header", "--no-annotate", "--allow-unsafe"),
                *(str(source), "-o", str(target)),
                *sys.argv[1:],
            ],
            check=True,
        )
        return "".join(f"{line}\n" for line in target.read_text().splitlines() if "==" in line)


def main() -> None:
    """Resolve the run-time pins first, then the tools beside them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    runtime = ROOT / "requirements.txt"
    runtime.write_text(HEADER + compile_pins(project["project"]["dependencies"], runtime))
    dev = ROOT / "requirements-dev.txt"
    tools = compile_pins(project["dependency-groups"]["dev"], dev, constraint=runtime)
    dev.write_text(HEADER + tools)


if __name__ == "__main__":
    main()
