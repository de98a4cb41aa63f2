"""What stored files hold is told per symbol, whole and from the rows themselves."""

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from atelier_pipeline.errors import LakeError
from atelier_pipeline.housekeeping.compact import STAGED
from atelier_pipeline.lake import write_trades_parquet_timestamped
from atelier_pipeline.lake.names import FileKind, find_files
from atelier_pipeline.validate.holdings import Holding, describe, holdings, stored_files
from atelier_pipeline.validate.tables import TABLES
from atelier_pipeline_tests.validate.small_lake import PERIOD_NS, T0, TICKS, SmallLake

PRICED = ("volume", "notional", "vwap", "bought %", "low", "high")


def held(folder: Path) -> dict[str, Holding]:
    found = holdings([describe(path) for path in stored_files(folder)])
    assert {(h.exchange, h.symbol) for h in found} == {("bybit", "BTC/USD")}
    return {holding.table: holding for holding in found}


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> dict[str, Holding]:
    return held(SmallLake().write(tmp_path_factory.mktemp("lake")))


def traded() -> dict[str, float]:
    rows = SmallLake().rows["trades"]
    volume = sum(row["amount"] for row in rows)
    notional = sum(row["amount"] * row["price"] for row in rows)
    bought = sum(row["amount"] for row in rows if row["side"] == "buy")
    values = (volume, notional, notional / volume, 100 * bought / volume, 100.0, 103.0)
    return dict(zip(PRICED, values, strict=True))


FIGURES = {
    "trades": traded(),
    "trades_sync": traded(),
    "liquidations": dict(zip(PRICED, (2.0, 198.0, 99.0, 100.0, 99.0, 99.0), strict=True)),
    "orderbooks": {"messages": 7, "snapshots": 1, "levels a message": 10 / 7},
    "orderbooks_sync": {
        "ticks": 18,
        "mean spread": 2.0,
        "last mid": 100.0,
        "levels a side": 2.0,
    },
    "fundings": {"last rate": 0.0002, "lowest": 0.0002, "highest": 0.0002},
    "fundings_sync": {"last rate": 0.0002, "lowest": 0.0001, "highest": 0.0002},
    "open_interests_sync": {"last contracts": 5010.0, "last value": 501_000.0, "change": 10.0},
    "snapshots": {"valid book %": 90.0, "gap %": 10.0, "filled %": 35.0, "late events": 0},
    "gaps": {"causes": "sequence 1", "lost messages": 1},
    "captures": {
        "windows": 1,
        "events": 13 + 14 + 1 + 2 + 2,
        "rejected": 0,
        "duplicates": 0,
        "latency p50 ms": 20.0,
        "worst p99 ms": 20.0,
    },
}


@pytest.mark.parametrize("table", FIGURES)
def test_the_figures_are_those_of_the_rows(found, table):
    assert found[table].figures == pytest.approx(FIGURES[table])


def test_features_are_summed_up(found):
    rows = SmallLake().rows["aggregates"]
    imbalances = [row["ob_imbalance"] for row in rows if "ob_imbalance" in row]
    assert found["aggregates"].figures == pytest.approx(
        {
            "mean spread": 2.0,
            "mean imbalance": sum(imbalances) / len(imbalances),
            "volume": traded()["volume"],
            "trades": 13,
            "liquidations": 1,
        }
    )


def test_every_table_is_found_once_in_the_order_of_the_catalog(found):
    assert list(found) == list(TABLES)
    assert {holding.files for holding in found.values()} == {1}


def test_opening_rows_count_for_no_window(found):
    rows = {table: holding.rows for table, holding in found.items()}
    small = SmallLake().rows
    assert rows == {
        table: sum(not row.get("opening") or table.endswith("_sync") for row in small[table])
        for table in TABLES
    }


def test_spans_reach_from_the_first_row_to_the_last_end(found):
    end = T0 + TICKS * PERIOD_NS
    spans = {table: (found[table].start_ns, found[table].end_ns) for table in TABLES}
    assert spans["trades"] == (T0 + 40_000_000, T0 + 1_840_000_000)
    assert spans["snapshots"] == spans["aggregates"] == (T0 + PERIOD_NS, end)
    assert spans["gaps"] == (T0 + 1_000_000_000, T0 + 1_240_000_000)
    assert spans["captures"] == (T0, end)


def test_windows_of_two_symbols_are_kept_apart(tmp_path):
    for symbol, t0 in (("BTC/USD", T0), ("BTC/USD", T0 + 60 * 10**9), ("ETH/USD", T0)):
        SmallLake(symbol=symbol, t0=t0).write(tmp_path, ["trades", "orderbooks"])
    found = holdings([describe(path) for path in stored_files(tmp_path)])
    told = [(h.symbol, h.table, h.files, h.rows) for h in found]
    assert told == [
        ("BTC/USD", "trades", 2, 26),
        ("BTC/USD", "orderbooks", 2, 20),
        ("ETH/USD", "trades", 1, 13),
        ("ETH/USD", "orderbooks", 1, 10),
    ]
    assert found[1].figures["messages"] == 14


def test_files_outside_of_a_lake_are_read_by_their_names(tmp_path):
    SmallLake().write(tmp_path / "lake")
    (file,) = find_files(tmp_path / "lake", FileKind.TRADES, "raw")
    loose = tmp_path / "loose"
    loose.mkdir()
    write_trades_parquet_timestamped(
        pq.read_table(file.path).replace_schema_metadata(), loose, "raw"
    )
    shutil.copy(file.path, loose / "notes.parquet")
    assert held(loose)["trades"].figures == pytest.approx(traded())
    assert len(stored_files(loose)) == 1


def test_a_day_that_is_being_compacted_counts_once(tmp_path):
    SmallLake().write(tmp_path, ["trades"])
    (path,) = stored_files(tmp_path)
    shutil.copytree(path.parent, path.parent.with_name(f".{path.parent.name}{STAGED}"))
    assert stored_files(tmp_path) == [path]


def test_a_file_without_rows_has_no_span_and_no_figures(tmp_path):
    SmallLake().damaged("trades", lambda _rows: []).write(tmp_path, ["trades"])
    (holding,) = holdings([describe(path) for path in stored_files(tmp_path)])
    assert (holding.rows, holding.start_ns, holding.end_ns) == (0, None, None)
    assert holding.figures == dict.fromkeys(PRICED)


def test_a_file_of_another_schema_is_refused_before_it_is_read(tmp_path):
    lake = SmallLake()
    path = lake.path(lake.write(tmp_path, ["trades"]), "trades")
    table = pq.read_table(path)
    notes = pq.read_metadata(path).metadata
    pq.write_table(table.drop(["id"]).replace_schema_metadata(notes), path)
    with pytest.raises(LakeError, match=r"missing \['id'\]"):
        describe(path)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(LakeError, match="nowhere is no folder"):
        stored_files(tmp_path / "nowhere")
