"""Decoding again finds what the lake holds, or says exactly what differs."""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from atelier_pipeline import pipeline
from atelier_pipeline.lake.names import FileKind, Mode, find_files
from atelier_pipeline.lake.reader import read_footer, read_table
from atelier_pipeline.lake.writer import write_table
from atelier_pipeline.manifest import load_manifests
from atelier_pipeline.market.window import Window
from atelier_pipeline.redecode import redecode, rows_only_in
from atelier_pipeline.settings import Settings
from atelier_pipeline.simulator import frames
from atelier_pipeline_tests.cli.typed import atelier

NS_PER_SEC = 1_000_000_000
T0 = 1_767_225_600 * NS_PER_SEC
WINDOW = Window(T0, T0 + 4 * NS_PER_SEC)
DEMO = Path(pipeline.__file__).parent / "manifests" / "demo"


@pytest.fixture(scope="module")
def sealed(tmp_path_factory) -> Path:
    """A lake with one window of kraken; its journal is gone."""
    folder = tmp_path_factory.mktemp("sealed")
    settings = Settings(lake=folder / "lake", journal=folder / "journal")
    collector = load_manifests(DEMO)["kraken"]
    sent = frames("kraken", collector.symbols, depth=100, start_ns=T0, duration_s=4)
    pipeline.journal_frames(collector, WINDOW, settings, sent)
    pipeline.seal(collector, WINDOW, settings)
    shutil.rmtree(settings.journal)
    return settings.lake


@pytest.fixture
def lake(sealed, tmp_path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(sealed, tmp_path / "lake"))


def frames_of(lake: Path) -> Path:
    """The sealed frames of its window."""
    (file,) = find_files(lake, FileKind.FRAMES, Mode.RAW)
    return file.path


def trades_of(lake: Path) -> Path:
    """The raw trades of BTC/USD."""
    (file,) = find_files(lake, FileKind.TRADES, Mode.RAW, symbol="BTC/USD")
    return file.path


def rewritten(path: Path, rows: pa.Table) -> None:
    """Put other rows into a file of the lake."""
    write_table(rows, path, read_footer(path))


def test_what_was_sealed_is_found_again(lake):
    done = redecode(frames_of(lake), lake)
    assert (done.collector.name, done.same, done.differences) == ("kraken", 8, ())


def test_a_changed_price_is_told_by_both_rows(lake):
    held = read_table(trades_of(lake))
    prices = pa.array([held["price"][0].as_py() + 1.0, *held["price"].to_pylist()[1:]])
    changed = held.set_column(held.column_names.index("price"), "price", prices)
    rewritten(trades_of(lake), changed)
    done = redecode(frames_of(lake), lake)
    (difference,) = done.differences
    assert (done.same, difference.path, difference.kind) == (7, trades_of(lake), FileKind.TRADES)
    assert difference.only_in_lake.equals(changed.slice(0, 1))
    assert difference.only_redecoded.equals(held.slice(0, 1))
    assert str(difference) == "1 rows only in the lake, 1 only when decoded again"


def test_a_lost_row_and_a_doubled_row_are_told(lake):
    held = read_table(trades_of(lake))
    rewritten(
        trades_of(lake), pa.concat_tables([held.slice(0, 1), held.slice(0, 1), held.slice(2)])
    )
    (difference,) = redecode(frames_of(lake), lake).differences
    assert difference.only_in_lake.equals(held.slice(0, 1))
    assert difference.only_redecoded.equals(held.slice(1, 1))


def test_rows_in_another_order_are_told(lake):
    held = read_table(trades_of(lake))
    rewritten(trades_of(lake), pc.take(held, pa.array([1, 0, *range(2, held.num_rows)])))
    (difference,) = redecode(frames_of(lake), lake).differences
    assert str(difference) == "the same rows in another order"


def test_a_missing_file_is_told(lake):
    rows = read_table(trades_of(lake)).num_rows
    trades_of(lake).unlink()
    (difference,) = redecode(frames_of(lake), lake).differences
    assert difference.is_missing
    assert str(difference) == f"missing, decoding gives {rows} rows"


def test_writing_restores_every_byte(lake, sealed):
    rewritten(trades_of(lake), read_table(trades_of(lake)).slice(1))
    assert len(redecode(frames_of(lake), lake, write=True).differences) == 1
    assert redecode(frames_of(lake), lake).differences == ()
    for path in sealed.rglob("*.parquet"):
        assert (lake / path.relative_to(sealed)).read_bytes() == path.read_bytes()


def test_equal_rows_are_counted():
    rows = pa.table({"a": [1, 1, None, 2], "b": [0.5, 0.5, None, 0.1]})
    others = pa.table({"a": [2, 1], "b": [0.1, 0.5]})
    assert rows_only_in(rows, others).to_pylist() == [{"a": 1, "b": 0.5}, {"a": None, "b": None}]
    assert rows_only_in(others, rows).num_rows == 0


def test_the_command_tells_every_difference_and_replaces_when_told_to(lake):
    lost = read_table(trades_of(lake)).slice(0, 1)
    rewritten(trades_of(lake), read_table(trades_of(lake)).slice(1))
    command = ("redecode", "--lake", lake, "--exchange", "kraken", "--date", "2026-01-01")
    told = atelier(*command, folder=lake.parent)
    assert told.returncode == 1, told.stderr
    name = trades_of(lake).relative_to(lake)
    assert f"{name}: 0 rows only in the lake, 1 only when decoded again" in told.stdout
    assert f'"{lost["id"][0].as_py()}"' in told.stdout
    assert "1 windows: 7 raw files are the same, 1 differ\n" in told.stdout
    assert atelier(*command, "--write", folder=lake.parent).returncode == 0
    assert "8 raw files are the same, 0 differ" in atelier(*command, folder=lake.parent).stdout


def test_a_day_without_frames_is_told(lake):
    told = atelier("redecode", "--lake", lake, "--date", "2020-01-01", folder=lake.parent)
    assert (told.returncode, told.stdout) == (
        0,
        f"{lake} has no frames that fit: nothing was decoded\n",
    )
