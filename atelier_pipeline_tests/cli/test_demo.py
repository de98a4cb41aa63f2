"""`atelier demo` leaves what it promises, and the commands it names work on it."""

import csv
import socket
from pathlib import Path

import pytest

from atelier_pipeline.lake.names import FileKind, find_files
from atelier_pipeline.validate.rules import RULES
from atelier_pipeline_tests.cli.typed import atelier

GAPS_OF_TICKS = """
SELECT DISTINCT g.cause
FROM aggregates AS a JOIN gaps AS g
  ON g.exchange = a.exchange AND g.symbol = a.symbol
 AND a.ts_ns > epoch_ns(g.ts_start) AND a.ts_ns - 100000000 < epoch_ns(g.ts_end)
WHERE a.gap ORDER BY 1
"""
TRADES_AND_BOOKS = """
SELECT count(*) AS trades, count(s.bid_levels) AS with_a_book
FROM trades AS t ASOF JOIN snapshots AS s
  ON s.exchange = t.exchange AND s.symbol = t.symbol AND s.grid_ts <= t.ts_event
WHERE s.book_valid
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, str]:
    """A folder in which the demo has run, and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{free.getsockname()[1]}"
    answer = atelier("demo", folder=folder, ATELIER_SIMULATOR_URL=url)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return folder, answer.stdout


def asked(folder: Path, sql: str) -> list[dict[str, str]]:
    """The rows of a query, as a user gets them as CSV."""
    answer = atelier("query", "--csv", sql, folder=folder)
    assert answer.returncode == 0, answer.stderr
    return list(csv.DictReader(answer.stdout.splitlines()))


def test_all_checks_are_passed_and_told(made):
    lines = [line for line in made[1].splitlines() if f" {len(RULES)} of {len(RULES)} " in line]
    assert [line.split()[0] for line in lines] == ["bybit", "coinbase", "kraken"]


def test_the_files_have_the_names_of_the_contract(made):
    lake = made[0] / "data" / "demo"
    for kind in FileKind:
        for mode in kind.modes:
            exchanges = {file.exchange for file in find_files(lake, kind, mode)}
            of_perpetuals = kind in {
                FileKind.LIQUIDATIONS,
                FileKind.FUNDINGS,
                FileKind.OPEN_INTERESTS,
            }
            spot = set() if of_perpetuals else {"coinbase", "kraken"}
            assert exchanges == {"bybit", *spot}, (kind, mode)


def test_every_symbol_has_valid_books_and_trades(made):
    sql = (
        "SELECT exchange, symbol, count(ob_mid_price) AS mids, sum(trade_count) AS trades "
        "FROM aggregates GROUP BY ALL ORDER BY ALL"
    )
    found = asked(made[0], sql)
    assert [(row["exchange"], row["symbol"]) for row in found] == [
        ("bybit", "BTCUSDT"),
        ("bybit", "ETHUSDT"),
        ("coinbase", "BTC-USD"),
        ("coinbase", "ETH-USD"),
        ("kraken", "BTC/USD"),
        ("kraken", "ETH/USD"),
    ]
    assert all(int(row["mids"]) > 0 and int(row["trades"]) > 0 for row in found)


def test_the_time_that_was_not_captured_is_the_only_loss(made):
    # A demo that waited for the next window did not come late to it.
    causes = {row["cause"] for row in asked(made[0], GAPS_OF_TICKS)}
    assert causes in ({"shutdown"}, {"late_start", "shutdown"})


def test_trades_meet_the_last_book_before_them(made):
    (row,) = asked(made[0], TRADES_AND_BOOKS)
    assert int(row["trades"]) > 0
    assert row["trades"] == row["with_a_book"]


def test_the_query_that_it_prints_works(made):
    line = next(line for line in made[1].splitlines() if line.startswith('atelier query "'))
    rows = asked(made[0], line.removeprefix('atelier query "').removesuffix('"'))
    assert len(rows) == 6
