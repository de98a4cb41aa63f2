"""Nothing goes before its time or unproved; what goes is gone at once."""

import shutil
from pathlib import Path

import msgspec
import pytest

from atelier_pipeline import pipeline
from atelier_pipeline.housekeeping import prune
from atelier_pipeline.housekeeping.compact import compact_day, days_to_compact
from atelier_pipeline.housekeeping.prune import Judged, Retention, Verdict, What
from atelier_pipeline.housekeeping.selection import NS_PER_DAY, Selection
from atelier_pipeline.lake.footer import Footer
from atelier_pipeline.lake.journal import SUFFIX
from atelier_pipeline.lake.journal_reader import read_journal
from atelier_pipeline.lake.reader import read_footer, read_table
from atelier_pipeline.lake.schemas import SCHEMA_VERSION
from atelier_pipeline.lake.storage import lock_folder
from atelier_pipeline.lake.writer import write_table
from atelier_pipeline.settings import Settings
from atelier_pipeline_tests.housekeeping.captured import (
    COLLECTOR,
    captured,
    installation,
    journal,
    sealed,
    trades,
    window,
)
from atelier_pipeline_tests.housekeeping.lakes import contents
from atelier_pipeline_tests.housekeeping.power import cut_everywhere

HOUR_NS = 3_600_000_000_000
ENDED_NS = window().end_ns


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    """One sealed window with its journal."""
    folder = tmp_path_factory.mktemp("original")
    captured(folder)
    return folder


@pytest.fixture
def settings(original, tmp_path) -> Settings:
    """A copy that a test may change."""
    shutil.copytree(original, tmp_path / "copy")
    return installation(tmp_path / "copy")


def journals(settings: Settings, now_ns: int = ENDED_NS + HOUR_NS, days: int | None = None):
    """Retention that lets sealed journals go, and frames after some days."""
    return Retention(settings=settings, now_ns=now_ns, frames_days=days, journals=True)


def old(settings: Settings, days: int = 30, later_ns: int = 1) -> Retention:
    """Retention at a time when the window is just older than frames are kept."""
    now_ns = ENDED_NS + days * NS_PER_DAY + later_ns
    return Retention(settings=settings, now_ns=now_ns, frames_days=days)


def pruned(retention: Retention) -> list[Judged]:
    """What becomes of every candidate; judging alone says the same and removes nothing."""
    lake, journal = retention.settings.lake, retention.settings.journal
    before = contents(lake.parent)
    judged = [retention.judge(each) for each in retention.candidates()]
    assert contents(lake.parent) == before
    assert [retention.prune(each) for each in retention.candidates()] == judged
    gone = {each.candidate.path for each in judged if each.verdict is Verdict.GOES}
    assert not any(path.exists() for path in gone)
    assert not list(journal.rglob(".*")), "nothing is left hidden"
    return judged


def verdicts(judged: list[Judged]) -> list[tuple[What, Verdict]]:
    return [(each.candidate.what, each.verdict) for each in judged]


def test_a_journal_goes_once_its_frames_are_sealed_and_equal(settings):
    (segment,) = settings.journal.rglob(f"*{SUFFIX}")
    size = segment.stat().st_size
    (judged,) = pruned(journals(settings))
    assert (judged.candidate.path, judged.bytes) == (segment.parent, size)
    assert (judged.verdict, judged.reason) == (Verdict.GOES, "")
    assert sealed(settings).exists()
    assert journals(settings).candidates() == []


def test_a_journal_stays_for_an_hour_after_its_window(settings):
    (judged,) = pruned(journals(settings, ENDED_NS + HOUR_NS - 1))
    assert (judged.verdict, judged.reason) == (
        Verdict.STAYS,
        "its window has not been over for an hour",
    )


def test_a_journal_that_is_being_written_stays(settings):
    (segment,) = settings.journal.rglob(f"*{SUFFIX}")
    with lock_folder(segment.parent):
        (judged,) = pruned(journals(settings))
    assert (judged.verdict, judged.reason) == (Verdict.STAYS, "it is being written")


@pytest.mark.parametrize(
    ("later_ns", "verdict"), [(HOUR_NS, Verdict.STAYS), (2 * NS_PER_DAY, Verdict.UNPROVED)]
)
def test_a_journal_that_is_not_sealed_stays(settings, later_ns, verdict):
    sealed(settings).unlink()
    (judged,) = pruned(journals(settings, ENDED_NS + later_ns))
    assert (judged.verdict, judged.reason) == (
        verdict,
        "its frames are not sealed: materialise raw for its window",
    )


def test_a_journal_with_more_frames_than_were_sealed_stays(settings):
    journal(settings, seconds=1)
    (judged,) = pruned(journals(settings))
    assert judged.verdict is Verdict.UNPROVED
    assert "differs from its sealed frames" in judged.reason


def test_a_journal_with_other_frames_than_were_sealed_stays(settings, monkeypatch):
    real = prune.read_journal

    def altered(folder):
        whole = real(folder)
        return type(whole)(whole.meta, whole.segments, [b.slice(0, 0) for b in whole.batches])

    monkeypatch.setattr(prune, "read_journal", altered)
    (judged,) = pruned(journals(settings))
    assert judged.verdict is Verdict.UNPROVED


def test_a_torn_journal_stays_as_long_as_its_frames_do(settings):
    (segment,) = settings.journal.rglob(f"*{SUFFIX}")
    with segment.open("r+b") as file:
        file.seek(-40, 2)
        file.write(bytes(40))
    damage = read_journal(segment.parent).damage
    sealed(settings).unlink()
    pipeline.seal(COLLECTOR, window(), settings)
    (judged,) = pruned(journals(settings))
    unread = sum(each.unread_bytes for each in damage)
    assert unread > 0
    assert (judged.verdict, judged.reason) == (
        Verdict.STAYS,
        f"{unread} of its bytes can't be read: it stays as its frames do",
    )
    late = journals(settings, ENDED_NS + 30 * NS_PER_DAY + 1, 30)
    assert verdicts(pruned(late)) == [(What.JOURNAL, Verdict.GOES), (What.FRAMES, Verdict.GOES)]


def test_frames_go_with_their_journal_when_they_are_old(settings):
    day = sealed(settings).parent
    judged = pruned(old(settings))
    assert verdicts(judged) == [(What.JOURNAL, Verdict.GOES), (What.FRAMES, Verdict.GOES)]
    assert not day.exists()
    assert len(trades(settings)) == 1


def test_frames_stay_until_they_are_old(settings):
    judged = pruned(old(settings, later_ns=0))
    assert verdicts(judged) == [(What.JOURNAL, Verdict.STAYS), (What.FRAMES, Verdict.STAYS)]
    assert {each.reason for each in judged} == {"its window ended later"}
    assert old(settings, later_ns=-NS_PER_DAY).candidates() == []


def test_without_days_no_frames_go(settings):
    assert Retention(settings=settings, now_ns=2**62).candidates() == []


def _without_a_raw_file(settings: Settings) -> None:
    trades(settings)[0].unlink()


def _with_a_damaged_raw_file(settings: Settings) -> None:
    trades(settings)[0].write_bytes(b"PAR1")


def _with_other_rows(settings: Settings) -> None:
    path = trades(settings)[0]
    footer = msgspec.structs.replace(read_footer(path), package_version="0.0.1")
    write_table(read_table(path).slice(1), path, footer)


def _with_a_newer_schema(settings: Settings) -> None:
    _remade(settings, schema_version=99)


def _remade(settings: Settings, **facts: object) -> None:
    """The same rows in a raw file that says otherwise who made it."""
    path = trades(settings)[0]
    table, footer = read_table(path), read_footer(path)
    write_table(table, path, Footer(**{**msgspec.structs.asdict(footer), **facts}))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_without_a_raw_file, "does not exist"),
        (_with_a_damaged_raw_file, "is no whole Parquet file"),
        (_with_other_rows, "is not what these frames give (1 added)"),
        (_with_a_newer_schema, f"newer than {SCHEMA_VERSION}"),
    ],
)
def test_frames_whose_raw_files_are_not_proved_stay(settings, damage, told):
    damage(settings)
    judged = pruned(old(settings))
    assert verdicts(judged) == [(What.JOURNAL, Verdict.GOES), (What.FRAMES, Verdict.UNPROVED)]
    assert told in judged[1].reason
    assert sealed(settings).exists()


@pytest.mark.parametrize(
    "facts", [{"package_version": "0.0.1"}, {"schema_version": 0}, {"input_hashes": {}}]
)
def test_raw_files_of_another_version_are_decoded_again(settings, facts, monkeypatch):
    _remade(settings, **facts)
    decoded = []
    real = prune.redecode
    monkeypatch.setattr(prune, "redecode", lambda *a, **o: (decoded.append(a[0]), real(*a, **o))[1])
    assert pruned(old(settings))[1].verdict is Verdict.GOES
    assert set(decoded) == {sealed(settings)}


def test_raw_files_of_this_version_are_not_decoded_again(settings, monkeypatch):
    monkeypatch.setattr(prune, "redecode", None)
    assert pruned(old(settings))[1].verdict is Verdict.GOES


def test_frames_stay_while_their_journal_does(settings):
    journal(settings, seconds=1)
    judged = pruned(old(settings))
    assert verdicts(judged) == [(What.JOURNAL, Verdict.UNPROVED), (What.FRAMES, Verdict.UNPROVED)]
    assert "differs from its sealed frames" in judged[1].reason


def test_frames_stay_while_their_journal_is_written(settings):
    (segment,) = settings.journal.rglob(f"*{SUFFIX}")
    with lock_folder(segment.parent):
        judged = pruned(old(settings))
    assert verdicts(judged) == [(What.JOURNAL, Verdict.STAYS), (What.FRAMES, Verdict.STAYS)]
    assert judged[1].reason == f"the journal {segment.parent} stays: it is being written"


def test_frames_of_a_compacted_day_go_too(settings):
    journal(settings, 1)
    for number in (0, 1):
        target = (COLLECTOR, window(number), settings)
        pipeline.seal(*target)
        pipeline.synchronise(*target)
        pipeline.aggregate(*target)
    plan = days_to_compact(settings.lake, settings.journal, ENDED_NS + 3 * NS_PER_DAY, Selection())
    for day in plan.days:
        compact_day(day)
    assert len(trades(settings)) == 1
    judged = pruned(old(settings, later_ns=NS_PER_DAY))
    assert [each.verdict for each in judged] == [Verdict.GOES] * 4


def test_cut_short_at_any_moment_frames_are_whole_or_gone(original, tmp_path):
    settings = installation(tmp_path / "copy")

    def prepare():
        shutil.rmtree(settings.lake.parent, ignore_errors=True)
        shutil.copytree(original, settings.lake.parent)

    def run():
        retention = old(settings)
        for each in retention.candidates():
            retention.prune(each)

    cuts = 0
    for _cut in cut_everywhere(run, prepare):
        cuts += 1
        if sealed(settings).exists():
            pipeline.seal(COLLECTOR, window(), settings)
        run()
        assert not sealed(settings).exists()
        assert not list(settings.journal.rglob(f"*{SUFFIX}"))
        assert len(trades(settings)) == 1
    assert cuts >= 5
