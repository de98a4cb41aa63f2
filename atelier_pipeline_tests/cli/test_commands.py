"""Every command helps, answers in words, and exits with 0, 1 or 2."""

import csv
import gzip
import re
import signal
import subprocess
from pathlib import Path

import pytest
from websockets.sync.client import connect

from atelier_pipeline import __version__
from atelier_pipeline.cli import app
from atelier_pipeline_tests.cli.typed import ATELIER, atelier

COMMANDS = sorted(command.callback.__name__ for command in app.registered_commands)
FRAME = (
    "1785552832150000000 "
    '{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":100.0,'
    '"qty":0.50000000,"ord_type":"market","trade_id":7,'
    '"timestamp":"2026-08-01T02:53:52.210000Z"}]}\n'
)


@pytest.fixture(scope="module")
def replayed(tmp_path_factory) -> Path:
    """A folder with data/replay made by `atelier replay` from one frame."""
    folder = tmp_path_factory.mktemp("user")
    recording = folder / "kraken" / "one.frames.gz"
    recording.parent.mkdir()
    recording.write_bytes(gzip.compress(FRAME.encode()))
    answer = atelier("replay", recording, folder=folder)
    assert answer.returncode == 0, answer.stderr
    assert "kraken/one" in answer.stdout
    assert "atelier query --lake data/replay" in answer.stdout
    return folder


def test_the_version_is_told(tmp_path):
    assert atelier("--version", folder=tmp_path).stdout == f"atelier_pipeline {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_helps(command, tmp_path):
    answer = atelier(command.replace("_", "-"), "--help", folder=tmp_path)
    assert answer.returncode == 0
    assert answer.stdout.startswith("Usage: ")


def test_help_imports_nothing_heavy(tmp_path):
    code = (
        "import sys; from atelier_pipeline.cli import app; "
        "print({'dagster', 'polars', 'numba', 'duckdb', 'pyarrow'} & set(sys.modules))"
    )
    answer = subprocess.run(
        [ATELIER[0], "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert answer.stdout == "set()\n"


def test_an_unknown_command_is_bad_usage(tmp_path):
    assert atelier("nonsense", folder=tmp_path).returncode == 2


def test_a_query_prints_a_table(replayed):
    answer = atelier(
        "query", "--lake", "data/replay", "SELECT id, price FROM trades", folder=replayed
    )
    assert answer.returncode == 0
    assert re.search(r"│ 7\s+┆ 100\.0\s+│", answer.stdout)


def test_a_query_prints_csv_for_other_programs(replayed):
    sql = "SELECT symbol, side, amount FROM trades"
    answer = atelier("query", "--lake", "data/replay", "--csv", sql, folder=replayed)
    assert list(csv.reader(answer.stdout.splitlines())) == [
        ["symbol", "side", "amount"],
        ["BTC/USD", "buy", "0.5"],
    ]


def test_rows_beyond_the_most_are_named(replayed):
    sql = "SELECT * FROM range(3)"
    answer = atelier("query", "--lake", "data/replay", "--rows", 2, sql, folder=replayed)
    assert "the first 2 rows; --rows N prints more, --csv all of them" in answer.stdout


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["query", "SELECT 1"], 1, "no catalog at"),
        (["query", "--lake", "data/replay", "SELEC"], 1, "SELEC"),
        (["query", "--lake", "data/replay", "SELECT nothing FROM trades"], 1, '"nothing"'),
        (["query", "--lake", "nowhere", "SELECT 1"], 1, "no lake at nowhere"),
        (["replay", "nowhere.frames.gz", "--exchange", "kraken"], 1, "nowhere.frames.gz"),
        (["replay", "kraken/one.frames.gz", "--exchange", "mtgox"], 2, "mtgox"),
        (["simulate", "--host", "192.0.2.1"], 2, "--allow-remote"),
        (["simulate", "--faults", "nowhere.toml"], 2, "nowhere.toml"),
        (["ui", "--profile", "dmeo"], 2, "dmeo"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(words, code, told, replayed):
    answer = atelier(*words, folder=replayed)
    assert answer.returncode == code
    assert told in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_setting_that_cannot_be_used_is_named(replayed):
    answer = atelier("query", "SELECT 1", folder=replayed, ATELIER_WINDOW_MINUTES="7")
    assert answer.returncode == 2
    assert "ATELIER_WINDOW_MINUTES = '7': expected a number of minutes" in answer.stderr


def test_the_simulated_exchanges_answer_until_they_are_interrupted(tmp_path):
    command = [*ATELIER, "simulate", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        address = next(
            found[0] for line in process.stdout if (found := re.search(r"ws://\S+/kraken", line))
        )
        with connect(address) as socket:
            assert '"channel":"status"' in socket.recv()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
