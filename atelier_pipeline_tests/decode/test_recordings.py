"""Recorded frames of every exchange through the real codecs."""

from pathlib import Path

import numpy as np
import pytest

from atelier_pipeline.decode.columns import BookMessages
from atelier_pipeline.decode.decoder import Decoder
from atelier_pipeline.decode.keeper import BookKeeper
from atelier_pipeline.decode.scope import Scope
from atelier_pipeline.decode.seal import Sealed
from atelier_pipeline.market.book import BookState
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline_tests.decode.replays import Replay, replay
from atelier_pipeline_tests.decode.script import plain


def figures(sealed: Sealed, symbol: str, dataset: Dataset, *columns: str) -> tuple[object, ...]:
    rows = plain(sealed.captures[symbol], "dataset", *columns)
    return tuple(next(row for row in rows if row["dataset"] == dataset)[name] for name in columns)


def losses(sealed: Sealed) -> list[dict[str, object]]:
    """Rows of gaps that are losses, not notes."""
    columns = ("symbol", "dataset", "cause", "lost")
    rows = (row for table in sealed.gaps.values() for row in plain(table, *columns))
    return [row for row in rows if row["lost"] != 0]


def books_after_each_message(run: Replay, symbol: str) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Whether bids are below asks, and how many levels each side has, after every message."""
    keeper = BookKeeper(run.scope.kept_depth_of(symbol), run.scope.exchange.book_integrity)
    uncrossed: list[bool] = []
    sizes: list[tuple[int, int]] = []
    decoder = Decoder(run.scope)
    for batch in run.batches(1):
        decoder.read(batch)
        messages = decoder.flush().feeds.get((symbol, Dataset.ORDERBOOKS))
        if messages is not None:
            assert isinstance(messages, BookMessages)
            keeper.take(messages, [])
            bids, asks = keeper.before(0).bids, keeper.before(0).asks
            uncrossed.append(bids[0, 0] < asks[0, 0])
            sizes.append((len(bids), len(asks)))
    return np.array(uncrossed), sizes


def test_bybit_spot_has_733_changes_in_an_unbroken_chain(recordings: Path) -> None:
    sealed = replay(recordings, "bybit_spot/btcusdt_book50_trades").sealed()
    columns = ("events", "verified", "first_update_id", "last_update_id", "duplicates")
    assert figures(sealed, "BTCUSDT", Dataset.ORDERBOOKS, *columns) == (
        734,
        733,
        128530587,
        128531320,
        0,
    )
    assert losses(sealed) == []


def test_bybit_spot_keeps_50_levels_a_side_and_is_never_crossed(recordings: Path) -> None:
    run = replay(recordings, "bybit_spot/btcusdt_book50_trades")
    uncrossed, sizes = books_after_each_message(run, "BTCUSDT")
    assert uncrossed.all()
    assert sizes == [(50, 50)] * 734


@pytest.mark.parametrize(
    ("depth", "events", "verified", "duplicates"), [(50, 19, 18, 0), (1, 12, 0, 2)]
)
def test_two_feeds_of_one_book_stay_apart_by_depth(
    recordings: Path, depth: int, events: int, verified: int, duplicates: int
) -> None:
    run = replay(recordings, "bybit_spot/testnet_book1_book50_trades", depth)
    assert run.depths == {1, 50}
    columns = ("events", "verified", "duplicates")
    found = figures(run.sealed(), "BTCUSDT", Dataset.ORDERBOOKS, *columns)
    assert found == (events, verified, duplicates)


@pytest.mark.parametrize(("name", "checksums"), [("btc-usd_book10", 301), ("btc-usd_book25", 2052)])
def test_every_kraken_checksum_holds(recordings: Path, name: str, checksums: int) -> None:
    run = replay(recordings, f"kraken/{name}")
    sealed = run.sealed()
    columns = ("events", "verified", "integrity")
    expected = (checksums, checksums, "checksum_top10")
    assert figures(sealed, "BTC/USD", Dataset.ORDERBOOKS, *columns) == expected
    assert run.depths == {int(name[-2:])}
    assert losses(sealed) == []


def test_most_kraken_checksums_fail_on_a_book_that_is_not_cut_to_its_depth(
    recordings: Path,
) -> None:
    run = replay(recordings, "kraken/btc-usd_book25")
    uncut = Scope(run.scope.exchange, "replay", "replay", run.scope.datasets, None)
    sealed = Replay(run.rows, uncut, run.depths, run.window).sealed()
    (verified,) = figures(sealed, "BTC/USD", Dataset.ORDERBOOKS, "verified")
    assert isinstance(verified, int)
    assert verified < 220
    assert [row["cause"] for row in losses(sealed)] == ["checksum"]


def test_coinbase_numbers_0_to_109_are_unbroken(recordings: Path) -> None:
    sealed = replay(recordings, "coinbase/btc-usd_level2_heartbeats").sealed()
    found = figures(sealed, "BTC-USD", Dataset.ORDERBOOKS, "events", "verified")
    assert found == (103, 109)
    assert losses(sealed) == []


def test_coinbase_books_without_a_snapshot_are_kept_and_never_known(recordings: Path) -> None:
    sealed = replay(recordings, "coinbase/two_products_seq19-24").sealed()
    assert sealed.summary.verified == 5
    tables = [sealed.tables[symbol, Dataset.ORDERBOOKS] for symbol in ("BTC-USD", "ETH-USD")]
    assert [set(table["is_snapshot"].to_pylist()) for table in tables] == [{False}, {False}]
    assert plain(sealed.captures["BTC-USD"], "tail_hash")[0] == {"tail_hash": None}


def test_coinbase_exchange_books_are_never_crossed(recordings: Path) -> None:
    run = replay(recordings, "coinbase_exchange/ten_products_2021")
    decoder = Decoder(run.scope)
    decoder.read(next(run.batches(len(run.rows))))
    feeds = decoder.flush().feeds
    for symbol in run.scope.datasets:
        messages = feeds[symbol, Dataset.ORDERBOOKS]
        assert isinstance(messages, BookMessages)
        trace = BookState(None).apply(messages.columns)
        assert not np.any(trace.best_bid >= trace.best_ask)
    assert losses(run.sealed()) == []


def test_a_coinbase_exchange_heartbeat_shows_trades_that_the_recording_left_out(
    recordings: Path,
) -> None:
    sealed = replay(recordings, "coinbase_exchange/level2_batch_2026").sealed()
    assert losses(sealed) == [
        {"symbol": "ETH-USD", "dataset": "trades", "cause": "trade_id", "lost": 18}
    ]


@pytest.mark.parametrize(
    ("name", "depth", "messages", "trades", "verified"),
    [
        ("bybit/reshaped_2021", None, 4278, 251, 4268),
        ("coinbase/reshaped_2021", None, 9729, 107, 9942),
        ("kraken/reshaped_2021", 1000, 4279, 10, 4269),
    ],
)
def test_the_reshaped_recordings_have_lost_nothing(
    recordings: Path, name: str, depth: int | None, messages: int, trades: int, verified: int
) -> None:
    sealed = replay(recordings, name, depth).sealed()
    assert losses(sealed) == []
    assert sealed.summary.verified == verified
    assert sealed.summary.events[Dataset.ORDERBOOKS] == messages
    assert sealed.summary.events[Dataset.TRADES] == trades


def test_refusals_are_reported_and_cost_what_never_streamed(recordings: Path) -> None:
    sealed = replay(recordings, "kraken/quoted_trades_and_errors").sealed()
    assert sealed.summary.refusals == (
        "Subscription depth not supported",
        "Private data and trading are unavailable on this endpoint. Try ws-auth.kraken.com",
    )


def test_bybit_tickers_become_rows_only_of_what_they_say(recordings: Path) -> None:
    sealed = replay(recordings, "bybit/tickers").sealed()
    times = {"ts_event": 1790757082283000000, "ts_recv": 1790757082283000000}
    row = {"symbol": "BTCUSDT", "exchange": "bybit", "opening": False}
    assert plain(sealed.tables["BTCUSDT", Dataset.FUNDINGS]) == [
        row
        | times
        | {"ts": 1790757082283, "funding_rate": -0.00007774}
        | {"next_funding_ts": 1790784000000, "interval_hours": 8.0}
    ]
    interests = sealed.tables["BTCUSDT", Dataset.OPEN_INTERESTS]
    assert plain(interests)[0] == row | times | {
        "ts": 1790757082283,
        "open_interest": 57118.511,
        "open_interest_value": 4742247240.22,
    }
    assert plain(interests, "ts", "open_interest", "open_interest_value")[1:] == [
        {"ts": ts, "open_interest": amount, "open_interest_value": value}
        for ts, amount, value in (
            (1790757083083, 57118.511, 4742241528.37),
            (1790757084283, 57118.511, 4742692764.61),
            (1790757088284, 57125.336, 4743053810.21),
        )
    ]


def test_liquidations_keep_the_side_of_the_position(recordings: Path) -> None:
    sealed = replay(recordings, "bybit/liquidations_and_control").sealed()
    table = sealed.tables["BTCUSDT", Dataset.LIQUIDATIONS]
    assert plain(table, "liquidation_ts", "side", "price", "amount") == [
        {"liquidation_ts": 1791565600992, "side": "buy", "price": 82396.9, "amount": 0.006},
        {"liquidation_ts": 1791565601058, "side": "buy", "price": 82394.3, "amount": 0.038},
    ]
