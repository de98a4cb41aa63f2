"""`atelier redecode`, `compact` and `prune`, as a user types them."""

import re
from pathlib import Path

import pytest

from atelier_pipeline import pipeline
from atelier_pipeline.lake.journal import SUFFIX
from atelier_pipeline.lake.reader import read_footer, read_table
from atelier_pipeline.lake.writer import write_table
from atelier_pipeline.settings import Settings
from atelier_pipeline_tests.cli.typed import atelier
from atelier_pipeline_tests.housekeeping.captured import (
    COLLECTOR,
    captured,
    sealed,
    trades,
    window,
)
from atelier_pipeline_tests.housekeeping.lakes import contents, counted


@pytest.fixture
def settings(tmp_path) -> Settings:
    """Two windows of long ago, sealed and followed down to their aggregates."""
    settings = captured(tmp_path, 2)
    for number in (0, 1):
        pipeline.synchronise(COLLECTOR, window(number), settings)
        pipeline.aggregate(COLLECTOR, window(number), settings)
    return settings


def typed(settings: Settings, *words: object):
    """What the command answers for an installation."""
    folder = settings.lake.parent
    places = {"ATELIER_LAKE": "lake", "ATELIER_JOURNAL": "journal"}
    return atelier(*words, folder=folder, ATELIER_CATALOG="atelier.duckdb", **places)


def without_its_first_trade(path: Path) -> str:
    """Rewrite a file without its first row; the id of that."""
    rows = read_table(path)
    write_table(rows.slice(1), path, read_footer(path))
    return rows["id"][0].as_py()


def test_redecode_tells_every_difference_and_replaces_when_told_to(settings):
    before = contents(settings.lake)
    path = trades(settings)[1]
    lost = without_its_first_trade(path)
    told = typed(settings, "redecode", "--exchange", "kraken", "--from", "2026-01-01")
    assert told.returncode == 1, told.stderr
    lines = told.stdout.splitlines()
    assert lines[0] == f"{path}: 1 added"
    assert lines[1].startswith(f"  added row 0: id={lost}: trade_ts=")
    assert lines[2:] == ["2 windows: 15 raw files are the same, 1 differ"]
    assert typed(settings, "redecode", "--symbol", "ETH/USD").returncode == 0
    assert typed(settings, "redecode", "--write").returncode == 0
    assert contents(settings.lake) == before
    told = typed(settings, "redecode", "--lake", "lake")
    assert (told.returncode, told.stdout) == (
        0,
        "2 windows: 16 raw files are the same, 0 differ\n",
    )


def test_redecode_goes_on_behind_a_window_that_it_can_not_read(settings):
    sealed(settings, 0).write_bytes(b"PAR1")
    told = typed(settings, "redecode")
    assert told.returncode == 1
    assert "is no whole Parquet file" in told.stdout
    assert "2 windows: 8 raw files are the same, 0 differ" in told.stdout


def test_compact_makes_one_file_of_a_days_windows_and_gives_them_back(settings):
    before, rows = contents(settings.lake), counted(settings.lake)
    told = typed(settings, "compact", "--dry-run")
    assert contents(settings.lake) == before
    assert "kraken/BTC-USD/trades/date=2026-01-01: 4 files, " in told.stdout
    assert told.stdout.endswith("12 folders would be rebuilt\n")
    told = typed(settings, "compact")
    assert told.returncode == 0, told.stderr
    assert re.search(r"12 folders rebuilt: [\d,]+ rows, 32 -> 16 files, ", told.stdout)
    assert (len(trades(settings)), counted(settings.lake)) == (1, rows)
    assert typed(settings, "redecode").returncode == 0
    assert typed(settings, "compact").stdout.startswith("0 folders rebuilt")
    told = typed(settings, "compact", "--undo", "--symbol", "BTC/USD")
    assert (told.returncode, len(trades(settings))) == (0, 2)
    assert typed(settings, "compact", "--undo").returncode == 0
    assert contents(settings.lake) == before


def test_compact_tells_what_it_left_and_what_it_could_not_do(settings):
    trades(settings)[0].with_name("mine.txt").write_text("mine")
    path = trades(settings, "ETH/USD")[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)
    told = typed(settings, "compact")
    assert told.returncode == 1
    assert "1 x stays in pieces: 'mine.txt' is no lake file" in told.stdout
    assert re.search(r"kraken/ETH-USD/trades/date=2026-01-01: .* is damaged", told.stdout)
    assert "10 folders rebuilt" in told.stdout
    assert (len(trades(settings)), len(trades(settings, "ETH/USD"))) == (2, 2)


def test_prune_says_what_would_go_and_then_removes_it(settings):
    before = contents(settings.lake.parent)
    words = ("prune", "--frames-days", 30, "--journals")
    told = typed(settings, *words, "--dry-run")
    assert (told.returncode, contents(settings.lake.parent)) == (0, before)
    assert "journal: 2 would be removed" in told.stdout
    assert "frames: 2 would be removed" in told.stdout
    path = sealed(settings, 1)
    told = typed(settings, *words)
    assert told.returncode == 0, told.stderr
    assert (
        f"{path}: {len(before[str(path.relative_to(settings.lake.parent))]):,} bytes" in told.stdout
    )
    assert "frames: 2 removed, " in told.stdout
    assert not list(settings.lake.parent.rglob(f"*{SUFFIX}"))
    assert not path.exists()


def test_prune_fails_where_a_proof_does(settings):
    trades(settings)[1].unlink()
    told = typed(settings, "prune", "--frames-days", 30)
    assert told.returncode == 1
    assert f"{sealed(settings, 1)}: not removed: {trades(settings)[0].parent}" in told.stdout
    assert "frames: 1 removed, " in told.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("redecode", "--exchange", "mtgox"), "mtgox"),
        (("redecode", "--symbol", "BTC/USD", "--write"), "--write replaces whole windows"),
        (("compact", "--from", "2026-02-27", "--to", "2026-02-26"), "the first one comes first"),
        (("compact", "--from", "yesterday"), "yesterday"),
        (("prune", "--frames-days", 0), "'--frames-days'"),
    ],
)
def test_what_can_not_be_is_bad_usage(settings, words, told):
    answer = typed(settings, *words)
    assert (answer.returncode, "Traceback" in answer.stderr) == (2, False)
    assert told in answer.stderr


@pytest.mark.parametrize("command", ["compact", "prune"])
def test_without_a_lake_there_is_nothing_to_do(tmp_path, command):
    told = atelier(command, folder=tmp_path, ATELIER_LAKE="none")
    assert told.returncode == 1
    assert "none: No such file or directory" in told.stderr
