"""Damage to sync files fails the rules that it breaks, no others, and shows the rows."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from atelier_pipeline.validate.rule import Stage
from atelier_pipeline.validate.rules import rules_of, run_rule
from atelier_pipeline_tests.validate.judging import SYMBOL, change, check_damage, drop, repeat, swap
from atelier_pipeline_tests.validate.small_lake import MS, T0, Damage, SmallLake, window

TIMES = {"ts_event": "2026-02-26 15:00:00.190000000", "ts_recv": "2026-02-26 15:00:00.210000000"}
BOOK_TICK = "2026-02-26 15:00:00.100000000"
TRADE = {
    "symbol": SYMBOL,
    "id": "901",
    "side": "buy",
    "price": 101.0,
    "amount": 1.5,
    **TIMES,
    "tick_ns": T0 + 200 * MS,
}


@pytest.mark.parametrize(
    ("table", "damage", "expected"),
    [
        pytest.param(
            "open_interests_sync",
            change(0, open_interest=-1.0),
            {"sync/positive_price_size": ...},
            id="negative open interest",
        ),
        pytest.param(
            "trades_sync",
            swap(4),
            {
                "sync/sorted": [
                    {
                        "table_name": "trades_sync",
                        "symbol": SYMBOL,
                        "row_number": 5,
                        "time_ns": T0 + 640 * MS,
                    }
                ]
            },
            id="sync trades out of order",
        ),
        pytest.param(
            "trades_sync",
            lambda rows: [*rows, rows[-1] | {"ts_recv": rows[-1]["ts_recv"] - 1}],
            {
                "sync/sorted": ...,
                "sync/trades_conserved": ...,
                "aggregates/volume_conserved": ...,
            },
            id="sync trades of one instant in the wrong order of receiving",
        ),
        pytest.param("fundings_sync", swap(8), {"sync/sorted": ...}, id="states out of order"),
        pytest.param("snapshots", swap(8), {"sync/sorted": ...}, id="snapshots out of order"),
        pytest.param(
            "orderbooks_sync",
            change(1, price=99.5),
            {
                "sync/sorted": [
                    {
                        "table_name": "orderbooks_sync",
                        "symbol": SYMBOL,
                        "row_number": 1,
                        "time_ns": T0 + 100 * MS,
                    }
                ]
            },
            id="a second bid above the best",
        ),
        pytest.param(
            "orderbooks_sync",
            change(3, level=2),
            {"sync/sorted": ...},
            id="a level that is left out",
        ),
        pytest.param(
            "orderbooks_sync",
            lambda rows: [*rows[2:4], *rows[:2], *rows[4:]],
            {"sync/sorted": ...},
            id="asks before bids at a tick",
        ),
        pytest.param(
            "orderbooks_sync",
            change(0, price=101.0),
            {
                "sync/book_uncrossed": [
                    {"symbol": SYMBOL, "grid_ts": BOOK_TICK, "best_bid": 101.0, "best_ask": 101.0}
                ]
            },
            id="a crossed book",
        ),
        pytest.param(
            "orderbooks_sync",
            change(0, size=0.0),
            {"sync/positive_price_size": ...},
            id="an empty level at a tick",
        ),
        pytest.param(
            "gaps",
            lambda rows: [rows[0] | {"cause": "silence"}],
            {
                "sync/book_valid_share": [
                    {"symbol": SYMBOL, "ticks": 20, "valid": 18, "valid_share": 0.9}
                ]
            },
            id="invalid books without a loss",
        ),
        pytest.param(
            "snapshots",
            drop(5),
            {
                "sync/grid_complete": [
                    {
                        "symbol": SYMBOL,
                        "tick_ns": T0 + 600 * MS,
                        "table_name": "orderbooks_sync",
                        "rows_found": 4,
                        "rows_wanted": 0,
                    },
                    {
                        "symbol": SYMBOL,
                        "tick_ns": T0 + 600 * MS,
                        "table_name": "snapshots",
                        "rows_found": 0,
                        "rows_wanted": 1,
                    },
                ]
            },
            id="a tick without a snapshot",
        ),
        pytest.param(
            "orderbooks_sync",
            drop(7),
            {
                "sync/grid_complete": [
                    {
                        "symbol": SYMBOL,
                        "tick_ns": T0 + 200 * MS,
                        "table_name": "orderbooks_sync",
                        "rows_found": 3,
                        "rows_wanted": 4,
                    }
                ]
            },
            id="a book that lost a level",
        ),
        pytest.param(
            "fundings_sync", repeat(5), {"sync/grid_complete": ...}, id="two states at one tick"
        ),
        pytest.param(
            "open_interests_sync",
            change(19, grid_ts=T0 + 2_100 * MS),
            {"sync/grid_complete": ...},
            id="a state after the window",
        ),
        pytest.param(
            "trades_sync",
            drop(1),
            {
                "sync/trades_conserved": [{"problem": "missing from sync", **TRADE}],
                "aggregates/volume_conserved": [
                    {
                        "symbol": SYMBOL,
                        "ts_ns": T0 + 200 * MS,
                        "dataset": "trades",
                        "count_found": 1,
                        "count_wanted": None,
                        "total_found": 1.5,
                        "total_wanted": None,
                    }
                ],
                "aggregates/vwap_in_range": [
                    {
                        "symbol": SYMBOL,
                        "ts_ns": T0 + 200 * MS,
                        "trade_vwap": 101.0,
                        "lowest": None,
                        "highest": None,
                    }
                ],
            },
            id="a trade that sync lost",
        ),
        *(
            pytest.param(
                table,
                drop(12),
                {
                    "sync/trades_conserved": ...,
                    **dict.fromkeys(also, ...),
                },
                id=f"the last trade is not in {table}",
            )
            for table, also in (
                ("trades", ()),
                ("trades_sync", ("aggregates/volume_conserved", "aggregates/vwap_in_range")),
            )
        ),
        pytest.param(
            "trades_sync",
            change(1, price=101.5),
            {
                "sync/trades_conserved": [
                    {"problem": "missing from sync", **TRADE},
                    {"problem": "not in raw", **TRADE, "price": 101.5},
                ],
                "aggregates/vwap_in_range": ...,
            },
            id="a trade that sync changed",
        ),
        pytest.param(
            "trades_sync",
            change(1, grid_ts=T0 + 100 * MS),
            {
                "sync/trades_conserved": [
                    {"problem": "missing from sync", **TRADE},
                    {"problem": "not in raw", **TRADE, "tick_ns": T0 + 100 * MS},
                ],
                "aggregates/volume_conserved": ...,
                "aggregates/vwap_in_range": ...,
            },
            id="a trade seen before it happened",
        ),
    ],
)
def test_a_rule_names_the_rows_that_offend(
    good_lake: Path, tmp_path: Path, table: str, damage: Damage, expected: dict[str, Any]
) -> None:
    check_damage(good_lake, tmp_path, table, damage, expected)


def test_trades_that_stand_side_by_side_are_compared_no_further(good_lake: Path) -> None:
    [rule] = [rule for rule in rules_of(Stage.SYNC) if rule.name == "trades_conserved"]
    asked = replace(rule, query="SELECT error('asked')")
    assert run_rule(asked, good_lake, "bybit", [SYMBOL], window()).passed


def test_where_every_book_is_valid_their_share_is_not_counted(tmp_path: Path) -> None:
    [rule] = [rule for rule in rules_of(Stage.SYNC) if rule.name == "book_valid_share"]
    asked = replace(rule, query="SELECT error('asked')")
    lake = SmallLake().damaged("snapshots", lambda rows: [r | {"book_valid": True} for r in rows])
    lake.write(tmp_path)
    assert run_rule(asked, tmp_path, "bybit", [SYMBOL], window()).passed
