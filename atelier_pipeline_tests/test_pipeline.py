"""The straight line of a window: the same frames give the same files, however they were kept."""

import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from atelier_pipeline import pipeline
from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake.journal_reader import read_journal
from atelier_pipeline.lake.names import FileKind, find_files
from atelier_pipeline.manifest import Collector, load_manifests
from atelier_pipeline.market.window import Window
from atelier_pipeline.settings import Settings
from atelier_pipeline.simulator import frames
from atelier_pipeline.validate.rule import Stage

NS_PER_SEC = 1_000_000_000
T0 = 1_767_225_600 * NS_PER_SEC
WINDOW = Window(T0, T0 + 5 * NS_PER_SEC)
DEMO = Path(pipeline.__file__).parent / "manifests" / "demo"

Received = list[tuple[int, bytes]]


@pytest.fixture(scope="module", params=["bybit", "coinbase", "kraken"])
def collector(request) -> Collector:
    """A collector of the demo."""
    return load_manifests(DEMO)[request.param]


@pytest.fixture(scope="module")
def received(collector) -> Received:
    """What its simulated exchange sends from a second before the window to a second after."""
    datasets = frozenset().union(*collector.datasets.values())
    sent = frames(
        collector.exchange.name,
        collector.symbols,
        datasets=datasets,
        depth=collector.subscribed_depth,
        start_ns=T0 - NS_PER_SEC,
        duration_s=7,
    )
    return list(sent)


def pieces(received: Received, count: int) -> Iterator[Received]:
    """The same frames in `count` runs of different lengths."""
    cuts = [len(received) * k * k // (count * count) for k in range(count + 1)]
    for start, end in pairwise(cuts):
        yield received[start:end]


def journaled(collector: Collector, runs: Iterator[Received], folder: Path) -> Settings:
    """Settings of an installation in `folder` whose journal has one segment for each run."""
    settings = Settings(lake=folder / "lake", journal=folder / "journal")
    for run in runs:
        pipeline.journal_frames(collector, WINDOW, settings, run)
    return settings


def bytes_of(settings: Settings, *left_out: FileKind) -> dict[str, bytes]:
    """Name → bytes of every file in a lake, but of the kinds that are left out."""
    return {
        str(file.path.relative_to(settings.lake)): file.path.read_bytes()
        for kind in FileKind
        if kind not in left_out
        for mode in kind.modes
        for file in find_files(settings.lake, kind, mode)
    }


def run_all(collector: Collector, settings: Settings) -> None:
    """Every stage after the capture."""
    pipeline.seal(collector, WINDOW, settings, whole=True)
    pipeline.synchronise(collector, WINDOW, settings)
    pipeline.aggregate(collector, WINDOW, settings)


def test_a_journal_in_one_piece_or_in_five_gives_the_same_bytes(collector, received, tmp_path):
    one = journaled(collector, iter([received]), tmp_path / "one")
    five = journaled(collector, pieces(received, 5), tmp_path / "five")
    for settings in (one, five):
        run_all(collector, settings)
    # Captures count the pieces, and the frames' footer lists the segments.
    counting = (FileKind.CAPTURES, FileKind.FRAMES)
    assert bytes_of(one, *counting) == bytes_of(five, *counting)
    folder = pipeline.journal_of(collector, WINDOW, five)
    assert len(read_journal(folder).segments) == 5


def test_sealed_frames_alone_rebuild_the_same_bytes(collector, received, tmp_path):
    settings = journaled(collector, iter([received]), tmp_path)
    run_all(collector, settings)
    before = bytes_of(settings)
    shutil.rmtree(settings.journal)
    for path in before:
        if "/frames/" not in f"/{path}":
            (settings.lake / path).unlink()
    run_all(collector, settings)
    assert bytes_of(settings) == before


def test_every_rule_holds(collector, received, tmp_path):
    settings = journaled(collector, iter([received]), tmp_path)
    run_all(collector, settings)
    for stage in Stage:
        findings = pipeline.validate(stage, collector, WINDOW, settings)
        assert findings
        assert [finding.rule for finding in findings if not finding.passed] == []


def test_a_window_without_frames_is_refused_in_a_sentence(collector, tmp_path):
    settings = Settings(lake=tmp_path / "lake", journal=tmp_path / "journal")
    with pytest.raises(LakeError, match=r"has no frames of this window.*can't be captured again"):
        pipeline.seal(collector, WINDOW, settings)


def test_a_lake_of_another_source_is_refused(collector, received, tmp_path):
    settings = journaled(collector, iter([received]), tmp_path)
    settings.lake.mkdir()
    (settings.lake / "_source").write_text("live\n")
    with pytest.raises(LakeError, match="holds live data; simulated data needs a lake of its own"):
        pipeline.seal(collector, WINDOW, settings)
