"""Damage to market aggregates fails the rules that it breaks, no others, and shows the rows."""

from pathlib import Path
from typing import Any

import pytest

from atelier_pipeline_tests.validate.judging import SYMBOL, change, check_damage, repeat, swap
from atelier_pipeline_tests.validate.small_lake import MS, T0, Damage

NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("table", "damage", "expected"),
    [
        pytest.param("aggregates", swap(8), {"aggregates/sorted": ...}, id="aggregates unsorted"),
        pytest.param(
            "aggregates",
            repeat(19),
            {
                "aggregates/grid_complete": [
                    {
                        "symbol": SYMBOL,
                        "tick_ns": T0 + 2_000 * MS,
                        "table_name": "aggregates",
                        "rows_found": 2,
                        "rows_wanted": 1,
                    }
                ],
            },
            id="a tick twice",
        ),
        pytest.param(
            "aggregates",
            change(19, ts_ns=T0 + 2_001 * MS),
            {"aggregates/grid_complete": ...},
            id="an aggregate off the grid",
        ),
        pytest.param(
            "aggregates",
            change(1, trade_volume=1.6),
            {
                "aggregates/volume_conserved": [
                    {
                        "symbol": SYMBOL,
                        "ts_ns": T0 + 200 * MS,
                        "dataset": "trades",
                        "count_found": 1,
                        "count_wanted": 1,
                        "total_found": 1.6,
                        "total_wanted": 1.5,
                    }
                ]
            },
            id="a volume that nobody traded",
        ),
        pytest.param(
            "aggregates",
            change(7, liq_count=2),
            {"aggregates/volume_conserved": ...},
            id="a liquidation too many",
        ),
        pytest.param(
            "aggregates",
            change(7, liq_notional=NAN),
            {"aggregates/volume_conserved": ...},
            id="a notional that is no number",
        ),
        pytest.param(
            "aggregates",
            change(2, trade_count=None, trade_volume=None),
            {},
            id="nothing: a feed may be away where no trade was seen",
        ),
        pytest.param(
            "aggregates",
            change(2, trade_count=None),
            {"aggregates/volume_conserved": ...},
            id="a volume without a count",
        ),
        pytest.param(
            "aggregates",
            change(1, trade_vwap=101.001),
            {
                "aggregates/vwap_in_range": [
                    {
                        "symbol": SYMBOL,
                        "ts_ns": T0 + 200 * MS,
                        "trade_vwap": 101.001,
                        "lowest": 101.0,
                        "highest": 101.0,
                    }
                ]
            },
            id="a vwap above every price",
        ),
        pytest.param(
            "aggregates",
            change(1, trade_vwap=None),
            {"aggregates/vwap_in_range": ...},
            id="a vwap that is missing",
        ),
        pytest.param(
            "aggregates",
            change(1, trade_vwap=INFINITY),
            {"aggregates/vwap_in_range": ...},
            id="an infinite vwap",
        ),
        pytest.param(
            "aggregates",
            change(0, ob_imbalance=1.01),
            {
                "aggregates/imbalance_in_range": [
                    {
                        "symbol": SYMBOL,
                        "ts_ns": T0 + 100 * MS,
                        "ob_imbalance": 1.01,
                        "liq_imbalance": None,
                        "book_valid": True,
                    }
                ]
            },
            id="an imbalance above 1",
        ),
        pytest.param(
            "aggregates",
            change(7, liq_imbalance=NAN),
            {"aggregates/imbalance_in_range": ...},
            id="an imbalance that is no number",
        ),
        pytest.param(
            "aggregates",
            change(10, ob_imbalance=0.0),
            {"aggregates/imbalance_in_range": ...},
            id="an imbalance of an invalid book",
        ),
        pytest.param(
            "aggregates",
            change(9, oi_change=11.0),
            {
                "aggregates/oi_change_consistent": [
                    {
                        "symbol": SYMBOL,
                        "ts_ns": T0 + 1_000 * MS,
                        "oi_contracts": 5_010.0,
                        "oi_change": 11.0,
                        "last_contracts": 5_000.0,
                    }
                ]
            },
            id="a change of open interest that did not happen",
        ),
        pytest.param(
            "aggregates",
            change(0, oi_change=None),
            {"aggregates/oi_change_consistent": ...},
            id="a first change without the opening state",
        ),
    ],
)
def test_a_rule_names_the_rows_that_offend(
    good_lake: Path, tmp_path: Path, table: str, damage: Damage, expected: dict[str, Any]
) -> None:
    check_damage(good_lake, tmp_path, table, damage, expected)
