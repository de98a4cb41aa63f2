"""`atelier read` and `atelier load` tell what lies in a lake, and whether it is sound."""

import re
from pathlib import Path

import pytest

from atelier_pipeline_tests.cli.typed import atelier
from atelier_pipeline_tests.validate.small_lake import SmallLake

DATASETS = ("orderbook", "trades", "liquidations", "funding_rates", "open_interest")


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with a sound lake at data/lake and a manifest of its symbol."""
    SmallLake(symbol="BTCUSDT").write(tmp_path / "data" / "lake")
    datatypes = "".join(f"collect.datatypes.{key}.enabled = true\n" for key in DATASETS)
    manifest = f'collect.exchange = "bybit"\n{datatypes}[[workers]]\nsymbol = "BTCUSDT"\n'
    (tmp_path / "mine.toml").write_text(manifest, "utf-8")
    return tmp_path


def trades_file(folder: Path) -> Path:
    lake = SmallLake(symbol="BTCUSDT")
    return lake.path(folder / "data" / "lake", "trades")


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 4] ^= 1
    path.write_bytes(data)


def test_read_tells_rows_spans_and_figures(folder):
    answer = atelier("read", "--dir", "data/lake", folder=folder)
    assert answer.returncode == 0, answer.stderr
    assert "bybit BTCUSDT" in answer.stdout
    assert re.search(r"trades +1 +13 +\d+ +2026-02-26 15:00:00 +0:00:01", answer.stdout)
    assert "spread 2, last mid 100.00" in answer.stdout
    assert "valid book 90 %" in answer.stdout
    assert "1 symbols, 14 files, 198 rows in data/lake" in answer.stdout


def test_read_looks_into_the_lake_of_the_settings_and_keeps_to_one_symbol(folder):
    SmallLake(symbol="ETHUSDT").write(folder / "data" / "lake", ["trades"])
    answer = atelier("read", "--symbol", "ETHUSDT", folder=folder)
    assert answer.returncode == 0, answer.stderr
    assert "BTCUSDT" not in answer.stdout
    assert "1 symbols, 1 files, 13 rows" in answer.stdout


def test_read_goes_on_past_a_damaged_file_and_fails(folder):
    trades_file(folder).write_bytes(b"PAR1")
    answer = atelier("read", folder=folder)
    assert answer.returncode == 1
    assert f"passed over: {trades_file(folder)} is no whole Parquet file" in answer.stdout
    assert "13 files" in answer.stdout
    assert "1 files can't be read" in answer.stdout


def test_read_of_a_folder_without_files_fails(folder):
    (folder / "empty").mkdir()
    answer = atelier("read", "--dir", "empty", folder=folder)
    assert (answer.returncode, answer.stdout) == (
        1,
        "empty has no files that fit: nothing was read\n",
    )


def test_load_proves_every_newest_file_of_a_manifest(folder):
    answer = atelier("load", "--config", "mine.toml", folder=folder)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    checked = re.findall(r"bybit BTCUSDT +(\w+) (raw|sync) +20260226_150000\.000", answer.stdout)
    assert len(checked) == 14
    assert re.search(r"rows of each tick +20260226_150000\.000 +20 +ok", answer.stdout)
    assert "1 symbols, 15 checks, 0 failed" in answer.stdout


def test_load_takes_another_lake(folder):
    (folder / "data" / "lake").rename(folder / "moved")
    moved = atelier("load", "--config", "mine.toml", "--lake", "moved", folder=folder)
    assert moved.returncode == 0, moved.stdout + moved.stderr


def test_load_looks_where_the_manifest_writes(folder):
    (folder / "data" / "lake").rename(folder / "out")
    with (folder / "mine.toml").open("a", encoding="utf-8") as manifest:
        manifest.write('output = [{type = "parquet", dir = "out"}]\n')
    answer = atelier("load", "--config", "mine.toml", folder=folder)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_load_names_what_is_damaged_and_what_is_missing(folder):
    damage(trades_file(folder))
    lake = SmallLake(symbol="BTCUSDT")
    for name in ("liquidations", "liquidations_sync", "fundings", "fundings_sync"):
        lake.path(folder / "data" / "lake", name).unlink()
    answer = atelier("load", "--config", "mine.toml", folder=folder)
    assert answer.returncode == 1
    assert f"bybit BTCUSDT: trades raw: {trades_file(folder)} is damaged" in answer.stdout
    assert f"bybit BTCUSDT: fundings: no file in {folder / 'data' / 'lake'}" in answer.stdout
    assert re.search(r"liquidations +0 +none yet", answer.stdout)
    assert "counts 1 rows of liquidations at the tick" in answer.stdout
    assert "3 failed" in answer.stdout


def test_load_refuses_a_manifest_that_can_not_be_used(folder):
    (folder / "mine.toml").write_text('collect.exchange = "mtgox"\n', "utf-8")
    answer = atelier("load", "--config", "mine.toml", folder=folder)
    assert answer.returncode == 2
    assert "mine.toml: workers is missing" in answer.stderr
