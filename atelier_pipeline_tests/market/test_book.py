"""The compiled book, proved by recorded checksums and by the plain book."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atelier_pipeline.market import OrderbookDelta
from atelier_pipeline.market.book import BookState
from atelier_pipeline_tests.market.messages import (
    EXCHANGE,
    SYMBOL,
    columns_of,
    kraken_messages,
    message,
    messages_strategy,
)

# A book of depth 2 as Kraken v2 sends it; the checksums are zlib.crc32 of the digits alongside.
KRAKEN = [
    message(
        [(63004.9, 0.01876947), (63003.3, 0.000051)],
        [(63005.0, 2.07265551), (63005.1, 0.5500686)],
        is_snapshot=True,
        checksum=1856450754,  # 630050207265551 63005155006860 6300491876947 6300335100
        digits=[(630049, 1876947), (630033, 5100), (630050, 207265551), (630051, 55006860)],
    ),
    message(
        [(63005.0, 0.0), (63004.0, 1.0)],
        [(63004.95, 1.5)],
        checksum=569808036,  # 6300495150000000 630050207265551 6300491876947 630040100000000
        digits=[(630050, 0), (630040, 100000000), (6300495, 150000000)],
    ),
]


def levels(book: BookState) -> tuple[list, list]:
    bids, asks = book.levels()
    return [tuple(level) for level in bids.tolist()], [tuple(level) for level in asks.tolist()]


def test_a_snapshot_replaces_and_changes_set_delete_and_come_last_wins():
    book = BookState(None)
    trace = book.apply(
        columns_of(
            [
                message([(99, 1), (100, 2), (98, 3)], [(103, 1), (102, 2)], is_snapshot=True),
                message([(100, 0), (99, 7), (97, 1)], [(101, 5), (101, 6), (150, 0)]),
            ]
        )
    )
    assert levels(book) == (
        [(99.0, 7.0), (98.0, 3.0), (97.0, 1.0)],
        [(101.0, 6.0), (102.0, 2.0), (103.0, 1.0)],
    )
    assert trace.best_bid.tolist() == [100.0, 99.0]
    assert trace.best_ask.tolist() == [102.0, 101.0]
    assert trace.checksum_ok.tolist() == [-1, -1]


def test_a_snapshot_with_a_repeated_price_keeps_the_last_entry():
    book = BookState(None)
    book.apply(columns_of([message([(1, 1), (1, 0), (2, 1), (2, 3)], [], is_snapshot=True)]))
    assert levels(book) == ([(2.0, 3.0)], [])


def test_an_empty_side_has_no_best_price():
    trace = BookState(None).apply(columns_of([message([(1, 1)], []), message([(1, 0)], [])]))
    assert trace.best_bid[0] == 1.0
    assert math.isnan(trace.best_bid[1])
    assert np.isnan(trace.best_ask).all()


def test_a_cleared_book_starts_anew():
    book = BookState(None)
    book.apply(columns_of([message([(1, 1)], [(2, 1)])]))
    book.clear()
    assert levels(book) == ([], [])
    book.apply(columns_of([message([(3, 1)], [])]))
    assert levels(book) == ([(3.0, 1.0)], [])


def test_levels_pushed_out_of_the_depth_are_gone_for_good():
    book = BookState(2)
    book.apply(columns_of([message([(1, 1), (2, 1)], [(5, 1), (6, 1)], is_snapshot=True)]))
    book.apply(columns_of([message([(3, 1)], [(4, 1)]), message([(3, 0)], [(4, 0)])]))
    assert levels(book) == ([(2.0, 1.0)], [(5.0, 1.0)])


def test_kraken_checksums_cover_asks_then_bids_of_the_cut_book():
    assert BookState(2).apply(columns_of(KRAKEN)).checksum_ok.tolist() == [1, 1]
    assert BookState(None).apply(columns_of(KRAKEN)).checksum_ok.tolist() == [1, 0]


def test_digits_that_do_not_fit_leave_a_checksum_unchecked():
    unfit = message([(63004.9, 1e12)], [], checksum=1, digits=[(630049, 0)])
    assert BookState(2).apply(columns_of([KRAKEN[0], unfit])).checksum_ok.tolist() == [1, -1]


def test_levels_that_came_without_digits_leave_a_checksum_unchecked():
    book = BookState(2)
    book.apply(columns_of([message([(63004.9, 1.0)], [])]))
    later = message([], [(63005.0, 1.0)], checksum=1, digits=[(630050, 100000000)])
    assert book.apply(columns_of([later])).checksum_ok.tolist() == [-1]


def test_a_whole_book_of_many_levels_loads_from_one_snapshot_and_goes_on():
    prices = np.arange(1, 22_501)
    bids = [(float(price), 1.0) for price in prices]
    asks = [(float(price), 2.0) for price in prices + 22_500]
    book = BookState(None)
    book.apply(columns_of([message(bids, asks, is_snapshot=True)]))
    book.apply(columns_of([message([(0.5, 1), (22_500, 0)], [(22_500.5, 3)])]))
    best_bids, best_asks = book.levels()
    assert best_bids.tolist() == [list(level) for level in reversed(bids[:-1])] + [[0.5, 1.0]]
    assert best_asks.tolist() == [[22_500.5, 3.0]] + [list(level) for level in asks]


def test_the_kernel_equals_the_plain_book_message_by_message_over_a_long_run():
    random = np.random.default_rng(7)
    changes = random.integers(0, [900, 3], (200, 2, 20, 2)).astype(float).tolist()
    messages = [
        message([tuple(level) for level in bids], [tuple(level) for level in asks])
        for bids, asks in changes
    ]
    assert_equals_the_plain_book(messages, depth=None, cuts=[50, 51, 120])
    assert_equals_the_plain_book(messages, depth=25, cuts=[1])


@settings(max_examples=150, deadline=None)
@given(messages_strategy(), st.sampled_from([None, 1, 3, 10]), st.lists(st.integers(0, 12)))
def test_the_kernel_equals_the_plain_book_in_any_split(messages, depth, cuts):
    assert_equals_the_plain_book(messages, depth, cuts)


def assert_equals_the_plain_book(messages, depth, cuts):
    kernel, plain = BookState(depth), OrderbookDelta(exchange=EXCHANGE, symbol=SYMBOL, depth=depth)
    bounds = [0, *sorted(min(cut, len(messages)) for cut in cuts), len(messages)]
    for start, end in itertools.pairwise(bounds):
        trace = kernel.apply(columns_of(messages[start:end]))
        for i, delta in enumerate(messages[start:end]):
            plain.apply(delta)
            expected = plain.to_orderbook(0)
            assert best(trace.best_bid[i]) == (expected.bids[0][0] if expected.bids else None)
            assert best(trace.best_ask[i]) == (expected.asks[0][0] if expected.asks else None)
        expected = plain.to_orderbook(0)
        assert levels(kernel) == (expected.bids, expected.asks)


def best(price: float) -> float | None:
    return None if math.isnan(price) else price


@pytest.mark.parametrize(
    ("file", "depth", "verified"), [("btc-usd_book10", 10, 301), ("btc-usd_book25", 25, 2052)]
)
def test_every_recorded_kraken_checksum_verifies(recordings, file, depth, verified):
    messages = kraken_messages(recordings / "kraken" / f"{file}.frames.gz")["BTC/USD"]
    trace = BookState(depth).apply(columns_of(messages))
    assert trace.checksum_ok.tolist() == [1] * verified


def test_without_the_cut_to_depth_most_recorded_checksums_fail(recordings):
    messages = kraken_messages(recordings / "kraken" / "btc-usd_book25.frames.gz")["BTC/USD"]
    trace = BookState(None).apply(columns_of(messages))
    assert np.count_nonzero(trace.checksum_ok == 1) == 220


def test_every_checksum_of_ten_pairs_verifies_at_depth_1000(recordings):
    by_symbol = kraken_messages(recordings / "kraken" / "reshaped_2021.frames.gz")
    for messages in by_symbol.values():
        trace = BookState(1000).apply(columns_of(messages))
        assert trace.checksum_ok.tolist() == [-1] + [1] * (len(messages) - 1)
        assert not np.any(trace.best_bid >= trace.best_ask)
    assert sum(map(len, by_symbol.values())) == 4279
