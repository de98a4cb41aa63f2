"""docs/atelier-data.md: each row of atelier-data has a name here and a test, and both exist."""

import ast
import pkgutil
import re
from pathlib import Path

import pytest

from atelier_pipeline.cli import app

ROOT = Path(__file__).parents[1]
TESTS = Path(__file__).parent
PAGE = (ROOT / "docs" / "atelier-data.md").read_text("utf-8")
PROMISED, DIFFERENT = PAGE.split("## Deliberate differences")
ROWS = [
    [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    for line in PROMISED.splitlines()
    if line.startswith("| ") and not line.startswith("| atelier-data ")
]

OF_THE_CRATE = {
    *("Orderbook", "OrderbookDelta", "Trade", "Liquidation", "FundingRate", "OpenInterest"),
    *("MarketSnapshot", "MarketAggregate", "Bybit", "Coinbase", "Kraken"),
    *("DataWorker", "MarketWorker", "OutputSink", "OutputSinkSet", "ChannelSink", "TopicRegistry"),
    *("TerminalSink", "ParquetSink", "MarketSynchronizer", "OrderbookDriven", "TradeDriven"),
    *("LiquidationDriven", "ExternalClock", "parquet", "torch"),
    *("write_ob_parquet", "read_ob_parquet", "write_trades_parquet_timestamped"),
    *("read_trades_parquet", "write_liquidations_parquet_timestamped", "read_liquidations_parquet"),
    *("write_funding_parquet_timestamped", "read_funding_parquet", "write_oi_parquet_timestamped"),
    *("read_oi_parquet", "run_data_worker", "run_market_worker", "read_market_worker"),
    *("bybit_markets", "coinbase_markets", "kraken_markets", "market_load", "market_fetch"),
    "multi_sync_workers",
}
"""What its readme and its guide list."""


def functions(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text("utf-8"))) if is_test(node)}


def is_test(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name.startswith("test_")


def test_every_row_of_the_crate_is_a_row_of_the_page():
    listed = {word for row in ROWS for word in re.findall(r"\w+", row[0])}
    assert OF_THE_CRATE - listed == set()


def test_every_row_names_its_proof():
    assert [row for row in ROWS if not re.fullmatch(r"(`[^`]+::test_\w+`(, )?)+", row[2])] == []


@pytest.mark.parametrize("file", sorted(set(re.findall(r"`([\w/]+\.py)::test_", PAGE))))
def test_every_proof_is_a_test_that_there_is(file):
    named = set(re.findall(rf"`{re.escape(file)}::(test_\w+)`", PAGE))
    assert named - functions(TESTS / file) == set()


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(atelier_pipeline(?:\.\w+)+)`", PAGE))))
def test_every_name_can_be_imported(name):
    assert pkgutil.resolve_name(name) is not None


def test_every_example_and_command_exists():
    examples = set(re.findall(r"`(examples/\w+\.py)`", PAGE))
    assert [name for name in examples if not (ROOT / name).exists()] == []
    commands = {c.callback.__name__.replace("_", "-") for c in app.registered_commands}
    assert set(re.findall(r"`atelier ([a-z-]+)", PAGE)) - commands == set()


def test_every_difference_has_a_reason():
    rows = [line.split("|")[1:-1] for line in DIFFERENT.splitlines() if line.startswith("| ")]
    assert len(rows) > 10
    assert [row for row in rows if len(row) != 3 or not all(cell.strip() for cell in row)] == []
