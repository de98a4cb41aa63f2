"""Rules as a whole: what they need, what they make of missing and damaged files, their settings."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from atelier_pipeline.validate import rules
from atelier_pipeline.validate.catalog import memory_connection
from atelier_pipeline.validate.rule import Severity, Stage
from atelier_pipeline.validate.rules import (
    RULES,
    SAMPLE_ROWS,
    WindowFiles,
    check_files,
    rules_of,
    run_rule,
)
from atelier_pipeline_tests.validate.judging import (
    SYMBOL,
    change,
    drop,
    failed,
    found,
    repeat,
    swap,
)
from atelier_pipeline_tests.validate.small_lake import MS, T0, Row, SmallLake, window


def test_every_rule_passes_on_a_good_lake(tmp_path: Path) -> None:
    SmallLake().write(tmp_path)
    SmallLake(symbol="ETHUSDT", price=7.0).write(tmp_path)
    findings = found(tmp_path, SYMBOL, "ETHUSDT")
    assert len(findings) == len(RULES)
    for finding in findings.values():
        assert (finding.passed, finding.offending, finding.sample.num_rows) == (True, 0, 0)


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


def test_a_database_that_ended_is_opened_anew(tmp_path: Path, monkeypatch: Any) -> None:
    @cache
    def ended(_process: int) -> Any:
        database = memory_connection()
        database.close()
        return database

    monkeypatch.setattr(rules, "_database", ended)
    SmallLake().write(tmp_path)
    assert failed(tmp_path) == {}


def test_windows_judged_at_once_see_their_own_files_alone(tmp_path: Path) -> None:
    symbols = [f"S{number}USDT" for number in range(4)]
    for symbol in symbols:
        SmallLake(symbol=symbol).damaged("trades", drop(int(symbol[1]))).write(tmp_path)
    with ThreadPoolExecutor(len(symbols)) as pool:
        at_once = list(pool.map(partial(failed, tmp_path), symbols))
    assert at_once == [failed(tmp_path, symbol) for symbol in symbols]
    assert [found["sync/trades_conserved"][0]["id"] for found in at_once] == [
        str(900 + number) for number in range(4)
    ]


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
        "seam_proved",
    }
