"""Each rule passes on a good lake and names the rows that offend on a damaged one."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from atelier_pipeline.validate.rule import Finding, Limits, Severity, Stage
from atelier_pipeline.validate.rules import (
    RULES,
    SAMPLE_ROWS,
    WindowFiles,
    check_files,
    rules_of,
    run_rule,
)
from atelier_pipeline_tests.validate.small_lake import MS, T0, Row, SmallLake, window

SYMBOL = "BTC/USD"
NAN, INFINITY = float("nan"), float("inf")


def found(lake: Path, *symbols: str, **limits: Any) -> dict[str, Finding]:
    files = WindowFiles(lake, "bybit", symbols or (SYMBOL,), window())
    findings = check_files(files, Limits(**limits))
    return {f"{finding.stage}/{finding.rule}": finding for finding in findings}


def failed(lake: Path, *symbols: str, **limits: Any) -> dict[str, list[Row]]:
    return {
        name: finding.sample.to_pylist()
        for name, finding in found(lake, *symbols, **limits).items()
        if not finding.passed
    }


def change(row: int, **values: Any) -> Callable[[list[Row]], list[Row]]:
    return lambda rows: [old | values if i == row else old for i, old in enumerate(rows)]


def drop(row: int) -> Callable[[list[Row]], list[Row]]:
    return lambda rows: rows[:row] + rows[row + 1 :]


def repeat(row: int) -> Callable[[list[Row]], list[Row]]:
    return lambda rows: rows[: row + 1] + rows[row:]


def swap(row: int) -> Callable[[list[Row]], list[Row]]:
    return lambda rows: [*rows[:row], rows[row + 1], rows[row], *rows[row + 2 :]]


@pytest.fixture(scope="module")
def good_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return SmallLake().write(tmp_path_factory.mktemp("rules") / "lake")


def test_every_rule_passes_on_a_good_lake(tmp_path: Path) -> None:
    SmallLake().write(tmp_path)
    SmallLake(symbol="ETHUSDT", price=7.0).write(tmp_path)
    findings = found(tmp_path, SYMBOL, "ETHUSDT")
    assert len(findings) == len(RULES)
    for finding in findings.values():
        assert (finding.passed, finding.offending, finding.sample.num_rows) == (True, 0, 0)


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
            "open_interests_sync",
            change(0, open_interest=-1.0),
            {"sync/positive_price_size": ...},
            id="negative open interest",
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
        pytest.param("aggregates", swap(8), {"aggregates/sorted": ...}, id="aggregates unsorted"),
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
    good_lake: Path, tmp_path: Path, table: str, damage: Any, expected: dict[str, Any]
) -> None:
    lake = shutil.copytree(good_lake, tmp_path / "lake")
    SmallLake().damaged(table, damage).write(lake, [table])
    failures = failed(lake)
    assert set(failures) == set(expected)
    for name, rows in expected.items():
        assert rows is ... or failures[name] == rows


def test_a_missing_file_fails_the_schema_where_its_data_was_captured(tmp_path: Path) -> None:
    lake = SmallLake()
    lake.write(tmp_path)
    for name in ("liquidations", "fundings_sync", "aggregates"):
        lake.path(tmp_path, name).unlink()
    failures = failed(tmp_path)
    for stage, name in (
        ("raw", "liquidations"),
        ("sync", "fundings_sync"),
        ("aggregates", "aggregates"),
    ):
        assert failures[f"{stage}/schema"] == [
            {
                "path": str(lake.path(tmp_path, name)),
                "column_name": "",
                "problem": "the file is missing",
            }
        ]


def test_a_dataset_that_was_not_captured_needs_no_file(tmp_path: Path) -> None:
    lake = SmallLake()
    lake.damaged("captures", lambda rows: [r for r in rows if r["dataset"] != "liquidations"])
    lake.damaged("liquidations_sync", lambda _: [])
    lake.damaged("aggregates", change(7, liq_count=None, liq_notional=None, liq_imbalance=None))
    lake.write(tmp_path)
    lake.path(tmp_path, "liquidations").unlink()
    lake.path(tmp_path, "liquidations_sync").unlink()
    assert failed(tmp_path) == {}


def test_a_window_without_any_file_fails(tmp_path: Path) -> None:
    failures = failed(tmp_path)
    assert [row["problem"] for row in failures["raw/schema"]] == ["the file is missing"] * 2
    assert found(tmp_path)["sync/grid_complete"].offending == 20
    assert found(tmp_path)["aggregates/grid_complete"].offending == 20


def replaced(tmp_path: Path, name: str, table: pa.Table) -> dict[str, list[Row]]:
    lake = SmallLake()
    lake.write(tmp_path)
    lake.replace(tmp_path, name, table)
    return failed(tmp_path)


def test_the_schema_names_each_column_that_differs(tmp_path: Path) -> None:
    trades = SmallLake().table("trades")
    as_float = trades.column("trade_ts").cast(pa.float64())
    other = trades.set_column(0, "trade_ts", as_float).append_column("extra", as_float)
    failures = replaced(tmp_path, "trades", other)
    path = str(SmallLake().path(tmp_path, "trades"))
    assert failures == {
        "raw/schema": [
            {
                "path": path,
                "column_name": "extra",
                "problem": "column 9 is extra DOUBLE, not expected at all",
            },
            {
                "path": path,
                "column_name": "trade_ts",
                "problem": "column 0 is trade_ts DOUBLE, not trade_ts UBIGINT",
            },
        ]
    }


def test_a_missing_column_fails_the_schema_and_what_needs_it(tmp_path: Path) -> None:
    failures = replaced(tmp_path, "trades", SmallLake().table("trades").drop_columns(["id"]))
    assert "column 6 is ts_event TIMESTAMPTZ_NS, not id VARCHAR" in [
        row["problem"] for row in failures["raw/schema"]
    ]
    [unique] = failures["raw/unique_trade_ids"]
    assert unique["problem"].startswith("could not be judged: ")
    assert '"id"' in unique["problem"]


def test_a_null_where_a_value_is_always_known_fails_the_schema(tmp_path: Path) -> None:
    SmallLake().damaged("trades", change(2, side=None)).write(tmp_path)
    assert failed(tmp_path)["raw/schema"] == [
        {
            "path": str(SmallLake().path(tmp_path, "trades")),
            "column_name": "side",
            "problem": "1 nulls in a column that is always known",
        }
    ]


def test_rows_of_another_symbol_fail_the_schema(tmp_path: Path) -> None:
    SmallLake().damaged("liquidations", change(0, symbol="ETHUSDT")).write(tmp_path)
    assert failed(tmp_path)["raw/schema"] == [
        {
            "path": str(SmallLake().path(tmp_path, "liquidations")),
            "column_name": "symbol",
            "problem": "rows of ETHUSDT to ETHUSDT in the file of BTC/USD",
        }
    ]


def test_a_damaged_file_fails_the_rules_that_need_it_with_the_reason(tmp_path: Path) -> None:
    lake = SmallLake()
    lake.write(tmp_path)
    lake.path(tmp_path, "aggregates").write_bytes(b"PAR1 torn")
    failures = failed(tmp_path)
    assert set(failures) == {f"aggregates/{rule.name}" for rule in rules_of(Stage.AGGREGATES)}
    for rows in failures.values():
        assert len(rows) == 1
        assert rows[0]["problem"].startswith("could not be judged: ")


def test_a_book_is_not_missed_before_its_first_message(tmp_path: Path) -> None:
    lake = SmallLake()
    lake.damaged("orderbooks", lambda rows: [row for row in rows if row["message"] >= 5])
    lake.damaged("orderbooks", change(4, ts_event=T0 + 1_190 * MS))
    lake.damaged(
        "orderbooks_sync", lambda rows: [r for r in rows if r["grid_ts"] > T0 + 1_240 * MS]
    )
    unknown = {"bid_levels": None, "ask_levels": None, "book_age_ns": None, "book_valid": False}
    lake.damaged("snapshots", lambda rows: [*(row | unknown for row in rows[:12]), *rows[12:]])
    lake.damaged("aggregates", lambda rows: [r | {"ob_imbalance": None} | unknown for r in rows])
    lake.damaged("gaps", lambda _: [])
    lake.write(tmp_path)
    assert failed(tmp_path) == {}


def test_a_book_without_any_message_is_missed(tmp_path: Path) -> None:
    SmallLake().damaged("orderbooks", lambda _: []).damaged(
        "snapshots", lambda rows: [row | {"book_valid": False} for row in rows]
    ).write(tmp_path)
    [row] = failed(tmp_path)["sync/book_valid_share"]
    assert row == {"symbol": SYMBOL, "ticks": 17, "valid": 0, "valid_share": 0.0}


def test_one_symbol_that_offends_is_found_among_others(tmp_path: Path) -> None:
    SmallLake().write(tmp_path)
    SmallLake(symbol="ETHUSDT").damaged("trades", swap(4)).write(tmp_path)
    assert {row["symbol"] for row in failed(tmp_path, SYMBOL, "ETHUSDT")["raw/sorted"]} == {
        "ETHUSDT"
    }


def test_a_recorded_break_covers_its_reconnect(tmp_path: Path) -> None:
    lake = SmallLake()
    lake.damaged("captures", change(1, reconnects=1))
    lake.damaged("gaps", lambda rows: [rows[0] | {"cause": "disconnect"}])
    lake.write(tmp_path)
    assert failed(tmp_path) == {}


def test_recorded_losses_cover_a_late_start_and_an_early_end(tmp_path: Path) -> None:
    lake = SmallLake()
    lake.damaged("captures", change(1, opened_at=T0 + 5, closed_at=T0 + 1_900 * MS))
    lake.damaged(
        "gaps",
        lambda rows: [
            *rows,
            rows[0] | {"cause": "late_start", "ts_start": T0, "ts_end": T0 + 6},
            rows[0] | {"cause": "shutdown", "ts_start": T0 + 1_900 * MS, "ts_end": T0 + 2_000 * MS},
        ],
    )
    lake.write(tmp_path)
    assert failed(tmp_path) == {}


def test_the_receive_clock_places_trades_by_the_time_they_were_received(tmp_path: Path) -> None:
    lake = SmallLake()
    lake.damaged(
        "trades_sync",
        lambda rows: [
            row | {"grid_ts": (row["ts_recv"] // (100 * MS) + 1) * 100 * MS} for row in rows
        ],
    )
    lake.write(tmp_path)
    assert "sync/trades_conserved" in failed(tmp_path)
    assert "sync/trades_conserved" not in failed(tmp_path, clock="receive")


def test_the_grid_follows_the_period(tmp_path: Path) -> None:
    SmallLake().write(tmp_path)
    finding = found(tmp_path, period_ns=50 * MS)["aggregates/grid_complete"]
    assert finding.offending == 20
    assert finding.sample.num_rows == SAMPLE_ROWS


def test_one_rule_alone_finds_what_it_finds_among_all(tmp_path: Path) -> None:
    SmallLake().damaged("trades", repeat(3)).write(tmp_path)
    together = found(tmp_path)
    for rule in RULES:
        alone = run_rule(rule, tmp_path, "bybit", [SYMBOL], window())
        assert alone == together[f"{rule.stage}/{rule.name}"]


def test_a_stage_has_its_own_rules_alone(tmp_path: Path) -> None:
    SmallLake().write(tmp_path)
    files = WindowFiles(tmp_path, "bybit", (SYMBOL,), window())
    for stage in Stage:
        names = [finding.rule for finding in check_files(files, stage=stage)]
        assert names == [rule.name for rule in rules_of(stage)]
        assert len(set(names)) == len(names)


def test_paths_are_never_sql_or_patterns(tmp_path: Path) -> None:
    lake = tmp_path / "it's [a] *lake?"
    SmallLake().write(lake)
    (tmp_path / "it's a xlakey").mkdir()
    assert failed(lake) == {}


def test_errors_block_and_warnings_do_not() -> None:
    assert {rule.name for rule in RULES if rule.severity is Severity.WARN} == {
        "book_valid_share",
        "clock_offset",
        "funding_sane",
        "gaps_cover_disconnects",
    }
