"""A materialisation carries what a person looks for."""

from pathlib import Path

import dagster as dg
import pytest

from atelier_pipeline.lake.names import FileKind, Mode
from atelier_pipeline.lake.writer import Written
from atelier_pipeline.manifest import Collector, parse_collector
from atelier_pipeline.orchestration.ledger import Ledger
from atelier_pipeline.orchestration.metadata import SAMPLE_ROWS, columns_of, described
from atelier_pipeline_tests.validate.small_lake import T0, SmallLake, window

SECOND = 1_000_000_000
MANIFEST = """
[collect]
exchange = "kraken"
[collect.datatypes]
orderbook = { enabled = true, depth = 10 }
trades = { enabled = true }
[[workers]]
symbol = "BTC/USD"
"""


@pytest.fixture
def small(tmp_path: Path) -> tuple[SmallLake, Path]:
    lake = SmallLake(exchange="kraken")
    return lake, lake.write(tmp_path / "lake")


def collector() -> Collector:
    return parse_collector("kraken", MANIFEST, "kraken.toml")


def written(small: tuple[SmallLake, Path], *names: str) -> list[Written]:
    lake, root = small
    paths = [(name, lake.path(root, name)) for name in names]
    return [Written(path, len(lake.rows[name]), path.stat().st_size, "abc") for name, path in paths]


def test_a_ledger_holds_the_losses_and_captures_of_the_window(small: tuple[SmallLake, Path]):
    lake, root = small
    ledger = Ledger.read(root, collector(), window())
    assert ledger.gaps == lake.table("gaps")
    assert ledger.captures == lake.table("captures")
    assert ledger.causes() == {"sequence": 1}


def test_a_window_without_files_has_an_empty_ledger(tmp_path: Path):
    ledger = Ledger.read(tmp_path, collector(), window())
    assert (ledger.gaps.num_rows, ledger.captures.num_rows) == (0, 0)
    assert ledger.causes() == {}
    assert ledger.total("verified") == 0
    assert ledger.largest("latency_p50_ns") is None


def test_raw_files_are_described_by_size_span_losses_and_reception(small: tuple[SmallLake, Path]):
    files = written(small, "trades", "orderbooks", "gaps", "captures")
    ledger = Ledger.read(small[1], collector(), window())
    metadata = described(FileKind.ORDERBOOKS, Mode.RAW, files, ledger)
    tables = {name: metadata.pop(name) for name in ("sample", "written")}
    plot = metadata.pop("BTC-USD: level changes per second")
    assert isinstance(metadata.pop("BTC-USD: latency"), dg.MarkdownMetadataValue)
    assert {name: value.value for name, value in metadata.items()} == {
        "rows": 14,
        "bytes": files[1].bytes,
        "files": 1,
        "first": T0 / SECOND - 0.03,
        "last": T0 / SECOND + 1.74,
        "events per second": 7.0,
        "losses": 1,
        "losses by cause": "1 sequence",
        "latency p50 (ms)": 20.0,
        "latency p99 (ms)": 20.0,
        "clock offset (ms)": 3.0,
        "verified": 0,
        "rejected": 0,
        "duplicates": 0,
        "reconnects": 0,
    }
    assert isinstance(plot, dg.MarkdownMetadataValue)
    written_table = tables["written"]
    assert isinstance(written_table, dg.TableMetadataValue)
    assert [record.data for record in written_table.records] == [
        {
            "path": str(files[1].path),
            "rows": 14,
            "bytes": files[1].bytes,
            "content_hash": "abc",
        }
    ]


def test_a_sample_shows_rows_as_they_are_with_times_to_the_nanosecond(
    small: tuple[SmallLake, Path],
):
    files = written(small, "orderbooks")
    ledger = Ledger.read(small[1], collector(), window())
    sample = described(FileKind.ORDERBOOKS, Mode.RAW, files, ledger)["sample"]
    assert isinstance(sample, dg.TableMetadataValue)
    assert [column.name for column in sample.schema.columns] == (
        FileKind.ORDERBOOKS.schema(Mode.RAW).names
    )
    assert len(sample.records) == SAMPLE_ROWS
    assert sample.records[0].data == {
        "orderbook_ts": str(T0 + 240_000_000),
        "symbol": "BTC/USD",
        "exchange": "kraken",
        "side": "bid",
        "level": "",
        "price": 98.0,
        "size": 5.0,
        "ts_event": "2026-02-26 15:00:00.240000000Z",
        "ts_recv": "2026-02-26 15:00:00.260000000Z",
        "message": 1,
        "update_id": 701,
        "is_snapshot": False,
        "opening": False,
    }


def test_a_dataset_shows_its_own_losses_and_a_stage_all_of_them(small: tuple[SmallLake, Path]):
    ledger = Ledger.read(small[1], collector(), window())
    trades = described(FileKind.TRADES, Mode.SYNC, written(small, "trades_sync"), ledger)
    snapshots = described(FileKind.SNAPSHOTS, Mode.SYNC, written(small, "snapshots"), ledger)
    assert (trades["losses"].value, snapshots["losses"].value) == (0, 1)
    assert "latency p50 (ms)" not in snapshots


def test_a_dataset_that_the_exchange_does_not_offer_has_no_files(small: tuple[SmallLake, Path]):
    ledger = Ledger.read(small[1], collector(), window())
    metadata = described(FileKind.LIQUIDATIONS, Mode.SYNC, written(small, "trades_sync"), ledger)
    assert {name: value.value for name, value in metadata.items()} == {
        "rows": 0,
        "bytes": 0,
        "files": 0,
        "losses": 0,
    }


def test_aggregates_show_mid_price_spread_and_the_share_of_valid_books(
    small: tuple[SmallLake, Path],
):
    ledger = Ledger.read(small[1], collector(), window())
    metadata = described(FileKind.AGGREGATES, Mode.SYNC, written(small, "aggregates"), ledger)
    assert metadata["valid book (%)"].value == 90.0
    pictures = [k for k, v in metadata.items() if isinstance(v, dg.MarkdownMetadataValue)]
    assert pictures == ["BTC-USD: mid price", "BTC-USD: spread"]


def test_synchronised_books_show_their_best_bid_and_a_map_of_their_depth(
    small: tuple[SmallLake, Path],
):
    ledger = Ledger.read(small[1], collector(), window())
    metadata = described(FileKind.ORDERBOOKS, Mode.SYNC, written(small, "orderbooks_sync"), ledger)
    pictures = [k for k, v in metadata.items() if isinstance(v, dg.MarkdownMetadataValue)]
    assert pictures == ["BTC-USD: best bid", "BTC-USD: size by level, asks above bids"]


def test_an_asset_has_the_columns_of_its_files():
    (schema,) = columns_of(FileKind.TRADES, Mode.SYNC).values()
    assert [(column.name, column.type) for column in schema.columns] == [
        (field.name, str(field.type)) for field in FileKind.TRADES.schema(Mode.SYNC)
    ]
