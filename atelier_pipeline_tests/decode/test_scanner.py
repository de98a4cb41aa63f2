"""The scanner reads less than each exchange's own decoder, and never anything else."""

import dataclasses
import random
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atelier_pipeline.decode.scanner import Scanner
from atelier_pipeline.decode.scope import Scope
from atelier_pipeline.decode.seal import Sealed, seal
from atelier_pipeline.errors import DecodeError
from atelier_pipeline.exchanges.contract import ConnectionSequence, Exchange
from atelier_pipeline.exchanges.registry import EXCHANGES, exchange_named
from atelier_pipeline.lake.recordings import read_recording
from atelier_pipeline.market.events import NormalizedDelta
from atelier_pipeline.market.window import Window
from atelier_pipeline.simulator import Fault, Faults, Script, frames
from atelier_pipeline_tests.decode.replays import replay
from atelier_pipeline_tests.decode.scans import RECV, assert_less_and_never_else, scanned
from atelier_pipeline_tests.decode.script import frames_batch
from atelier_pipeline_tests.decode.test_invariance import assert_same
from atelier_pipeline_tests.exchanges.own_recordings import own_frames

BY_NAME = pytest.mark.parametrize("name", EXCHANGES)
SYMBOLS = {
    "bybit": ("BTCUSDT", "ETHUSDT"),
    "bybit_spot": ("BTCUSDT", "ETHUSDT"),
    "coinbase": ("BTC-USD", "ETH-USD"),
    "coinbase_exchange": ("BTC-USD", "ETH-USD"),
    "kraken": ("BTC/USD", "ETH/USD"),
}
RECORDED = (
    *("bybit/reshaped_2021", "bybit/liquidations_and_control", "bybit/tickers"),
    *("bybit_spot/btcusdt_book50_trades", "bybit_spot/testnet_book1_book50_trades"),
    *("coinbase/btc-usd_level2_heartbeats", "coinbase/two_products_seq19-24"),
    *("coinbase/reshaped_2021", "coinbase_exchange/ten_products_2021"),
    *("coinbase_exchange/level2_batch_2026", "kraken/btc-usd_book10", "kraken/btc-usd_book25"),
    *("kraken/quoted_trades_and_errors", "kraken/reshaped_2021"),
)
TOKENS = (
    *(b"0", b"00", b"0.0", b"007", b"1.", b".5", b"-1", b"+1", b"1e3", b"1E-2", b"0.10", b" 1"),
    *(b"9007199254740991", b"9007199254740992", b"0.1234567890123456", b"12345678901234567"),
    *(b"999999999999999999", b"1000000000000000000", b"18446744073709551616", b"9" * 40),
    *(b"4294967295", b"4294967296", b"9223372036854", b"9223372036855", b"null", b'"1"', b'""'),
    *(b"1970-01-01T00:00:00Z", b"2024-02-29T23:59:59.1Z", b"2025-02-29T00:00:00Z", b"1e999"),
    *(b"snapshot", b"update", b"delta", b"\\u0041", b"A.B", b"X" * 24, b"X" * 25, b"\xc3\xa9"),
)
EXACT = (
    *("9007199254740991", "0.00000000000000123", "123456789.1234567", "1000000000000000"),
    *("9007199254740992", "99999997.00000000", "90071992547409920", "0.1", "100", "31.75709827"),
)
NOT_EXACT = (
    *(
        "9007199254740993",
        "900719925474099300",
        "0.000000000000001234",
        "1000000000000000000",
        "12345678901234567890",
    ),
    *("01", "00.1", "1.", ".1", "1.2.3", "-1", "+1", "1e2", "1_0", " 1", "NaN", ""),
)
TIMED = pytest.mark.parametrize("name", ["coinbase", "coinbase_exchange", "kraken"])
TIMES = (
    *("2024-02-29T23:59:59Z", "2100-02-28T00:00:00.000000001Z", "1971-01-01T00:00:00.5Z"),
    *("2261-12-31T23:59:59.999999999Z", "2000-02-29T12:30:00.120Z", "2026-12-31T00:00:00Z"),
)
NO_TIMES = (
    *("2025-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2025-04-31T00:00:00Z"),
    *("2025-13-01T00:00:00Z", "2025-00-01T00:00:00Z", "2025-01-00T00:00:00Z"),
    *("2025-01-01T24:00:00Z", "2025-01-01T00:60:00Z", "2025-01-01T00:00:60Z"),
    *("2025-01-01T00:00:00.Z", "2025-01-01T00:00:00.0123456789Z", "2025-01-01T00:00:00z"),
    *("2025-01-01 00:00:00Z", "2025-01-0xT00:00:00Z", "2025-01-01T00:00:00+00:00", ""),
    *("1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "2262-01-01T00:00:00Z"),
)


def frame_of(exchange: Exchange, symbol: str, **values: str) -> bytes:
    """A change to a book in the exchange's longest shape, with one level on every list."""
    texts = {"price": "100.5", "size": "2", "iso": "2026-07-16T20:28:52.106115326Z", "ms": "5"}
    texts |= {"symbol": symbol, "word": symbol, "text": "", "integer": "9"}
    texts |= {"update_id": "7", "checksum": "8", "number": "9", **values}
    shapes = [shape for shape in exchange.book_shapes if not shape.is_snapshot]
    shape = max(shapes, key=lambda each: len(each.frame))
    lists = dict.fromkeys(("bids", "asks", "changes"), shape.level)
    text = re.sub("<(bids|asks|changes)>", lambda name: lists[name[1]], shape.frame)
    return re.sub(
        "<([^>]*)>", lambda name: texts.get(name[1], name[1].split("|")[0]), text
    ).encode()


def books_of(
    exchange: Exchange, payloads: Sequence[bytes]
) -> Iterator[tuple[int, NormalizedDelta]]:
    """The frames that are one order book message and, where they have one, a number."""
    for row, payload in enumerate(payloads):
        match [e for e in exchange.decode(payload, RECV) if not isinstance(e, ConnectionSequence)]:
            case [NormalizedDelta() as delta]:
                yield row, delta


def faulty_frames(name: str) -> list[tuple[int, bytes]]:
    """Simulated minutes with what goes wrong in books."""
    what = ("drop", "duplicate", "corrupt_digit", "corrupt_checksum", "truncate", "garbage")
    what = (*what, "renumber", "restart", "year_one", "reorder")
    faults = [
        Fault(what=each, channel="book", after_secs=1 + at, count=2, probability=0.5)
        for at, each in enumerate(what)
    ]
    script = Faults(Script(faults=faults))
    return list(frames(name, SYMBOLS[name], duration_s=14, rate=40, levels=60, faults=script))


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_frames_are_scanned_as_they_are_decoded(recordings: Path, name: str) -> None:
    exchange = exchange_named(name.partition("/")[0])
    payloads = [payload for _, payload in read_recording(recordings / f"{name}.frames.gz")]
    books = dict(books_of(exchange, payloads))
    symbols = sorted({each.symbol for each in books.values()})
    rows = assert_less_and_never_else(exchange, symbols, payloads)
    deltas = {row for row, delta in books.items() if not delta.is_snapshot}
    # These two were written down with other keys, or in another order, than is usual.
    if name not in {"bybit/liquidations_and_control", "coinbase_exchange/level2_batch_2026"}:
        assert deltas <= rows


@BY_NAME
def test_own_recordings_are_scanned_as_they_are_decoded(name: str) -> None:
    exchange = exchange_named(name)
    payloads = [payload for _, payload in own_frames(name)]
    assert assert_less_and_never_else(exchange, SYMBOLS[name], payloads)


@BY_NAME
def test_every_change_that_the_simulator_sends_is_scanned(name: str) -> None:
    exchange = exchange_named(name)
    sent = frames(name, SYMBOLS[name], duration_s=5, rate=40, levels=60)
    payloads = [payload for _, payload in sent]
    rows = assert_less_and_never_else(exchange, SYMBOLS[name], payloads)
    assert {row for row, book in books_of(exchange, payloads) if not book.is_snapshot} <= rows


def mutations() -> dict[str, Callable[[random.Random, bytes], bytes]]:
    def cut(rng: random.Random, frame: bytes) -> tuple[int, int]:
        start = rng.randrange(len(frame))
        return start, min(start + rng.choice((1, 1, 2, 5, 40)), len(frame))

    def replaced(rng: random.Random, frame: bytes) -> bytes:
        values = [*re.finditer(rb"[-\w.:/]+", frame)]
        value = rng.choice(values[-40:] or [re.match(b"", frame)])
        return frame[: value.start()] + rng.choice(TOKENS) + frame[value.end() :]

    def without(rng: random.Random, frame: bytes) -> bytes:
        start, end = cut(rng, frame)
        return frame[:start] + frame[end:]

    def doubled(rng: random.Random, frame: bytes) -> bytes:
        start, end = cut(rng, frame)
        return frame[:end] + frame[start:]

    def changed(rng: random.Random, frame: bytes) -> bytes:
        start, _ = cut(rng, frame)
        letter = bytes([rng.choice(b'0123456789.,:"[]{} -eE\\ZTx\x00\xff')])
        return frame[:start] + letter + frame[start + rng.randrange(2) :]

    def swapped(rng: random.Random, frame: bytes) -> bytes:
        parts = frame.split(b",")
        one, other = rng.randrange(len(parts)), rng.randrange(len(parts))
        parts[one], parts[other] = parts[other], parts[one]
        return b",".join(parts)

    def truncated(rng: random.Random, frame: bytes) -> bytes:
        return frame[: rng.randrange(len(frame))]

    return {
        each.__name__: each for each in (replaced, without, doubled, changed, swapped, truncated)
    }


@BY_NAME
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_frame_with_anything_changed_is_left_or_scanned_as_it_is_decoded(
    name: str, seed: int
) -> None:
    exchange, ways = exchange_named(name), list(mutations().values())
    rng = random.Random(seed)  # noqa: S311 - which frames are tried is no secret
    whole = [frame_of(exchange, symbol) for symbol in SYMBOLS[name]]
    whole += [payload for _, payload in own_frames(name) if len(payload) < 2_000]
    payloads = [rng.choice(ways)(rng, rng.choice(whole)) for _ in range(250)]
    payloads += [rng.choice(ways)(rng, each) for each in payloads if each]
    found = scanned(exchange, SYMBOLS[name], payloads)
    for row in found.row.tolist():
        try:
            exchange.decode(payloads[row], RECV)
        except DecodeError as error:
            pytest.fail(f"scanned, but {error}")
    assert_less_and_never_else(exchange, SYMBOLS[name], payloads)


@BY_NAME
@pytest.mark.parametrize("value", EXACT)
def test_numbers_whose_digits_are_a_float_exactly_are_scanned(name: str, value: str) -> None:
    exchange, symbols = exchange_named(name), SYMBOLS[name]
    told = [frame_of(exchange, symbols[0], **{key: value}) for key in ("price", "size")]
    assert assert_less_and_never_else(exchange, symbols, told) == {0, 1}


@BY_NAME
@pytest.mark.parametrize("value", NOT_EXACT)
def test_other_numbers_are_left_to_the_decoder(name: str, value: str) -> None:
    exchange, symbols = exchange_named(name), SYMBOLS[name]
    told = [frame_of(exchange, symbols[0], **{key: value}) for key in ("price", "size")]
    assert not len(scanned(exchange, symbols, told).row)


@BY_NAME
def test_a_size_of_nothing_is_scanned_and_a_price_of_nothing_is_left(name: str) -> None:
    exchange, symbols = exchange_named(name), SYMBOLS[name]
    told = [frame_of(exchange, symbols[0], **{key: "0.00"}) for key in ("price", "size")]
    assert assert_less_and_never_else(exchange, symbols, told) == {1}


@TIMED
@pytest.mark.parametrize("time", TIMES)
def test_times_of_the_calendar_are_scanned(name: str, time: str) -> None:
    frame = frame_of(exchange_named(name), SYMBOLS[name][0], iso=time)
    assert assert_less_and_never_else(exchange_named(name), SYMBOLS[name], [frame])


@TIMED
@pytest.mark.parametrize("time", NO_TIMES)
def test_other_times_are_left_to_the_decoder(name: str, time: str) -> None:
    frame = frame_of(exchange_named(name), SYMBOLS[name][0], iso=time)
    assert not len(scanned(exchange_named(name), SYMBOLS[name], [frame]).row)


@BY_NAME
def test_at_most_one_shape_fits_a_frame(name: str) -> None:
    exchange = exchange_named(name)
    backwards = dataclasses.replace(exchange, book_shapes=exchange.book_shapes[::-1])
    payloads = [payload for _, payload in faulty_frames(name)]
    assert assert_less_and_never_else(
        exchange, SYMBOLS[name], payloads
    ) == assert_less_and_never_else(backwards, SYMBOLS[name], payloads)


def test_a_bybit_book_is_whole_after_a_restart_whatever_it_says() -> None:
    exchange = exchange_named("bybit")
    restarted = frame_of(exchange, "BTCUSDT", update_id="1")
    found = scanned(exchange, ["BTCUSDT"], [restarted, frame_of(exchange, "BTCUSDT")])
    assert found.columns.is_snapshot.tolist() == [True, False]


def test_frames_that_nobody_wants_are_left() -> None:
    exchange = exchange_named("kraken")
    column = pa.array([frame_of(exchange, "BTC/USD")] * 3, pa.binary())
    found = Scanner(exchange.book_shapes, []).scan(column, np.array([False, True, False]))
    assert found.row.tolist() == [1]
    assert found.symbol.tolist() == [-1]


def sealed_both_ways(
    rows: Sequence[tuple[int, int, str, bytes]], scope: Scope, window: Window
) -> tuple[Sealed, Sealed]:
    """Sealed with the shapes of the scope's exchange, and with none."""
    plain = dataclasses.replace(scope.exchange, book_shapes=())
    scopes = (scope, dataclasses.replace(scope, exchange=plain))
    edges = range(0, len(rows), 700)
    batches = [frames_batch(rows[start : start + 700], start) for start in edges]
    with_shapes, without = (seal(batches, each, window, whole=True) for each in scopes)
    return with_shapes, without


@pytest.mark.parametrize("name", RECORDED)
def test_a_recording_is_sealed_into_the_same_tables_without_shapes(
    recordings: Path, name: str
) -> None:
    depth = 1000 if name == "kraken/reshaped_2021" else 25
    replayed = replay(recordings, name, depth if name.startswith("kraken") else None)
    assert_same(*sealed_both_ways(replayed.rows, replayed.scope, replayed.window))


@BY_NAME
def test_a_faulty_market_is_sealed_into_the_same_tables_without_shapes(name: str) -> None:
    exchange, received = exchange_named(name), faulty_frames(name)
    rows = [(recv, 0, "text", payload) for recv, payload in received]
    rows[300:300] = [(rows[299][0], 0, "closed", b'{"cause":"disconnect","reason":"cut"}')]
    rows += [(recv, 1, kind, payload) for recv, _, kind, payload in rows[-50:]]
    datasets = dict.fromkeys(SYMBOLS[name], exchange.datasets)
    scope = Scope(exchange, "replay", "replay", datasets, exchange.offered_depth(10))
    window = Window(received[0][0] // 10**9 * 10**9, (received[-1][0] // 10**9 + 1) * 10**9)
    with_shapes, without = sealed_both_ways(rows, scope, window)
    assert_same(with_shapes, without)
    assert with_shapes.summary.losses
