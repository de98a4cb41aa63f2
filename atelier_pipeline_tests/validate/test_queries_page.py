"""Every query of docs/queries.md runs through `query` and answers."""

import re
from pathlib import Path

import pyarrow as pa
import pytest

from atelier_pipeline.validate.catalog import build_catalog, printable, query
from atelier_pipeline_tests.validate.small_lake import PERIOD_NS, T0, TICKS, Row, SmallLake

PAGE = Path(__file__).parents[2] / "docs" / "queries.md"
QUERIES = dict(
    re.findall(r"^### (.+?)$.*?```sql\n(.+?)```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two windows of a perpetual with a hole between them, and one window of the spot market."""
    lake = tmp_path_factory.mktemp("queries") / "data" / "lake"
    perpetual = SmallLake(symbol="BTCUSDT", price=200.0)
    perpetual.write(lake)
    SmallLake(symbol="BTCUSDT", price=202.0, t0=T0 + 2 * TICKS * PERIOD_NS).write(lake)
    SmallLake(exchange="coinbase", symbol="BTC-USD", price=199.0).write(lake)
    build_catalog(lake, lake.parent / "atelier.duckdb")
    return lake


def answer(lake: Path, title: str) -> pa.Table:
    sql = QUERIES[title].replace("'data/lake/", f"'{lake}/")
    return printable(query(sql, lake, lake.parent / "atelier.duckdb"))


def test_the_page_has_many_queries() -> None:
    assert len(QUERIES) >= 12
    assert len(QUERIES) == PAGE.read_text("utf-8").count("```sql")


@pytest.mark.parametrize("title", QUERIES)
def test_a_query_answers_with_known_values(lake: Path, title: str) -> None:
    rows = answer(lake, title)
    assert rows.num_rows > 0
    assert [name for name in rows.column_names if rows[name].null_count == rows.num_rows] == []


BTCUSDT = {"exchange": "bybit", "symbol": "BTCUSDT"}


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        (
            "Holes between windows",
            BTCUSDT
            | {
                "dataset": "fundings",
                "hole_from": "2026-02-26 15:00:02.000000000",
                "hole_to": "2026-02-26 15:00:04.000000000",
                "seconds": 2.0,
            },
        ),
        (
            "Losses by cause",
            BTCUSDT
            | {
                "dataset": "orderbooks",
                "cause": "sequence",
                "losses": 2,
                "lost_messages": 2,
                "seconds": 0.48,
                "latest": "2026-02-26 15:00:05.000000000",
            },
        ),
        (
            "Ticks and the losses that touch them",
            BTCUSDT
            | {
                "dataset": "orderbooks",
                "cause": "sequence",
                "ts_start": "2026-02-26 15:00:01.000000000",
                "ts_end": "2026-02-26 15:00:01.240000000",
                "ticks": 3,
                "without_book": 2,
                "first_tick": T0 + 11 * PERIOD_NS,
                "last_tick": T0 + 13 * PERIOD_NS,
            },
        ),
        (
            "OHLCV bars of a minute",
            BTCUSDT
            | {
                "bar": "2026-02-26 15:00:00.000000000",
                "open": 200.0,
                "high": 205.0,
                "low": 200.0,
                "close": 202.0,
                "volume": 25.0,
                "vwap": 202.68,
                "trades": 26,
            },
        ),
        (
            "Each trade against the last market before it",
            BTCUSDT
            | {
                "ts_event": "2026-02-26 15:00:00.190000000",
                "side": "buy",
                "price": 201.0,
                "amount": 1.5,
                "mid": 200.0,
                "effective_spread_bp": 100.0,
            },
        ),
        (
            "Each trade against the book before it",
            BTCUSDT
            | {
                "ts_event": "2026-02-26 15:00:00.190000000",
                "side": "buy",
                "price": 201.0,
                "bid": 199.0,
                "ask": 201.0,
                "bid_size": 6.0,
                "ask_size": 3.0,
                "book_age_ms": 220.0,
            },
        ),
        (
            "Liquidations and what they did to the price",
            BTCUSDT
            | {
                "ts_event": "2026-02-26 15:00:04.730000000",
                "side": "buy",
                "notional": 402.0,
                "mid_before": 202.0,
                "mid_a_second_later": 202.0,
            },
        ),
    ],
)
def test_the_first_row_of_an_answer_is_as_computed_by_hand(
    lake: Path, title: str, expected: Row
) -> None:
    [first] = answer(lake, title).slice(0, 1).to_pylist()
    rounded = {k: round(v, 9) if isinstance(v, float) else v for k, v in first.items()}
    assert rounded == expected
