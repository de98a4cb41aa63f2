from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake import schemas
from atelier_pipeline.lake.names import (
    FileKind,
    FileName,
    LakeFile,
    Mode,
    file_name,
    find_files,
    frames_path,
    lake_path,
    parse_name,
    parse_path,
    stamp,
)
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.window import Window
from atelier_pipeline_tests.lake.rows import T0

HOUR_NS = 3_600_000_000_000
LAKE = Path("data/lake")

symbols = st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9._/-]{0,20}", fullmatch=True).filter(
    lambda symbol: ".." not in symbol and "//" not in symbol and not symbol.endswith("/")
)
groups = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,12}", fullmatch=True).filter(lambda g: g != "frames")
kinds = st.sampled_from([(k, m) for k in FileKind for m in k.modes if k is not FileKind.FRAMES])
instants = st.integers(0, 2**63 - 1)


@pytest.mark.parametrize(
    ("symbol", "kind", "mode", "t0_ns", "path"),
    [
        (
            "BTCUSDT",
            FileKind.ORDERBOOKS,
            "sync",
            T0,
            "BTCUSDT/orderbooks/date=2026-02-26/BTCUSDT_ob_sync_20260226_153000.123.parquet",
        ),
        (
            "ETHUSDT",
            FileKind.TRADES,
            "raw",
            T0 + 1_800_333_000_000,
            "ETHUSDT/trades/date=2026-02-26/ETHUSDT_trades_raw_20260226_160000.456.parquet",
        ),
        (
            "BTC/USDT",
            FileKind.ORDERBOOKS,
            "sync",
            T0,
            "BTC-USDT/orderbooks/date=2026-02-26/BTC-USDT_ob_sync_20260226_153000.123.parquet",
        ),
    ],
)
def test_the_examples_of_the_contract_are_named_so(symbol, kind, mode, t0_ns, path):
    assert lake_path(LAKE, "bybit", symbol, kind, mode, t0_ns) == LAKE / "bybit" / path


def test_every_kind_has_the_folder_the_word_and_the_schema_of_the_contract():
    table = {(k.value, k.datatype, m.value): k.schema(m) for k in FileKind for m in k.modes}
    assert table == {
        ("orderbooks", "ob", "raw"): schemas.RAW[Dataset.ORDERBOOKS],
        ("orderbooks", "ob", "sync"): schemas.SYNC[Dataset.ORDERBOOKS],
        ("trades", "trades", "raw"): schemas.RAW[Dataset.TRADES],
        ("trades", "trades", "sync"): schemas.SYNC[Dataset.TRADES],
        ("liquidations", "liquidations", "raw"): schemas.RAW[Dataset.LIQUIDATIONS],
        ("liquidations", "liquidations", "sync"): schemas.SYNC[Dataset.LIQUIDATIONS],
        ("fundings", "funding", "raw"): schemas.RAW[Dataset.FUNDINGS],
        ("fundings", "funding", "sync"): schemas.SYNC[Dataset.FUNDINGS],
        ("open_interests", "oi", "raw"): schemas.RAW[Dataset.OPEN_INTERESTS],
        ("open_interests", "oi", "sync"): schemas.SYNC[Dataset.OPEN_INTERESTS],
        ("snapshots", "snapshot", "sync"): schemas.SNAPSHOTS,
        ("aggregates", "agg", "sync"): schemas.AGGREGATES,
        ("gaps", "gaps", "raw"): schemas.GAPS,
        ("captures", "captures", "raw"): schemas.CAPTURES,
        ("frames", "frames", "raw"): schemas.FRAMES,
    }


def test_a_kind_refuses_a_mode_that_it_does_not_have():
    with pytest.raises(LakeError, match="aggregates files are sync, not 'raw'"):
        lake_path(LAKE, "bybit", "BTCUSDT", FileKind.AGGREGATES, "raw", T0)


@settings(max_examples=60, deadline=None)
@given(groups, symbols, kinds, instants)
def test_a_path_says_what_it_was_made_from(exchange, symbol, kind_mode, t0_ns):
    kind, mode = kind_mode
    path = lake_path(LAKE, exchange, symbol, kind, mode, t0_ns)
    whole_ms = t0_ns // 1_000_000 * 1_000_000
    assert parse_path(path) == LakeFile(
        path, LAKE, exchange, symbol.replace("/", "-"), kind, mode, whole_ms
    )
    assert parse_name(path.name) == FileName(symbol.replace("/", "-"), kind, mode, whole_ms)


@settings(max_examples=60, deadline=None)
@given(groups, groups, instants)
def test_a_path_of_frames_says_what_it_was_made_from(exchange, collector, t0_ns):
    path = frames_path(LAKE, exchange, collector, t0_ns)
    whole_ms = t0_ns // 1_000_000 * 1_000_000
    assert parse_path(path) == LakeFile(
        path, LAKE, exchange, collector, FileKind.FRAMES, Mode.RAW, whole_ms
    )


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=30))
def test_a_symbol_is_one_plain_name_inside_its_folder_or_is_refused(symbol):
    try:
        name = file_name(symbol)
    except LakeError:
        return
    assert name
    assert len(Path(name).parts) == 1
    assert (LAKE / name).resolve().parent == LAKE.resolve()
    assert name.isascii()
    assert name.isprintable()
    assert not set(name) & set("*?[]'\"\\ =:;$")


@pytest.mark.parametrize(
    "symbol",
    [
        *("", ".", "..", "../x", "a/../b", "/etc", ".hidden", "a//b", "a/"),
        *("a b", "a\n", "BTC*", "é", "x" * 129, "a\x00", "a=b", "'"),
    ],
)
def test_a_symbol_that_could_leave_the_lake_or_inject_is_refused(symbol):
    with pytest.raises(LakeError, match="can't name a file"):
        lake_path(LAKE, "bybit", symbol, FileKind.TRADES, "raw", T0)


@pytest.mark.parametrize("name", ["", "..", "Bybit", "a/b", "a.b", "_source", "-x", "a\n", "ä"])
def test_an_exchange_or_collector_that_is_no_plain_name_is_refused(name):
    with pytest.raises(LakeError, match=r"exchange .* can't name a folder"):
        lake_path(LAKE, name, "BTCUSDT", FileKind.TRADES, "raw", T0)
    with pytest.raises(LakeError, match=r"collector .* can't name a folder"):
        frames_path(LAKE, "bybit", name, T0)


def test_frames_are_no_symbols_and_an_exchange_is_not_called_so():
    with pytest.raises(LakeError, match="use frames_path"):
        lake_path(LAKE, "bybit", "BTCUSDT", FileKind.FRAMES, "raw", T0)
    with pytest.raises(LakeError, match="that folder holds the frames"):
        lake_path(LAKE, "frames", "BTCUSDT", FileKind.TRADES, "raw", T0)


@pytest.mark.parametrize("time_ns", [-1, 2**63])
def test_a_time_outside_int64_since_1970_has_no_stamp(time_ns):
    with pytest.raises(LakeError, match="no time since 1970"):
        stamp(time_ns)


@settings(max_examples=60, deadline=None)
@given(st.lists(instants, min_size=2, max_size=2))
def test_stamps_sort_as_their_times_do(times):
    early, late = sorted(times)
    assert stamp(early) <= stamp(late)


@pytest.mark.parametrize(
    "name",
    [
        "BTCUSDT_trades_raw_20260226_153000.123.parquet.tmp",
        ".BTCUSDT_trades_raw_20260226_153000.123.parquet.1-2.tmp",
        "BTCUSDT_ticks_raw_20260226_153000.123.parquet",
        "BTCUSDT_trades_raw_20261326_153000.123.parquet",
        "BTCUSDT_agg_raw_20260226_153000.123.parquet",
        "BTCUSDT_trades_raw_20260226_153000.parquet",
        "_trades_raw_20260226_153000.123.parquet",
    ],
)
def test_other_names_are_no_names_of_the_lake(name):
    with pytest.raises(LakeError):
        parse_name(name)


@pytest.mark.parametrize(
    "path",
    [
        "BTCUSDT_trades_raw_20260226_153000.123.parquet",
        "/a/b/BTCUSDT_trades_raw_20260226_153000.123.parquet",
        "/a/b/main_frames_raw_20260226_153000.123.parquet",
        "lake/bybit/BTCUSDT/trades/date=2026-02-27/BTCUSDT_trades_raw_20260226_153000.123.parquet",
        "lake/bybit/ETHUSDT/trades/date=2026-02-26/BTCUSDT_trades_raw_20260226_153000.123.parquet",
        "lake/bybit/BTCUSDT/fundings/date=2026-02-26/BTCUSDT_trades_raw_20260226_153000.123.parquet",
        "lake/by bit/BTCUSDT/trades/date=2026-02-26/BTCUSDT_trades_raw_20260226_153000.123.parquet",
        "lake/bybit/main/frames/date=2026-02-26/main_frames_raw_20260226_153000.123.parquet",
    ],
)
def test_a_file_at_another_place_is_not_of_the_lake(path):
    with pytest.raises(LakeError, match="not at the place"):
        parse_path(Path(path))


def test_files_are_found_by_kind_exchange_symbol_and_window_in_order_of_time(tmp_path):
    wanted = [
        lake_path(tmp_path, exchange, symbol, FileKind.TRADES, "raw", T0 + hour * HOUR_NS)
        for hour in range(3)
        for exchange in ("bybit", "kraken")
        for symbol in ("BTC/USD", "ETH/USD")
    ]
    others = [
        lake_path(tmp_path, "bybit", "BTC/USD", FileKind.TRADES, "sync", T0),
        lake_path(tmp_path, "bybit", "BTC/USD", FileKind.FUNDINGS, "raw", T0),
        frames_path(tmp_path, "bybit", "main", T0),
        wanted[0].with_name(f".{wanted[0].name}.1-2.tmp"),
        wanted[0].with_name("BTC-USD_trades_raw_of_mine.parquet"),
        wanted[0].with_name("ETH-USD_trades_raw_20260226_153000.123.parquet"),
    ]
    for path in [*wanted, *others]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    def found(*chosen):
        return [file.path for file in find_files(tmp_path, FileKind.TRADES, "raw", *chosen)]

    window = Window(T0 + HOUR_NS, T0 + 2 * HOUR_NS)
    assert found() == wanted
    assert found("kraken", "ETH/USD") == wanted[3::4]
    assert found(None, "BTC/USD", window) == wanted[4:8:2]
    assert found("bybit", None, window) == wanted[4:6]
    frames = find_files(tmp_path, FileKind.FRAMES, "raw", "bybit", "main")
    assert [file.path for file in frames] == [others[2]]


def test_a_lake_that_does_not_exist_has_no_files(tmp_path):
    assert find_files(tmp_path / "none", FileKind.TRADES, "raw") == []
