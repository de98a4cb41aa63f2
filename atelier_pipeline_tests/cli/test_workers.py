"""Commands that run workers: they end on time or when told, with a report and an exit code."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from atelier_pipeline_tests.capture.servers import simulated
from atelier_pipeline_tests.cli.typed import ATELIER, atelier

MANIFEST = """
[collect]
exchange = "{exchange}"
source = "simulated"
datatypes.orderbook = {{ enabled = true, depth = 50 }}
datatypes.trades.enabled = true
sync.emission_delay_ms = 300
{output}
[[workers]]
symbol = "{symbol}"
"""
PARQUET = '[[collect.output]]\ntype = "parquet"\ndir = "lake"\n'


@pytest.fixture(scope="module")
def exchanges():
    """The address of the simulated exchanges."""
    with simulated() as url:
        yield url


def manifest(folder: Path, exchange: str, symbol: str, output: str = "") -> str:
    """The name of a manifest written into a folder."""
    text = MANIFEST.format(exchange=exchange, symbol=symbol, output=output)
    (folder / f"{exchange}.toml").write_text(text)
    return f"{exchange}.toml"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_worker_that_is_told_to_end_leaves_whole_files_and_a_report(number, exchanges, tmp_path):
    command = [
        *ATELIER,
        "data-worker",
        "--config",
        manifest(tmp_path, "kraken", "BTC/USD", PARQUET),
    ]
    environment = {**os.environ, "ATELIER_SIMULATOR_URL": exchanges, "COLUMNS": "200"}
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=environment,
    ) as process:
        next(line for line in process.stderr if "streaming" in line)
        process.send_signal(number)
        told, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert re.search(r"data worker kraken .* 0 errors; ended: stopped", told)
    assert list((tmp_path / "lake").rglob("BTC-USD_gaps_raw_*.parquet"))
    assert not list((tmp_path / "lake").rglob("*.tmp"))


def test_the_markets_of_an_exchange_need_no_manifest(exchanges, tmp_path):
    answer = atelier(
        *("markets", "coinbase", "--simulated", "--duration", 4),
        folder=tmp_path,
        ATELIER_SIMULATOR_URL=exchanges,
    )
    assert answer.returncode == 0, answer.stderr
    assert "coinbase.snapshot.100ms.BTC-USD" in answer.stdout


def test_several_manifests_run_side_by_side_and_what_goes_to_channels_alone_is_shown(
    exchanges, tmp_path
):
    configs = [manifest(tmp_path, "kraken", "BTC/USD"), manifest(tmp_path, "bybit", "BTCUSDT")]
    answer = atelier(
        *("multi", *configs, "--duration", 2), folder=tmp_path, ATELIER_SIMULATOR_URL=exchanges
    )
    assert answer.returncode == 0, answer.stderr
    assert re.findall(r"market worker (\w+)", answer.stdout) == ["kraken", "bybit"]
    assert re.search(r"bybit BTCUSDT bid [\d,.]+ ask [\d,.]+ .* ticks", answer.stdout)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["data-worker", "--config", "nowhere.toml"], 2, "nowhere.toml: can't be read"),
        (["market-worker", "--config", "kraken.toml", "--duration", "0"], 2, "above 0 seconds"),
        (["markets", "mtgox"], 2, "mtgox"),
        (["markets", "bybit", "--config", "kraken.toml"], 2, "no worker captures bybit"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(words, code, told, tmp_path):
    manifest(tmp_path, "kraken", "BTC/USD")
    answer = atelier(*words, folder=tmp_path)
    assert answer.returncode == code
    assert told in answer.stderr
    assert "Traceback" not in answer.stderr


def test_errors_of_a_report_are_told_and_end_the_command_with_1(exchanges, tmp_path):
    config = manifest(tmp_path, "bybit", "NOTHINGUSDT")
    answer = atelier(
        *("data-worker", "--config", config, "--duration", 3),
        folder=tmp_path,
        ATELIER_SIMULATOR_URL=exchanges,
    )
    assert answer.returncode == 1
    assert re.search(r"error: bybit: .*NOTHINGUSDT", answer.stdout)
