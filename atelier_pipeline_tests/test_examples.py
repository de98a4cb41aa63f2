"""Every example runs as it stands; those that need exchanges share one set of simulated ones."""

import re
import runpy
import sys
from pathlib import Path

import pytest

from atelier_pipeline.lake.names import FileKind, find_files
from atelier_pipeline_tests.capture.servers import simulated

FOLDER = Path(__file__).parents[1] / "examples"
MOST_LINES = 60

SAYS = {
    "run_data_worker": (20, r"^kraken BTC/USD (buy|sell) \S+ at \S+$"),
    "bybit_markets": (20, r"^BTCUSDT  \d+ .* trades, \d+ liquidations"),
    "coinbase_markets": (1, r"^errors: \[\]$"),
    "kraken_markets": (10, r"^\d+ \S+ traded (10 \| 10|None \| None) levels$"),
    "multi_sync_workers": (6, r"^(bybit|coinbase|kraken)\.snapshot\.100ms\.\S+: 30 ticks$"),
    "market_fetch": (6, r"^data/fetched/\w+/\S+/orderbooks/\S+\.parquet$"),
}
"""What an example prints with its own defaults: how many lines, and of which form."""


@pytest.fixture(scope="module")
def exchanges():
    """The address of the simulated exchanges."""
    with simulated() as url:
        yield url


@pytest.fixture
def run(exchanges, tmp_path, monkeypatch, capsys):
    """Runs an example in an empty folder and gives what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ATELIER_SIMULATOR_URL", exchanges)
    monkeypatch.setenv("ATELIER_WINDOW_DISK_MIB", "1")
    monkeypatch.setenv("ATELIER_DISK_FLOOR_MIB", "1")
    monkeypatch.setenv("COLUMNS", "200")

    def run(name: str, *words: object) -> str:
        monkeypatch.setattr(sys, "argv", [name, *map(str, words)])
        runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
        return capsys.readouterr().out

    return run


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> Path:
    """Where run_market_worker leaves its lake."""
    return tmp_path_factory.mktemp("stored") / "lake"


@pytest.mark.parametrize("name", SAYS)
def test_an_example_shows_what_it_is_for(name, run):
    words = ["--seconds", 10] if name == "market_fetch" else []
    told = run(name, *words)
    lines, form = SAYS[name]
    assert len(re.findall(form, told, re.MULTILINE)) == lines, told


def test_what_run_market_worker_stores_the_other_examples_read(run, stored):
    told = run("run_market_worker", "--dir", stored)
    assert re.search(
        r"^market worker bybit \S+ s, .* 0 errors; ended: stopped$", told, re.MULTILINE
    )
    index = find_files(stored, FileKind.SNAPSHOTS, "sync")
    assert {(file.exchange, file.name) for file in index} == {
        ("bybit", "BTCUSDT"),
        ("bybit", "ETHUSDT"),
    }
    read = run("read_market_worker", "--dir", stored)
    assert re.findall(r"^bybit \w+", read, re.MULTILINE) == ["bybit BTCUSDT", "bybit ETHUSDT"]
    assert len(re.findall(r"^  \d+: best \(\(.*\), \(.*\)\), \d+ trades$", read, re.MULTILINE)) == 6
    loaded = run("market_load", "--dir", stored, "--symbol", "ETHUSDT")
    assert len(re.findall(r" rows, whole and in order$", loaded, re.MULTILINE)) == 8
    assert re.search(r"^  \d+ ticks have the rows that they count$", loaded, re.MULTILINE)


def test_simulated_features_shows_the_same_last_five_ticks_every_time(run):
    told = run("simulated_features")
    assert told == run("simulated_features")
    ticks = [int(line.split()[0]) for line in told.splitlines()]
    end_ns = 1_767_225_610 * 1_000_000_000
    assert ticks == [end_ns - k * 100_000_000 for k in (4, 3, 2, 1, 0)]


def test_no_example_is_left_out_and_each_is_short():
    stored_and_read = {"run_market_worker", "read_market_worker", "market_load"}
    examples = {path.stem: path for path in FOLDER.glob("*.py")}
    assert set(examples) == set(SAYS) | stored_and_read | {"simulated_features"}
    lines = {name: len(path.read_text("utf-8").splitlines()) for name, path in examples.items()}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}
