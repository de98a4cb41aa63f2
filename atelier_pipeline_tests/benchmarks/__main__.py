"""`python -m atelier_pipeline_tests.benchmarks [--quick]`: measure, show, and write the page."""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from atelier_pipeline_tests.benchmarks.environment import NoPeersError, peers_python, surroundings
from atelier_pipeline_tests.benchmarks.measure import ROOT, CaseFailedError
from atelier_pipeline_tests.benchmarks.page import markdown, put
from atelier_pipeline_tests.benchmarks.suite import FULL, QUICK, Bench

PAGE = ROOT / "docs" / "performance.md"
DATA = ROOT / "data"


def main() -> int:
    """Run the suite; 0 where every case ran."""
    options = _options()
    peers = _peers(DATA / "bench-peers")
    with _folder() as folder:
        bench = Bench(folder, QUICK if options.quick else FULL, peers, _tell)
        try:
            text = markdown(bench.run(), surroundings(peers))
        except CaseFailedError as error:
            _tell(f"failed: {error}")
            return 1
    print(text)  # noqa: T201 - the result
    if not options.quick:
        put(text, PAGE)
        _tell(f"written into {PAGE}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="small inputs, one round, nothing written: 2 minutes"
    )
    return parser.parse_args()


def _peers(folder: Path) -> Path | None:
    try:
        return peers_python(folder)
    except NoPeersError as reason:
        _tell(f"without cryptofeed and order-book: {reason}")
        return None


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder on the disk of the lake, since its speed is part of what is measured."""
    DATA.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=DATA))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - progress


if __name__ == "__main__":
    sys.exit(main())
