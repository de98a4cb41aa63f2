"""The catalog shows the lake's files as they are when it is read, and a query can only read."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from atelier_pipeline.errors import AtelierError, LakeError, QueryError
from atelier_pipeline.lake.schemas import UTC_NS
from atelier_pipeline.validate.catalog import (
    build_catalog,
    catalog_lake,
    connect,
    lake_connection,
    printable,
    query,
)
from atelier_pipeline.validate.tables import TABLES
from atelier_pipeline_tests.validate.small_lake import MS, T0, SmallLake

VIEWS = [
    *("trades", "orderbooks", "liquidations", "fundings", "open_interests"),
    *("trades_sync", "orderbooks_sync", "liquidations_sync", "fundings_sync"),
    *("open_interests_sync", "snapshots", "aggregates", "gaps", "captures"),
]
DAY_NS = 86_400_000 * MS


@pytest.fixture
def lake(good_lake: Path, tmp_path: Path) -> Path:
    return shutil.copytree(good_lake, tmp_path / "lake")


@pytest.fixture
def catalog(lake: Path) -> Path:
    catalog = lake.parent / "data" / "atelier.duckdb"
    build_catalog(lake, catalog)
    return catalog


def trades(connection: duckdb.DuckDBPyConnection) -> int:
    return connection.execute("SELECT count(*) FROM trades").fetchall()[0][0]


def test_the_catalog_holds_the_promised_views_and_nothing_else(catalog: Path) -> None:
    with connect(catalog) as connection:
        names = connection.execute(
            "SELECT table_name, table_type FROM information_schema.tables"
        ).fetchall()
    assert sorted(names) == sorted((name, "VIEW") for name in [*VIEWS, "lake_root"])
    assert list(TABLES) == VIEWS


def test_a_view_has_the_columns_of_its_files_with_signed_integers_and_the_day(
    lake: Path, catalog: Path
) -> None:
    for name, table in TABLES.items():
        signed = [
            pa.field(field.name, pa.int64() if field.type == pa.uint64() else field.type)
            for field in table.schema
        ]
        wanted = pa.schema([*signed, ("date", pa.date32())])
        assert query(f"FROM {name}", lake, catalog).schema == wanted


def test_an_empty_lake_gives_the_same_columns_without_rows(lake: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    build_catalog(empty, tmp_path / "empty.duckdb")
    for name in VIEWS:
        nothing = query(f"FROM {name}", empty, tmp_path / "empty.duckdb")
        assert nothing.num_rows == 0
        assert nothing.schema == query(f"FROM {name}", lake).schema


def test_a_view_has_the_rows_of_its_files(lake: Path, catalog: Path) -> None:
    small = SmallLake()
    for name in VIEWS:
        rows = query(f"FROM {name}", lake, catalog).drop_columns("date")
        wanted = small.table(name)
        if "opening" in wanted.schema.names:
            wanted = wanted.filter(pa.compute.invert(wanted["opening"]))
        assert rows == wanted.cast(rows.schema)


def test_opening_rows_are_left_out(lake: Path) -> None:
    opened = "SELECT count(*) FILTER (WHERE opening) AS opening, count(*) AS events FROM"
    for name, events in (("orderbooks", 10), ("fundings", 1), ("open_interests", 1)):
        assert query(f"{opened} {name}", lake).to_pylist() == [{"opening": 0, "events": events}]


def test_differences_of_unsigned_columns_may_be_negative(lake: Path) -> None:
    difference = query("SELECT min(bid_levels - 10) AS least FROM snapshots", lake)
    assert difference.to_pylist() == [{"least": -8}]


def test_the_day_is_that_of_the_window(lake: Path) -> None:
    SmallLake(t0=T0 + DAY_NS).write(lake)
    days = query("SELECT date::TEXT AS day, count(*) AS n FROM trades GROUP BY 1 ORDER BY 1", lake)
    assert days.to_pylist() == [{"day": "2026-02-26", "n": 13}, {"day": "2026-02-27", "n": 13}]


def test_a_day_that_is_not_asked_for_is_not_opened(lake: Path) -> None:
    other = SmallLake(t0=T0 + DAY_NS)
    other.write(lake)
    other.path(lake, "trades").write_bytes(b"not Parquet")
    assert query("FROM trades WHERE date = DATE '2026-02-26'", lake).num_rows == 13
    with pytest.raises(QueryError, match="too small to be a Parquet file"):
        query("FROM trades", lake)


def test_a_file_that_comes_later_shows_without_a_new_catalog(lake: Path, catalog: Path) -> None:
    with connect(catalog) as connection:
        assert trades(connection) == 13
        SmallLake(symbol="ETHUSDT").write(lake)
        assert trades(connection) == 26


def test_files_that_go_leave_an_empty_view_in_the_next_catalog(lake: Path, catalog: Path) -> None:
    SmallLake().path(lake, "gaps").unlink()
    with pytest.raises(QueryError, match="No files found that match the pattern"):
        query("FROM gaps", lake, catalog)
    build_catalog(lake, catalog)
    assert query("FROM gaps", lake, catalog).num_rows == 0


def test_raw_and_sync_files_of_one_folder_stay_apart(lake: Path) -> None:
    SmallLake().path(lake, "trades").unlink()
    assert query("FROM trades", lake).num_rows == 0
    assert query("FROM trades_sync", lake).num_rows == 13


def test_a_lake_may_be_named_by_way_of_another_folder(lake: Path) -> None:
    assert query("FROM trades", lake / ".." / "lake").num_rows == 13


def test_paths_are_absolute(lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(lake.parent)
    build_catalog(Path("lake"), tmp_path / "c.duckdb")
    monkeypatch.chdir("/")
    assert query("FROM trades", lake, tmp_path / "c.duckdb").num_rows == 13


def test_a_lake_may_have_any_name(tmp_path: Path) -> None:
    lake = SmallLake().write(tmp_path / "it's [a] *lake?")
    SmallLake(symbol="ETHUSDT").write(tmp_path / "it's a xlakey")
    catalog = tmp_path / "it's ?.duckdb"
    build_catalog(lake, catalog)
    assert query("FROM trades", lake, catalog).num_rows == 13


def test_a_reader_of_the_old_file_goes_on_and_a_new_one_gets_the_new_file(
    lake: Path, tmp_path: Path
) -> None:
    catalog, other = tmp_path / "c.duckdb", SmallLake(exchange="kraken").write(tmp_path / "other")
    build_catalog(lake, catalog)
    with connect(catalog) as old, duckdb.connect(catalog, read_only=True) as plain:
        build_catalog(other, catalog)
        with connect(catalog) as new:
            exchanges = [
                reader.execute("SELECT DISTINCT exchange FROM trades").fetchall()
                for reader in (old, plain, new)
            ]
    assert exchanges == [[("bybit",)], [("bybit",)], [("kraken",)]]


def test_another_process_reads_the_catalog_while_it_is_replaced(lake: Path, catalog: Path) -> None:
    program = (
        "import duckdb, sys\n"
        "reader = duckdb.connect(sys.argv[1], read_only=True)\n"
        "print(reader.execute('SELECT count(*) FROM trades').fetchall()[0][0], flush=True)\n"
        "sys.stdin.readline()\n"
        "print(reader.execute('SELECT count(*) FROM trades').fetchall()[0][0], flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, catalog],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "13\n"
        build_catalog(lake, catalog)
        answer, _ = reader.communicate("go on\n")
    assert answer == "13\n"


def test_no_query_fails_while_the_catalog_is_replaced_a_hundred_times(lake, catalog) -> None:
    program = (
        "import duckdb, sys, threading\n"
        "asked = threading.Event()\n"
        "threading.Thread(target=lambda: (sys.stdin.read(), asked.set()), daemon=True).start()\n"
        "answers = []\n"
        "while not asked.is_set() or not answers:\n"
        "    with duckdb.connect(sys.argv[1], read_only=True) as reader:\n"
        "        answers += reader.execute('SELECT count(*) FROM trades').fetchall()\n"
        "    print('', flush=True) if len(answers) == 1 else None\n"
        "print(set(answers))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, catalog],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "\n"
        counts = set()
        for swap in range(100):
            build_catalog(lake, catalog)
            if swap % 10 == 0:
                counts |= {query("SELECT count(*) AS n FROM trades", lake, catalog)["n"][0].as_py()}
        answers, _ = reader.communicate()
    assert (reader.returncode, answers, counts) == (0, "{(13,)}\n", {13})


def test_what_a_killed_writer_left_behind_does_not_spoil_the_next_catalog(
    lake: Path, catalog: Path
) -> None:
    Path(f"{catalog}.wal").write_bytes(os.urandom(512))
    build_catalog(lake, catalog)
    assert query("FROM trades", lake, catalog).num_rows == 13


def test_nothing_but_the_catalog_is_left_in_its_folder(catalog: Path, lake: Path) -> None:
    build_catalog(lake, catalog)
    assert list(catalog.parent.iterdir()) == [catalog]


def test_a_catalog_that_cannot_be_written_is_refused(lake: Path) -> None:
    with pytest.raises(LakeError, match="can't write"):
        build_catalog(lake, lake / "_source" / "atelier.duckdb")


def test_a_missing_catalog_says_what_to_do(lake: Path, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match=r"no catalog at .*: materialise `catalog`"):
        query("FROM trades", lake, tmp_path / "none.duckdb")


def test_a_file_that_is_no_catalog_is_refused(lake: Path, tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("not a database, but long enough to be one" * 100)
    with pytest.raises(QueryError, match="can't read the catalog"):
        query("FROM trades", lake, other)


def test_a_missing_lake_is_refused(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="no lake at"):
        query("SELECT 1", tmp_path / "none")


def test_the_catalog_and_the_views_made_on_the_spot_answer_alike(lake: Path, catalog: Path) -> None:
    sql = "SELECT symbol, count(*) AS n, max(ts_event) AS last FROM trades GROUP BY symbol"
    answer = query(sql, lake, catalog)
    assert answer == query(sql, lake)
    assert answer.schema.field("last").type == UTC_NS
    with lake_connection(lake) as connection:
        assert connection.sql(sql).to_arrow_table() == answer


def test_rows_keep_the_order_that_the_query_asks_for(lake: Path) -> None:
    prices = query("SELECT price FROM trades ORDER BY price DESC, id", lake)["price"].to_pylist()
    assert prices == sorted(prices, reverse=True)
    assert query("FROM trades ORDER BY id DESC", lake, max_rows=2)["id"].to_pylist() == [
        "912",
        "911",
    ]


def test_statements_that_only_read_are_answered(lake: Path, catalog: Path) -> None:
    assert query("SHOW TABLES", lake, catalog)["name"].to_pylist() == sorted([*VIEWS, "lake_root"])
    assert query("DESCRIBE trades", lake, catalog)["column_name"][0].as_py() == "trade_ts"
    assert query("SUMMARIZE SELECT price FROM trades", lake, catalog)["max"][0].as_py() == "103.0"
    assert query("VALUES (1), (2);", lake, catalog).num_rows == 2
    opened = f"FROM read_parquet('{lake}/bybit/*/orderbooks/**/*_raw_*')"
    assert query(opened, lake, catalog).num_rows == 14


@pytest.mark.parametrize(
    "sql",
    [
        "COPY trades TO '{lake}/out.parquet'",
        "WITH w AS (COPY (SELECT 1) TO '{lake}/out.csv') SELECT * FROM w",
        "SELECT * FROM (WITH w AS (COPY (SELECT 1) TO '{lake}/out.csv') SELECT * FROM w)",
        "SELECT * FROM query('COPY (SELECT 1) TO ''{lake}/out.csv''')",
        "SELECT 1; COPY (SELECT 1) TO '{lake}/out.csv'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{lake}/out.csv'",
        "EXPORT DATABASE '{lake}/out'",
        "ATTACH '{lake}/out.duckdb'",
        "ATTACH ':memory:' AS other",
        "DETACH atelier",
        "CREATE TABLE atelier.t (a INTEGER)",
        "CREATE TEMP TABLE t (a INTEGER)",
        "CREATE OR REPLACE VIEW trades AS SELECT 1",
        "DROP VIEW trades",
        "WITH w AS (DELETE FROM trades RETURNING id) SELECT * FROM w",
        "SET enable_external_access = true",
        "RESET allowed_directories",
        "INSTALL httpfs",
        "LOAD httpfs",
        "PRAGMA enable_profiling",
        "CALL enable_logging(storage = 'file')",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM read_text('{lake}/../secret.txt')",
        "SELECT * FROM read_csv('{lake}/../secret.txt')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM '{lake}/../secret.txt'",
        "SELECT * FROM duckdb_secrets()",
        "SELECT * FROM read_parquet('https://127.0.0.1:9/x.parquet')",
        "SELECT * FROM lake",
        "",
        "-- nothing",
        "SELEC 1",
        "SELECT nope FROM trades",
        "SELECT $1",
        "SELECT CAST(id || 'x' AS INTEGER) FROM trades",
    ],
)
@pytest.mark.parametrize("from_catalog", [True, False])
def test_everything_else_is_refused_and_leaves_no_trace(
    lake: Path, catalog: Path, sql: str, *, from_catalog: bool
) -> None:
    (lake.parent / "secret.txt").write_text("secret\n1\n")
    before = sorted(lake.parent.rglob("*"))
    with pytest.raises(QueryError) as refusal:
        query(sql.format(lake=lake), lake, catalog if from_catalog else None)
    assert sorted(lake.parent.rglob("*")) == before
    assert isinstance(refusal.value, AtelierError)
    assert str(refusal.value)
    assert "query($sql)" not in str(refusal.value)


def test_printable_rows_show_every_nanosecond() -> None:
    times = pa.table({"a": pa.array([1, None], UTC_NS), "b": [1.5, None], "c": ["x", "y"]})
    assert printable(times).to_pylist() == [
        {"a": "1970-01-01 00:00:00.000000001", "b": 1.5, "c": "x"},
        {"a": None, "b": None, "c": "y"},
    ]


def test_nothing_spills_into_the_working_directory(
    lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    with lake_connection(lake) as connection:
        connection.execute("SET memory_limit = '60MB'; SET threads = 1")
        rows = connection.sql("SELECT hash(i) AS h, i FROM range(4_000_000) t(i) ORDER BY h")
        assert len(rows.to_arrow_table()) == 4_000_000
    assert list(work.iterdir()) == []


def test_a_catalog_says_which_lake_it_reads(tmp_path):
    lake, catalog = tmp_path / "it's a lake", tmp_path / "c.duckdb"
    build_catalog(lake, catalog)
    assert catalog_lake(catalog) == lake


def test_a_file_that_is_no_catalog_of_ours_names_no_lake(tmp_path):
    other = tmp_path / "other.duckdb"
    duckdb.connect(other).close()
    with pytest.raises(QueryError, match="does not say which lake"):
        catalog_lake(other)
