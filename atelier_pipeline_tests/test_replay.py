"""Recordings go through the whole line on their own clock."""

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from atelier_pipeline.errors import LakeError, SettingsError
from atelier_pipeline.lake.names import FileKind, Mode, find_files
from atelier_pipeline.lake.reader import read_table
from atelier_pipeline.lake.recordings import write_recording
from atelier_pipeline.replay import collector_name, replay

NS_PER_SEC = 1_000_000_000
T0 = 1_785_552_832 * NS_PER_SEC
"""2026-08-01 02:53:52 UTC."""

ACK = (
    b'{"method":"subscribe","result":{"channel":"book","depth":10,"snapshot":true,'
    b'"symbol":"BTC/USD"},"success":true}'
)
SNAPSHOT = (
    b'{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD",'
    b'"bids":[{"price":100.0,"qty":6.00000000},{"price":99.0,"qty":4.00000000}],'
    b'"asks":[{"price":101.0,"qty":3.00000000},{"price":102.0,"qty":2.00000000}],'
    b'"checksum":%d,"timestamp":"2026-08-01T02:53:52.100000Z"}]}'
)
UPDATE = (
    b'{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":[],'
    b'"asks":[{"price":101.0,"qty":0.00000000}],"checksum":%d,'
    b'"timestamp":"2026-08-01T02:53:52.300000Z"}]}'
)
TRADES = (
    b'{"channel":"trade","type":"update","data":['
    b'{"symbol":"BTC/USD","side":"buy","price":100.0,"qty":0.50000000,"ord_type":"market",'
    b'"trade_id":7,"timestamp":"2026-08-01T02:53:52.210000Z"},'
    b'{"symbol":"BTC/USD","side":"sell","price":200.0,"qty":1.00000000,"ord_type":"market",'
    b'"trade_id":8,"timestamp":"2026-08-01T02:53:52.220000Z"}]}'
)
# crc32 of "1010300000000" "1020200000000" "1000600000000" "990400000000", asks first; and without
# the first of them.
CHECKSUMS = 3366766408, 2819350208


def at(seconds: float) -> int:
    """UTC ns, so many seconds after T0."""
    return T0 + round(seconds * NS_PER_SEC)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A recording of our own: a book with two levels a side, two trades, one deletion."""
    path = tmp_path / "kraken" / "btc-usd_small.frames.gz"
    frames = [
        (at(0.05), ACK),
        (at(0.15), SNAPSHOT % CHECKSUMS[0]),
        (at(0.25), TRADES),
        (at(0.35), UPDATE % CHECKSUMS[1]),
    ]
    path.parent.mkdir()
    write_recording(path, frames)
    return path


def rows(lake: Path, kind: FileKind, mode: Mode = Mode.SYNC) -> list[dict]:
    """The rows of the lake's only file of a kind, times as int64 ns."""
    (file,) = find_files(lake, kind, mode)
    table = read_table(file.path)
    columns = [
        column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
        for column in table.columns
    ]
    return pa.table(columns, names=table.column_names).to_pylist()


def test_a_small_recording_gives_these_features_at_every_tick(small, tmp_path):
    replayed = replay(small, tmp_path / "lake")
    assert (replayed.frames, replayed.verified, replayed.events()) == (4, 2, 4)
    assert not replayed.losses()
    assert not replayed.failed

    ticks = rows(tmp_path / "lake", FileKind.AGGREGATES)
    assert [tick["ts_ns"] for tick in ticks] == [at((k + 1) / 10) for k in range(10)]
    columns = ("ob_mid_price", "ob_spread", "ob_imbalance", "trade_volume", "trade_vwap")
    assert [tuple(tick[column] for column in columns) for tick in ticks[:4]] == [
        (None, None, None, 0.0, None),
        (100.5, 1.0, 1 / 3, 0.0, None),
        (100.5, 1.0, 1 / 3, 1.5, (100.0 * 0.5 + 200.0) / 1.5),
        (101.0, 2.0, 8 / 12, 0.0, None),
    ]
    quality = ("trade_count", "bid_levels", "ask_levels", "book_valid", "driven", "filled", "gap")
    assert [tuple(tick[column] for column in quality) for tick in ticks[:4]] == [
        (0, None, None, False, False, True, False),
        (0, 2, 2, True, True, False, False),
        (2, 2, 2, True, False, False, False),
        (0, 2, 1, True, True, False, False),
    ]
    assert [tick["known_at"] for tick in ticks[1:4]] == [at(0.2), at(0.3), at(0.4)]


def test_a_wrong_checksum_is_a_loss_and_makes_the_book_invalid(tmp_path):
    path = tmp_path / "kraken" / "broken.frames.gz"
    path.parent.mkdir()
    frames = [(at(0.15), SNAPSHOT % CHECKSUMS[0]), (at(0.35), UPDATE % CHECKSUMS[0])]
    write_recording(path, frames)
    replayed = replay(path, tmp_path / "lake", depth=10)
    assert replayed.losses() == Counter(checksum=1)
    (gap,) = rows(tmp_path / "lake", FileKind.GAPS, Mode.RAW)
    assert (gap["cause"], gap["symbol"], gap["dataset"]) == ("checksum", "BTC/USD", "orderbooks")
    assert (gap["ts_start"], gap["ts_end"]) == (at(0.1), at(1))
    valid = [tick["book_valid"] for tick in rows(tmp_path / "lake", FileKind.SNAPSHOTS)]
    assert valid == [False, True, True, *[False] * 7]


def test_replaying_again_writes_the_same_bytes(small, tmp_path):
    lakes = [tmp_path / "one", tmp_path / "two"]
    files = [{w.path.name: w.path.read_bytes() for w in replay(small, x).files} for x in lakes]
    assert files[0] == files[1]
    assert len(files[0]) == 8


def test_a_recording_of_two_sittings_has_a_window_for_each(tmp_path):
    path = tmp_path / "kraken" / "sittings.frames.gz"
    path.parent.mkdir()
    later = [(at(3600.5), b'{"channel":"heartbeat"}'), (at(3601.5), b'{"channel":"heartbeat"}')]
    write_recording(path, [(at(0.15), SNAPSHOT % CHECKSUMS[0]), *later])
    replayed = replay(path, tmp_path / "lake", depth=10)
    spans = [(window.start_ns, window.end_ns) for window in replayed.windows]
    assert spans == [(at(0), at(1)), (at(3600), at(3602))]


def test_a_depth_that_nothing_tells_is_asked_for(tmp_path):
    path = tmp_path / "kraken" / "deep.frames.gz"
    path.parent.mkdir()
    write_recording(path, [(at(0), SNAPSHOT % CHECKSUMS[0])])
    with pytest.raises(SettingsError, match="--depth, one of 10, 25, 100"):
        replay(path, tmp_path / "lake")


def test_a_folder_that_names_no_exchange_is_refused_by_name(tmp_path):
    path = tmp_path / "nowhere" / "x.frames.gz"
    path.parent.mkdir()
    write_recording(path, [(at(0), ACK)])
    with pytest.raises(SettingsError, match="nowhere"):
        replay(path, tmp_path / "lake")


def test_a_recording_without_market_data_is_refused(tmp_path):
    path = tmp_path / "kraken" / "quiet.frames.gz"
    path.parent.mkdir()
    write_recording(path, [(at(0), ACK)])
    with pytest.raises(LakeError, match="no market data of kraken"):
        replay(path, tmp_path / "lake")


def test_a_symbol_can_break_neither_out_of_the_lake_nor_of_its_manifest(tmp_path):
    for symbol in (b"../../etc", b'A\\"]\\nexchange = \\"bybit'):
        path = tmp_path / "kraken" / "hostile.frames.gz"
        path.parent.mkdir(exist_ok=True)
        write_recording(path, [(at(0), TRADES.replace(b"BTC/USD", symbol))])
        with pytest.raises(SettingsError, match=r"symbol"):
            replay(path, tmp_path / "lake")


def test_a_file_name_becomes_a_collectors_name():
    assert collector_name(Path("kraken/BTC usd_Ä.frames.gz")) == "btc-usd_-"


RECORDINGS = {
    # recording: (depth, frames, verified, losses, rules that find something)
    "bybit/liquidations_and_control": (None, 9, 0, {}, {"book_valid_share"}),
    "bybit/reshaped_2021": (None, 4420, 4268, {}, set()),
    "bybit/tickers": (None, 46, 0, {}, set()),
    "bybit_spot/btcusdt_book50_trades": (None, 800, 733, {}, set()),
    "bybit_spot/testnet_book1_book50_trades": (None, 43, 18, {}, set()),
    "coinbase/btc-usd_level2_heartbeats": (None, 110, 109, {}, set()),
    "coinbase/reshaped_2021": (None, 9943, 9942, {}, set()),
    "coinbase/two_products_seq19-24": (None, 6, 5, {}, {"book_valid_share"}),
    "coinbase_exchange/level2_batch_2026": (None, 13, 0, {"trade_id": 1}, {"book_valid_share"}),
    "coinbase_exchange/ten_products_2021": (None, 5000, 0, {}, set()),
    "kraken/btc-usd_book10": (None, 377, 301, {}, set()),
    "kraken/btc-usd_book25": (None, 2104, 2052, {}, set()),
    "kraken/quoted_trades_and_errors": (10, 6, 2, {}, set()),
    "kraken/reshaped_2021": (1000, 4287, 4269, {}, set()),
}


@pytest.mark.parametrize("name", RECORDINGS)
def test_every_recording_goes_through_with_these_losses_and_no_others(name, recordings, tmp_path):
    depth, frames, verified, losses, found = RECORDINGS[name]
    replayed = replay(recordings / f"{name}.frames.gz", tmp_path, depth=depth)
    assert (replayed.frames, replayed.verified) == (frames, verified)
    assert replayed.losses() == Counter(losses)
    assert {finding.rule for finding in replayed.failed} == found


def test_every_recording_is_in_the_list(recordings):
    there = {str(p.relative_to(recordings))[: -len(".frames.gz")] for p in recordings.rglob("*.gz")}
    assert there == set(RECORDINGS)
