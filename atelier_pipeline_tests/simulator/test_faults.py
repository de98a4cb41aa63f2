import itertools
import json
import re
from functools import cache

import pytest

from atelier_pipeline.errors import SettingsError
from atelier_pipeline.simulator import Fault, Faults, Script, frames, load_script
from atelier_pipeline.simulator.contents import content_of
from atelier_pipeline.simulator.exchanges import PROTOCOLS
from atelier_pipeline.simulator.session import Closing

SYMBOLS = {
    "bybit": ["BTCUSDT", "ETHUSDT"],
    "bybit_spot": ["BTCUSDT", "ETHUSDT"],
    "coinbase": ["BTC-USD", "ETH-USD"],
    "coinbase_exchange": ["BTC-USD", "ETH-USD"],
    "kraken": ["BTC/USD", "ETH/USD"],
}
EVERYWHERE = pytest.mark.parametrize("exchange", PROTOCOLS)


def received(exchange, *faults, duration_s=6):
    """(payload texts, what happened, the stream) with these faults."""
    script = Faults(Script(faults=list(faults)))
    stream = frames(exchange, SYMBOLS[exchange], duration_s=duration_s, levels=100, faults=script)
    return [payload.decode(errors="replace") for _, payload in stream], script.happened, stream


@cache
def without_faults(exchange):
    """The same payloads when nothing goes wrong."""
    return tuple(received(exchange)[0])


def of(exchange, payloads, channel, symbol=None):
    return [
        payload
        for payload in payloads
        for content in [content_of(exchange, payload)]
        if content.channel == channel and symbol in {None, content.symbol}
    ]


def test_no_faults_change_nothing():
    untouched, happened, _ = received("kraken")
    assert untouched == [
        p.decode() for _, p in frames("kraken", SYMBOLS["kraken"], duration_s=6, levels=100)
    ]
    assert not happened


@EVERYWHERE
def test_every_message_is_sorted_into_its_channel(exchange):
    payloads = without_faults(exchange)
    contents = [content_of(exchange, payload) for payload in payloads]
    assert "other" not in {content.channel for content in contents}
    for symbol in SYMBOLS[exchange]:
        books = [c for c in contents if c.channel == "book" and c.symbol == symbol]
        assert [content.is_snapshot for content in books] == [True] + [False] * (len(books) - 1)
        assert len(books) > 50
        assert sum(c.channel == "trades" and c.symbol == symbol for c in contents) > 5


@EVERYWHERE
def test_a_dropped_book_message_is_missing_and_nothing_else(exchange):
    symbol = SYMBOLS[exchange][0]
    clean = list(without_faults(exchange))
    fault = Fault(what="drop", channel="book", symbol=symbol, after_secs=2)
    faulty, happened, _ = received(exchange, fault)
    (drop,) = happened
    at = clean.index(drop.payload)
    assert faulty == clean[:at] + clean[at + 1 :]
    assert (drop.content.channel, drop.content.symbol) == ("book", symbol)
    assert (drop.exchange, drop.connection, drop.fault) == (exchange, 1, fault)


@EVERYWHERE
def test_a_duplicated_message_comes_twice(exchange):
    clean = list(without_faults(exchange))
    faulty, happened, _ = received(
        exchange, Fault(what="duplicate", channel="trades", after_secs=2, count=2)
    )
    assert len(happened) == 2
    for duplicate in happened:
        clean.insert(clean.index(duplicate.payload), duplicate.payload)
    assert faulty == clean


@EVERYWHERE
def test_a_reordered_message_comes_after_the_next_of_its_kind(exchange):
    symbol = SYMBOLS[exchange][1]
    clean = list(without_faults(exchange))
    faulty, happened, _ = received(
        exchange, Fault(what="reorder", channel="book", symbol=symbol, after_secs=1)
    )
    (held,) = happened
    clean_books = of(exchange, clean, "book", symbol)
    at = clean_books.index(held.payload)
    clean_books[at : at + 2] = reversed(clean_books[at : at + 2])
    assert of(exchange, faulty, "book", symbol) == clean_books
    assert sorted(faulty) == sorted(clean)


@EVERYWHERE
def test_a_delayed_message_comes_later_and_the_others_as_ever(exchange):
    clean = list(without_faults(exchange))
    faulty, happened, _ = received(
        exchange, Fault(what="delay", channel="book", after_secs=1, delay_secs=1.5)
    )
    (late,) = happened
    assert [p for p in faulty if p != late.payload] == [p for p in clean if p != late.payload]
    assert faulty.index(late.payload) > clean.index(late.payload) + 30


@EVERYWHERE
def test_an_ack_can_be_made_to_come_after_data(exchange):
    faulty, _, _ = received(exchange, Fault(what="delay", channel="ack", count=0, delay_secs=2))
    channels = [content_of(exchange, payload).channel for payload in faulty]
    assert channels.index("ack") > channels.index("trades")


@EVERYWHERE
def test_a_stalled_exchange_sends_everything_at_once_afterwards(exchange):
    script = Faults(Script(faults=[Fault(what="stall", after_secs=2, for_secs=2)]))
    start = 1_767_225_600 * 10**9
    stream = frames(
        exchange, SYMBOLS[exchange], duration_s=6, levels=100, faults=script, start_ns=start
    )
    times, payloads = zip(*((ts - start, payload.decode()) for ts, payload in stream), strict=True)
    assert payloads == without_faults(exchange)
    assert not [ts for ts in times if 2_010_000_000 < ts < 4_000_000_000]
    assert len([ts for ts in times if 4_000_000_000 <= ts < 4_060_000_000]) > 80


@EVERYWHERE
def test_a_corrupted_digit_changes_one_character_of_a_size(exchange):
    clean = list(without_faults(exchange))
    faulty, happened, _ = received(
        exchange, Fault(what="corrupt_digit", channel="book", after_secs=2)
    )
    at = clean.index(happened[0].payload)
    changed = [(a, b) for a, b in zip(clean[at], faulty[at], strict=True) if a != b]
    assert len(changed) == 1
    assert "".join(changed[0]).isdigit()
    assert json.loads(faulty[at]).keys() == json.loads(clean[at]).keys()
    assert faulty[:at] + faulty[at + 1 :] == clean[:at] + clean[at + 1 :]


def test_a_corrupted_checksum_is_another_number_and_nothing_else():
    clean = list(without_faults("kraken"))
    faulty, happened, _ = received(
        "kraken", Fault(what="corrupt_checksum", channel="book", after_secs=2)
    )
    (entry,) = happened
    at = clean.index(entry.payload)
    was, now = json.loads(clean[at]), json.loads(faulty[at])
    assert was["data"][0].pop("checksum") != now["data"][0].pop("checksum")
    assert was == now


@EVERYWHERE
def test_a_truncated_message_is_not_json_and_garbage_is_an_extra_binary_frame(exchange):
    clean = list(without_faults(exchange))
    faults = [
        Fault(what="truncate", channel="book", after_secs=2),
        Fault(what="garbage", channel="trades", after_secs=2, size_bytes=100),
    ]
    script = Faults(Script(faults=faults))
    stream = frames(exchange, SYMBOLS[exchange], duration_s=6, levels=100, faults=script)
    payloads = [payload for _, payload in stream]
    cut, before_garbage = sorted(script.happened, key=lambda entry: entry.fault.what != "truncate")
    broken = cut.payload[: len(cut.payload) // 2].encode()
    assert broken in payloads
    assert cut.payload.encode() not in payloads
    garbage = payloads[payloads.index(before_garbage.payload.encode()) - 1]
    assert len(garbage) == 100
    assert len(payloads) == len(clean) + 1
    assert content_of(exchange, garbage).channel == content_of(exchange, broken).channel == "other"


@EVERYWHERE
def test_an_oversize_frame_is_the_same_message_with_padding(exchange):
    clean = list(without_faults(exchange))
    faulty, happened, _ = received(
        exchange, Fault(what="oversize", channel="trades", after_secs=1, size_bytes=100_000)
    )
    at = clean.index(happened[0].payload)
    assert len(faulty[at]) == 100_000
    assert json.loads(faulty[at]) == json.loads(clean[at])


@EVERYWHERE
@pytest.mark.parametrize(("by", "steps"), [(3, 4), (-1, 0)])
def test_renumbering_skips_or_repeats_once_and_then_goes_on(exchange, by, steps):
    mark = {"coinbase": '"sequence_num":', "bybit": '"u":', "bybit_spot": '"u":'}
    pattern = re.compile(mark.get(exchange, '"trade_id":') + r"(\d+)")
    channel = "book" if exchange in mark else "trades"
    symbol = None if exchange == "coinbase" else SYMBOLS[exchange][0]
    faulty, happened, _ = received(
        exchange, Fault(what="renumber", channel=channel, symbol=symbol, after_secs=2, by=by)
    )
    chosen = faulty if exchange == "coinbase" else of(exchange, faulty, channel, symbol)
    numbers = [int(number) for payload in chosen for number in pattern.findall(payload)]
    differences = [after - before for before, after in itertools.pairwise(numbers)]
    assert len(happened) == 1
    assert sorted(differences) == sorted([1] * (len(differences) - 1) + [steps])
    if exchange != "coinbase":
        other = of(exchange, faulty, channel, SYMBOLS[exchange][1])
        assert other == of(exchange, without_faults(exchange), channel, SYMBOLS[exchange][1])


def test_a_skipped_trade_shows_in_the_heartbeat_of_its_product_too():
    fault = Fault(what="renumber", channel="trades", symbol="BTC-USD", by=5)
    faulty, _, _ = received("coinbase_exchange", fault)
    last = None
    for message in map(json.loads, faulty):
        if message.get("product_id") != "BTC-USD":
            continue
        if message["type"] == "heartbeat" and last is not None:
            assert message["last_trade_id"] == last
        last = message.get("trade_id", last)


@pytest.mark.parametrize("exchange", ["bybit", "bybit_spot"])
def test_a_restart_is_the_exchanges_own_and_of_one_symbol(exchange):
    faulty, happened, _ = received(exchange, Fault(what="restart", symbol="BTCUSDT", after_secs=2))
    books = [json.loads(payload) for payload in of(exchange, faulty, "book")]
    restarts = [book for book in books if book["data"]["u"] == 1]
    assert [(book["data"]["s"], book["type"]) for book in restarts] == [("BTCUSDT", "delta")]
    assert len(restarts[0]["data"]["b"]) == 50
    assert [entry.content for entry in happened] == [None]


@EVERYWHERE
def test_silence_lets_nothing_through_and_quiet_lets_signs_of_life_through(exchange):
    clean = list(without_faults(exchange))
    silence = Fault(what="silence", after_secs=1.5, for_secs=3)
    silent, dropped, _ = received(exchange, silence)
    assert len(dropped) + len(silent) == len(clean)
    assert {entry.content.channel for entry in dropped} >= {"book", "trades"}
    quiet, dropped, _ = received(exchange, Fault(what="quiet", after_secs=1.5, for_secs=3))
    assert len(dropped) + len(quiet) == len(clean)
    assert {entry.content.channel for entry in dropped} <= {
        "book",
        "trades",
        "ticker",
        "liquidations",
    }
    assert of(exchange, quiet, "heartbeat") == of(exchange, clean, "heartbeat")


@EVERYWHERE
def test_a_closed_and_an_aborted_connection_end_there(exchange):
    clean = list(without_faults(exchange))
    closed, _, stream = received(exchange, Fault(what="close", after_secs=2, code=4000, reason="x"))
    assert stream.session.closing == Closing(4000, "x")
    assert closed == clean[: len(closed)]
    assert 0.2 < len(closed) / len(clean) < 0.5
    aborted, _, stream = received(exchange, Fault(what="abort", after_secs=2))
    assert stream.session.closing == Closing(None)
    assert aborted == closed


@EVERYWHERE
def test_a_refused_subscription_names_the_symbol_in_the_exchanges_words(exchange):
    symbol = SYMBOLS[exchange][0]
    faulty, happened, _ = received(exchange, Fault(what="refuse", symbol=symbol))
    refusals = of(exchange, faulty, "refusal")
    assert len(refusals) == 1
    assert symbol in refusals[0]
    assert len(happened) == 1
    assert symbol in happened[0].payload


@EVERYWHERE
def test_an_ignored_subscription_is_never_answered(exchange):
    faulty, happened, _ = received(exchange, Fault(what="ignore", count=0))
    answered = {content_of(exchange, payload).channel for payload in faulty}
    assert answered <= {"heartbeat", "ack"}
    assert not of(exchange, faulty, "book")
    assert happened


@EVERYWHERE
def test_a_subscription_heard_late_is_answered_late(exchange):
    script = Faults(Script(faults=[Fault(what="hear_late", count=0, delay_secs=3)]))
    start = 1_767_225_600 * 10**9
    stream = frames(
        exchange, SYMBOLS[exchange], duration_s=6, levels=100, faults=script, start_ns=start
    )
    first = min(
        ts - start for ts, payload in stream if content_of(exchange, payload).channel == "book"
    )
    assert 3_000_000_000 < first < 3_200_000_000


@EVERYWHERE
def test_a_skewed_clock_moves_every_time_of_the_exchange(exchange):
    clean = list(without_faults(exchange))
    faulty, _, _ = received(exchange, Fault(what="skew", skew_secs=3600))
    assert len(faulty) == len(clean)
    iso = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d)(:\d\d:\d\d)[\d.]*Z")
    millis = re.compile(r'"(ts|cts|T)":(\d{13})')
    moved = 0
    for was, now in zip(clean, faulty, strict=True):
        for key, value in millis.findall(was):
            assert f'"{key}":{int(value) + 3_600_000}' in now
            moved += 1
        hours = [int(hour) for _, hour, _ in iso.findall(was)]
        assert [int(hour) for _, hour, _ in iso.findall(now)] == [(h + 1) % 24 for h in hours]
        moved += len(hours)
    assert moved > 200


@pytest.mark.parametrize("exchange", ["coinbase", "coinbase_exchange", "kraken"])
def test_year_one_replaces_the_times_of_a_message(exchange):
    clean = list(without_faults(exchange))
    faulty, happened, _ = received(exchange, Fault(what="year_one", channel="book", after_secs=2))
    at = clean.index(happened[0].payload)
    assert '"0001-01-01T00:00:00.000000Z"' in faulty[at]
    assert "2026" not in faulty[at]
    assert faulty[at + 1 :] == clean[at + 1 :]


def test_a_lost_snapshot_is_a_drop_of_that_channel():
    faulty, _, _ = received("kraken", Fault(what="drop", channel="snapshot", symbol="ETH/USD"))
    books = {s: of("kraken", faulty, "book", s) for s in SYMBOLS["kraken"]}
    assert [content_of("kraken", b[0]).is_snapshot for b in books.values()] == [True, False]


def test_probability_picks_a_share_of_the_messages_by_the_scripts_seed():
    def dropped(seed):
        fault = Fault(what="drop", channel="book", count=0, probability=0.25)
        script = Faults(Script(seed=seed, faults=[fault]))
        for _ in frames("kraken", SYMBOLS["kraken"], duration_s=20, levels=100, faults=script):
            pass
        return [entry.payload for entry in script.happened]

    assert dropped(1) == dropped(1) != dropped(2)
    assert 120 < len(dropped(1)) < 280


def test_a_fault_of_the_second_connection_or_another_exchange_leaves_the_first_alone():
    clean = list(without_faults("kraken"))
    faults = [
        Fault(what="drop", connection=2, count=0),
        Fault(what="silence", exchange="bybit"),
        Fault(what="restart"),
    ]
    assert received("kraken", *faults)[0] == clean


def test_a_script_is_read_from_toml(tmp_path):
    path = tmp_path / "faults.toml"
    path.write_text(
        """
        seed = 3
        [[faults]]
        what = "corrupt_checksum"
        exchange = "kraken"
        symbol = "BTC/USD"
        channel = "book"
        after_secs = 3
        count = 2
        [[faults]]
        what = "close"
        code = 1001
        """
    )
    assert load_script(path) == Script(
        seed=3,
        faults=[
            Fault(
                what="corrupt_checksum",
                exchange="kraken",
                symbol="BTC/USD",
                channel="book",
                after_secs=3.0,
                count=2,
            ),
            Fault(what="close", code=1001),
        ],
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('what = "explode"', "Invalid enum value 'explode' - at `$.faults[0].what`"),
        ('what = "drop"\nhow = 1', "unknown field `how` - at `$.faults[0]`"),
        ('what = "drop"\ncount = -1', "Expected `int` >= 0 - at `$.faults[0].count`"),
        ('what = "drop"\nexchange = "nyse"', "faults[0].exchange is 'nyse', not one of"),
        (
            'what = "drop"\nexchange = "kraken"\nsymbol = "XBT/USD"',
            "faults[0].symbol 'XBT/USD' is not listed on kraken",
        ),
        (
            'what = "corrupt_checksum"\nexchange = "bybit"',
            "faults[0].what 'corrupt_checksum' cannot happen on bybit",
        ),
    ],
)
def test_a_script_with_a_mistake_is_refused_with_file_and_key(tmp_path, line, words):
    path = tmp_path / "faults.toml"
    path.write_text(f"[[faults]]\n{line}\n")
    with pytest.raises(SettingsError) as refused:
        load_script(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert words in str(refused.value)


def test_a_script_that_is_not_there_is_a_settings_error(tmp_path):
    with pytest.raises(SettingsError, match=r"faults\.toml"):
        load_script(tmp_path / "faults.toml")
