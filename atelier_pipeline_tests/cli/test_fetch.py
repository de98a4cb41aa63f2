"""`atelier fetch` brings raw streams of several exchanges home, and other commands read them."""

import re

import pytest

from atelier_pipeline.lake.names import FileKind, find_files
from atelier_pipeline_tests.capture.servers import simulated
from atelier_pipeline_tests.cli.typed import atelier

MARKETS = ("bybit:BTCUSDT", "coinbase:BTC-USD", "kraken:BTC/USD")


@pytest.fixture(scope="module")
def fetched(tmp_path_factory):
    """A folder with the lake `raw`, fetched from three simulated exchanges."""
    folder = tmp_path_factory.mktemp("user")
    words = ("fetch", *MARKETS, "--seconds", 8, "--source", "simulated", "--dir", "raw")
    with simulated() as url:
        answer = atelier(*words, folder=folder, ATELIER_SIMULATOR_URL=url)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return folder, answer.stdout


def test_every_market_leaves_raw_files(fetched):
    folder, told = fetched
    assert "see them: atelier read --dir raw" in told
    for kind in (FileKind.ORDERBOOKS, FileKind.TRADES):
        found = {(file.exchange, file.name) for file in find_files(folder / "raw", kind, "raw")}
        assert found == {("bybit", "BTCUSDT"), ("coinbase", "BTC-USD"), ("kraken", "BTC-USD")}


def test_read_tells_what_was_fetched(fetched):
    answer = atelier("read", "--dir", "raw", folder=fetched[0])
    assert answer.returncode == 0, answer.stderr
    headings = re.findall(r"^(\w+ BTC\S+)", answer.stdout, re.MULTILINE)
    assert headings == ["bybit BTCUSDT", "coinbase BTC-USD", "kraken BTC/USD"]


def test_load_proves_what_was_fetched(fetched):
    text = (
        'collect.exchange = "kraken"\ncollect.datatypes.orderbook.enabled = true\n'
        'collect.datatypes.trades.enabled = true\n[[workers]]\nsymbol = "BTC/USD"\n'
        '[[workers]]\nsymbol = "BTC-USD"\nexchange = "coinbase"\n'
    )
    (fetched[0] / "mine.toml").write_text(text, "utf-8")
    answer = atelier("load", "--config", "mine.toml", "--lake", "raw", folder=fetched[0])
    assert answer.returncode == 0, answer.stdout
    assert "2 symbols, 6 checks, 0 failed" in answer.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--source", "simulated"], "simulated data needs a lake of its own: say --dir"),
        (["mtgox"], "no exchange 'mtgox'"),
    ],
)
def test_a_fetch_that_can_not_be_is_bad_usage(words, told, tmp_path):
    answer = atelier("fetch", *words, folder=tmp_path)
    assert answer.returncode == 2
    assert told in answer.stderr
    assert list(tmp_path.iterdir()) == []
