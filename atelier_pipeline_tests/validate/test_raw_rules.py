"""Damage to raw files fails the rules that it breaks, no others, and shows the rows."""

from pathlib import Path
from typing import Any

import pytest

from atelier_pipeline_tests.validate.judging import SYMBOL, change, check_damage, repeat, swap
from atelier_pipeline_tests.validate.small_lake import MS, T0, Damage

NAN = float("nan")


@pytest.mark.parametrize(
    ("table", "damage", "expected"),
    [
        pytest.param(
            "trades",
            swap(4),
            {
                "raw/sorted": [
                    {
                        "table_name": "trades",
                        "symbol": SYMBOL,
                        "row_number": 5,
                        "time_ns": T0 + 640 * MS,
                    }
                ]
            },
            id="trades out of order",
        ),
        pytest.param(
            "trades",
            lambda rows: [row | {"ts_event": rows[0]["ts_event"]} for row in reversed(rows)][:2],
            {
                "raw/sorted": [
                    {
                        "table_name": "trades",
                        "symbol": SYMBOL,
                        "row_number": 1,
                        "time_ns": T0 + 40 * MS,
                    }
                ],
                "sync/trades_conserved": ...,
            },
            id="trades of one instant in the wrong order of receiving",
        ),
        pytest.param(
            "orderbooks",
            swap(4),
            {
                "raw/sorted": [
                    {
                        "table_name": "orderbooks",
                        "symbol": SYMBOL,
                        "row_number": 5,
                        "time_ns": T0 + 240 * MS,
                    }
                ]
            },
            id="book messages out of order",
        ),
        pytest.param(
            "orderbooks",
            lambda rows: [*rows[2:4], *rows[:2], *rows[4:]],
            {
                "raw/sorted": [
                    {
                        "table_name": "orderbooks",
                        "symbol": SYMBOL,
                        "row_number": 2,
                        "time_ns": T0 - 30 * MS,
                    }
                ]
            },
            id="asks before bids in one book message",
        ),
        pytest.param(
            "orderbooks",
            change(5, level=0),
            {
                "raw/sorted": [
                    {
                        "table_name": "orderbooks",
                        "symbol": SYMBOL,
                        "row_number": 5,
                        "time_ns": T0 + 490 * MS,
                    }
                ]
            },
            id="a level on a delta",
        ),
        pytest.param(
            "trades",
            repeat(3),
            {
                "raw/unique_trade_ids": [
                    {
                        "symbol": SYMBOL,
                        "id": "903",
                        "copies": 2,
                        "first_event": "2026-02-26 15:00:00.490000000",
                        "last_event": "2026-02-26 15:00:00.490000000",
                    }
                ],
                "sync/trades_conserved": ...,
            },
            id="a trade id that comes twice",
        ),
        pytest.param(
            "trades",
            change(1, id=""),
            {"raw/unique_trade_ids": ..., "sync/trades_conserved": ...},
            id="an empty trade id",
        ),
        pytest.param(
            "liquidations",
            change(0, amount=0.0),
            {
                "raw/positive_price_size": [
                    {
                        "table_name": "liquidations",
                        "symbol": SYMBOL,
                        "ts_event": "2026-02-26 15:00:00.730000000",
                        "side": "buy",
                        "price": 99.0,
                        "size": 0.0,
                    }
                ]
            },
            id="a liquidation of nothing",
        ),
        pytest.param(
            "liquidations",
            change(0, price=NAN),
            {"raw/positive_price_size": ...},
            id="a price that is no number",
        ),
        pytest.param(
            "orderbooks",
            change(4, price=-1.0),
            {"raw/positive_price_size": ...},
            id="a negative price in a delta",
        ),
        pytest.param(
            "orderbooks",
            change(0, size=0.0),
            {"raw/positive_price_size": ...},
            id="an opening book with an empty level",
        ),
        pytest.param("orderbooks", change(4, size=0.0), {}, id="nothing: a delta may delete"),
        pytest.param(
            "orderbooks",
            change(4, side=None, price=None, size=None),
            {},
            id="nothing: a message may have no levels",
        ),
        pytest.param(
            "orderbooks",
            lambda rows: [*rows[:8], rows[8] | dict.fromkeys(("side", "level", "price", "size"))],
            {},
            id="nothing: a snapshot may be empty",
        ),
        pytest.param(
            "orderbooks",
            change(4, price=None),
            {"raw/positive_price_size": ...},
            id="a size without a price",
        ),
        pytest.param(
            "fundings",
            change(1, funding_rate=0.06),
            {
                "raw/funding_sane": [
                    {
                        "symbol": SYMBOL,
                        "ts_event": "2026-02-26 15:00:00.620000000",
                        "funding_rate": 0.06,
                        "next_funding_ts": T0 // MS + 3_600_000,
                        "interval_hours": 8.0,
                    }
                ]
            },
            id="a funding rate of 6 percent",
        ),
        pytest.param(
            "fundings",
            change(1, next_funding_ts=T0 // MS - 61_000),
            {"raw/funding_sane": ...},
            id="a settlement in the past",
        ),
        pytest.param(
            "fundings",
            change(1, next_funding_ts=T0 // MS + 9 * 3_600_000),
            {"raw/funding_sane": ...},
            id="a settlement after the next one",
        ),
        pytest.param(
            "fundings", change(1, interval_hours=0.0), {"raw/funding_sane": ...}, id="no interval"
        ),
        pytest.param(
            "fundings",
            change(1, next_funding_ts=None, interval_hours=None),
            {},
            id="nothing: a settlement may be unknown",
        ),
        pytest.param(
            "captures",
            change(0, reconnects=2),
            {
                "raw/gaps_cover_disconnects": [
                    {
                        "symbol": SYMBOL,
                        "dataset": "trades",
                        "problem": "reconnected without a gap",
                        "reconnects": 2,
                        "opened_at": "2026-02-26 14:59:55.000000000",
                        "closed_at": "2026-02-26 15:00:02.020000000",
                    }
                ]
            },
            id="a reconnect that gaps don't know",
        ),
        pytest.param(
            "captures",
            change(1, opened_at=T0 + 1),
            {"raw/gaps_cover_disconnects": ...},
            id="a late capture that gaps don't know",
        ),
        pytest.param(
            "captures",
            change(0, closed_at=None),
            {"raw/gaps_cover_disconnects": ...},
            id="a capture that never closed",
        ),
        pytest.param(
            "captures",
            change(2, clock_offset_ns=-501 * MS),
            {
                "raw/clock_offset": [
                    {
                        "symbol": SYMBOL,
                        "dataset": "liquidations",
                        "clock_offset_ns": -501 * MS,
                        "latency_p50_ns": 20 * MS,
                    }
                ]
            },
            id="a clock half a second behind",
        ),
        pytest.param(
            "captures",
            lambda rows: [row | {"clock_offset_ns": 501 * MS} for row in rows],
            {"raw/clock_offset": ...},
            id="a clock half a second ahead",
        ),
        pytest.param(
            "captures",
            change(2, clock_offset_ns=900 * MS),
            {},
            id="nothing: a slow feed is no slow clock",
        ),
    ],
)
def test_a_rule_names_the_rows_that_offend(
    good_lake: Path, tmp_path: Path, table: str, damage: Damage, expected: dict[str, Any]
) -> None:
    check_damage(good_lake, tmp_path, table, damage, expected)
