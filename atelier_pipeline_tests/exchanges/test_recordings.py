"""The codecs on everything that these exchanges were recorded sending."""

import zlib
from pathlib import Path

import pytest

from atelier_pipeline.exchanges.contract import ConnectionSequence
from atelier_pipeline.exchanges.registry import EXCHANGES
from atelier_pipeline.market.events import NormalizedDelta, TickerUpdate, Trade
from atelier_pipeline_tests.exchanges.own_recordings import (
    as_json,
    expected_events,
    frames_in,
    own_frames,
)
from atelier_pipeline_tests.exchanges.plain_reading import READINGS


def deltas_in(recordings: Path, name: str) -> list[NormalizedDelta]:
    exchange = EXCHANGES[name.partition("/")[0]]
    frames = frames_in(recordings / f"{name}.frames.gz")
    events = [event for ts_recv, payload in frames for event in exchange.decode(payload, ts_recv)]
    return [event for event in events if isinstance(event, NormalizedDelta)]


@pytest.mark.parametrize("name", EXCHANGES)
def test_every_recorded_frame_decodes_to_what_a_plain_reading_of_its_json_gives(
    name: str, recordings: Path
):
    decode, plain = EXCHANGES[name].decode, READINGS[name]
    paths = sorted((recordings / name).glob("*.frames.gz"))
    assert paths
    for path in paths:
        for line, (ts_recv, payload) in enumerate(frames_in(path), 1):
            assert decode(payload, ts_recv) == plain(payload, ts_recv), f"{path.name}:{line}"


@pytest.mark.parametrize("name", EXCHANGES)
def test_the_events_beside_each_own_recording_are_those_of_a_plain_reading(name: str):
    plain = [as_json(READINGS[name](payload, ts_recv)) for ts_recv, payload in own_frames(name)]
    assert plain == expected_events(name)


@pytest.mark.parametrize("name", EXCHANGES)
def test_no_recorded_value_has_more_digits_than_a_float_holds(name: str, recordings: Path):
    for path in sorted((recordings / name).glob("*.frames.gz")):
        for _, payload in frames_in(path):
            assert not EXCHANGES[name].inexact(payload)


def test_bybit_spot_update_ids_are_an_unbroken_chain_of_733_deltas(recordings: Path):
    deltas = deltas_in(recordings, "bybit_spot/btcusdt_book50_trades")
    assert [delta.is_snapshot for delta in deltas] == [True] + [False] * 733
    assert [delta.update_id for delta in deltas] == list(range(128530587, 128531321))


def test_both_depths_of_a_bybit_connection_can_be_told_apart(recordings: Path):
    deltas = deltas_in(recordings, "bybit_spot/testnet_book1_book50_trades")
    of_depth = {
        depth: [delta.is_snapshot for delta in deltas if delta.depth == depth] for depth in (1, 50)
    }
    assert of_depth == {1: [True] * 14, 50: [True] + [False] * 18}


def test_bybit_tickers_before_the_ack_are_decoded_and_most_deltas_say_nothing(recordings: Path):
    frames = frames_in(recordings / "bybit" / "tickers.frames.gz")
    first = [EXCHANGES["bybit"].decode(payload, 0)[0] for _, payload in frames[:32]]
    tickers = [event for event in first if isinstance(event, TickerUpdate)]
    assert len(tickers) == 32
    assert [ticker.is_snapshot for ticker in tickers].count(True) == 2
    assert sum(t.open_interest is None and t.funding_rate is None for t in tickers) == 30


def test_coinbase_numbers_every_frame_of_a_connection_from_0_to_109(recordings: Path):
    frames = frames_in(recordings / "coinbase" / "btc-usd_level2_heartbeats.frames.gz")
    first = [EXCHANGES["coinbase"].decode(payload, ts_recv)[0] for ts_recv, payload in frames]
    assert first == [ConnectionSequence(number) for number in range(110)]


def test_coinbase_trade_prices_fall_while_sellers_take_bids(recordings: Path):
    frames = frames_in(recordings / "coinbase_exchange" / "level2_batch_2026.frames.gz")
    events = [e for time, text in frames for e in EXCHANGES["coinbase_exchange"].decode(text, time)]
    trades = [event for event in events if isinstance(event, Trade)]
    assert [(trade.side, trade.is_history) for trade in trades] == [
        ("buy", True),
        ("sell", False),
        ("sell", False),
    ]


def checksum_of(
    bids: dict[float, tuple[int, int]], asks: dict[float, tuple[int, int]], depth: int | None
) -> int:
    """Cut both sides to the depth, then CRC32 of the digits of the best ten asks and bids."""
    for side, is_bid in ((bids, True), (asks, False)):
        for price in sorted(side, reverse=is_bid)[depth:] if depth else ():
            del side[price]
    best = [asks[price] for price in sorted(asks)[:10]]
    best += [bids[price] for price in sorted(bids, reverse=True)[:10]]
    return zlib.crc32("".join(f"{price}{size}" for price, size in best).encode())


def verified(deltas: list[NormalizedDelta], depth: int | None) -> int:
    """How many checksums agree with the book that the exact digits of the messages build."""
    books: dict[str, tuple[dict[float, tuple[int, int]], dict[float, tuple[int, int]]]] = {}
    agreed = 0
    for delta in deltas:
        if delta.is_snapshot:
            books[delta.symbol] = ({}, {})
        digits = iter(delta.digits or [])
        for side, levels in zip(books[delta.symbol], (delta.bids, delta.asks), strict=True):
            for (price, size), exact in zip(levels, digits, strict=False):
                side.pop(price, None)
                if size:
                    side[price] = exact
        computed = checksum_of(*books[delta.symbol], depth)
        agreed += delta.checksum == computed
    return agreed


@pytest.mark.parametrize(
    ("name", "depth", "checksums"),
    [("btc-usd_book10", 10, 301), ("btc-usd_book25", 25, 2052), ("reshaped_2021", 1000, 4269)],
)
def test_the_digits_of_kraken_levels_verify_every_checksum(
    name: str, depth: int, checksums: int, recordings: Path
):
    deltas = deltas_in(recordings, f"kraken/{name}")
    assert sum(delta.checksum is not None for delta in deltas) == checksums
    assert verified(deltas, depth) == checksums


def test_without_the_cut_to_depth_most_kraken_checksums_fail(recordings: Path):
    assert verified(deltas_in(recordings, "kraken/btc-usd_book25"), None) == 220
