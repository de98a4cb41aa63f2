"""Whoever reads a window reads the same once its day is compacted."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from atelier_pipeline import pipeline
from atelier_pipeline.errors import LakeError
from atelier_pipeline.housekeeping.compact import compact_day, days_to_compact
from atelier_pipeline.housekeeping.selection import NS_PER_DAY, Selection
from atelier_pipeline.lake.names import FileKind, Mode, frames_path
from atelier_pipeline.lake.reader import read_kind
from atelier_pipeline.manifest import Collector, load_manifests, parse_collector
from atelier_pipeline.market.window import Window
from atelier_pipeline.orchestration.ledger import Ledger
from atelier_pipeline.orchestration.metadata import described
from atelier_pipeline.pipeline import StageResult
from atelier_pipeline.report import DayFacts, judge
from atelier_pipeline.settings import Settings
from atelier_pipeline.simulator import frames
from atelier_pipeline.validate.catalog import query
from atelier_pipeline.validate.rule import Stage
from atelier_pipeline.validate.tables import TABLES

NS_PER_SEC = 1_000_000_000
T0 = 1_767_225_600 * NS_PER_SEC
LENGTH = 3 * NS_PER_SEC
WINDOWS = tuple(Window(start, start + LENGTH) for start in range(T0, T0 + 3 * LENGTH, LENGTH))
DEMO = Path(pipeline.__file__).parent / "manifests" / "demo"
STAGES = (pipeline.synchronise, pipeline.aggregate)
COARSE = '[collect.sync.update_frequency]\nvalue = 500\nunit = "Millis"'
LATER_NS = T0 + 3 * NS_PER_DAY


@dataclass(frozen=True)
class Captured:
    """An installation with one day of three windows, and what the stages said of them."""

    collector: Collector
    settings: Settings
    results: dict[tuple[str, Window], StageResult]


@pytest.fixture(scope="module", params=["bybit", "coinbase"])
def in_pieces(request, tmp_path_factory) -> Captured:
    """The day as the captures left it."""
    folder = tmp_path_factory.mktemp(request.param)
    settings = Settings(
        lake=folder / "lake", journal=folder / "journal", catalog=folder / "atelier.duckdb"
    )
    collector = load_manifests(DEMO)[request.param]
    sent = list(
        frames(
            collector.exchange.name,
            collector.symbols,
            datasets=frozenset().union(*collector.datasets.values()),
            depth=collector.subscribed_depth,
            start_ns=T0 - NS_PER_SEC,
            duration_s=11,
        )
    )
    for window in WINDOWS:
        received = (frame for frame in sent if frame[0] < window.end_ns + NS_PER_SEC)
        pipeline.journal_frames(collector, window, settings, received)
    return Captured(collector, settings, run_all(collector, settings))


@pytest.fixture(scope="module")
def compacted(in_pieces, tmp_path_factory) -> Captured:
    """The same day, compacted."""
    folder = tmp_path_factory.mktemp("compacted")
    shutil.copytree(in_pieces.settings.lake, folder / "lake")
    settings = in_pieces.settings.model_copy(
        update={"lake": folder / "lake", "catalog": folder / "atelier.duckdb"}
    )
    plan = days_to_compact(settings.lake, settings.journal, LATER_NS, Selection())
    assert plan.days
    assert not plan.left
    for day in plan.days:
        compact_day(day)
    return Captured(in_pieces.collector, settings, in_pieces.results)


def run_all(collector: Collector, settings: Settings) -> dict[tuple[str, Window], StageResult]:
    """Every stage after the capture, of every window."""
    results = {
        ("seal", window): pipeline.seal(collector, window, settings, whole=True)
        for window in WINDOWS
    }
    for stage in STAGES:
        for window in WINDOWS:
            results[stage.__name__, window] = stage(collector, window, settings)
    return results


def hashes(results: dict[tuple[str, Window], StageResult]) -> dict[tuple[str, str], str]:
    return {
        (stage, file.path.name): file.content_hash
        for (stage, _), result in results.items()
        for file in result.files
    }


def paths(captured: Captured, window: Window) -> list[Path]:
    """Where the files of a window were or are."""
    return [
        captured.settings.lake / file.path.relative_to(file.path.parents[4])
        for (_, each), result in captured.results.items()
        if each == window
        for file in result.files
    ]


@pytest.mark.parametrize("window", WINDOWS)
def test_every_rule_finds_the_same(in_pieces, compacted, window):
    for stage in Stage:
        findings = pipeline.validate(stage, compacted.collector, window, compacted.settings)
        assert findings == pipeline.validate(stage, in_pieces.collector, window, in_pieces.settings)
        assert [finding.rule for finding in findings if not finding.passed] == []


def test_the_verdict_on_the_day_is_the_same_and_its_seams_are_what_the_rule_finds(
    in_pieces, compacted
):
    verdicts = [
        judge(DayFacts.read(each.settings.lake, each.collector, WINDOWS, [], LATER_NS))
        for each in (in_pieces, compacted)
    ]
    assert verdicts[0] == verdicts[1]
    unproved = {(s.moment_ns, *s.feed, s.problem) for s in verdicts[1].seams if s.problem}
    found = [
        (window.start_ns, row["symbol"], row["dataset"], row["reason"])
        for window in WINDOWS
        for finding in pipeline.validate(Stage.RAW, compacted.collector, window, compacted.settings)
        if finding.rule == "seam_proved"
        for row in finding.sample.to_pylist()
    ]
    assert unproved == set(found)
    feeds = sum(map(len, compacted.collector.datasets.values()))
    assert len(verdicts[1].seams) == feeds * (len(WINDOWS) - 1)


def test_every_stage_finds_its_inputs_and_the_rows_that_it_would_write(compacted):
    again = run_all(compacted.collector, compacted.settings)
    assert hashes(again) == hashes(compacted.results)
    assert not any(path.exists() for window in WINDOWS for path in paths(compacted, window))


def test_the_catalog_shows_the_same_rows(in_pieces, compacted):
    for captured in (in_pieces, compacted):
        pipeline.rebuild_catalog(captured.settings)
    for name in TABLES:
        shown, before = (
            query(f"FROM {name}", each.settings.lake, each.settings.catalog)
            for each in (compacted, in_pieces)
        )
        assert shown == before


def test_what_dagster_shows_of_a_window_is_the_same(in_pieces, compacted):
    window = WINDOWS[1]
    ledger = Ledger.read(compacted.settings.lake, compacted.collector, window)
    assert ledger == Ledger.read(in_pieces.settings.lake, in_pieces.collector, window)
    again = pipeline.aggregate(compacted.collector, window, compacted.settings)
    shown = described(FileKind.AGGREGATES, Mode.SYNC, again.files, ledger)
    files = in_pieces.results["aggregate", window].files
    before = described(FileKind.AGGREGATES, Mode.SYNC, files, ledger)
    differ = {key for key in before if shown[key] != before[key]}
    assert differ == {"bytes", "written"}


def test_a_window_that_would_get_other_rows_is_refused(compacted):
    text = compacted.collector.text.replace(
        'source = "simulated"', f'source = "simulated"\n{COARSE}'
    )
    coarse = parse_collector(compacted.collector.name, text, "the test")
    with pytest.raises(LakeError, match=r"all of its day lies in .*`atelier compact --undo`"):
        pipeline.synchronise(coarse, WINDOWS[0], compacted.settings)


def test_a_window_whose_frames_were_pruned_says_so(compacted, tmp_path):
    settings = compacted.settings.model_copy(update={"journal": tmp_path / "journal"})
    exchange, name = compacted.collector.exchange.name, compacted.collector.name
    sealed = frames_path(settings.lake, exchange, name, WINDOWS[0].start_ns)
    sealed.rename(tmp_path / sealed.name)
    with pytest.raises(LakeError, match="they were pruned; its raw files, such as "):
        pipeline.seal(compacted.collector, WINDOWS[0], settings)
    (tmp_path / sealed.name).rename(sealed)


def test_a_kind_can_be_read_by_time_within_a_compacted_day(in_pieces, compacted):
    within = Window(WINDOWS[1].start_ns, WINDOWS[2].start_ns + 1)
    for kind, mode in ((FileKind.TRADES, Mode.RAW), (FileKind.AGGREGATES, Mode.SYNC)):
        rows, before = (
            read_kind(each.settings.lake, kind, mode, within=within, columns=["symbol"])
            for each in (compacted, in_pieces)
        )
        assert rows.sort_by("symbol").equals(before.sort_by("symbol"))
        assert before.num_rows
