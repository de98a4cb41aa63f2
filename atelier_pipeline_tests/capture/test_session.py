"""Captures of whole windows over real sockets: what is journaled, and how they end."""

import asyncio
import json
import logging
import resource
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from atelier_pipeline.capture import (
    CaptureLimits,
    CaptureProgress,
    CaptureReport,
    Ending,
    capture_window,
)
from atelier_pipeline.decode.watch import Watch
from atelier_pipeline.errors import (
    ConnectionFailedError,
    JournalError,
    SubscriptionRejectedError,
    WindowOverError,
)
from atelier_pipeline.exchanges.contract import RateLimit
from atelier_pipeline.lake.journal import JournalMeta
from atelier_pipeline.lake.journal_reader import read_journal
from atelier_pipeline.manifest import Collector, load_manifests
from atelier_pipeline.market.window import Window
from atelier_pipeline_tests.capture.samples import (
    CHECKSUM,
    NS_PER_SEC,
    accepted,
    book,
    collector,
    of_kind,
    rows,
    window,
)
from atelier_pipeline_tests.capture.servers import Script, scripted, simulated
from atelier_pipeline_tests.reference_tables import ROOT

DEMO = load_manifests(ROOT / "atelier_pipeline" / "manifests" / "demo")
SMALL = CaptureLimits(window_disk_bytes=1, disk_floor_bytes=0)


def capture(
    url: str, journal: Path, made: Collector | None = None, **options: Any
) -> CaptureReport:
    """A capture of the sample collector in a window of one second that begins now."""
    options = {"window": window(0.6), "stop": lambda: False, "limits": SMALL} | options
    return capture_window(made or collector(), url=url, journal=journal, **options)


def answering(then: Callable[[ServerConnection], Any]) -> Script:
    """A scripted exchange that accepts the first subscription and then does as told."""

    async def script(socket: ServerConnection) -> None:
        request = await socket.recv(decode=True)
        for answer in accepted(request):
            await socket.send(answer)
        await then(socket)

    return script


async def streaming(socket: ServerConnection) -> None:
    """A book ten times a second until the client is gone."""
    while True:
        await socket.send(book())
        await asyncio.sleep(0.1)


async def silent(socket: ServerConnection) -> None:
    """Nothing, heartbeats included."""
    await socket.wait_closed()


def after(seconds: float) -> Callable[[], bool]:
    """A stop that says yes that long after it was made."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


@pytest.mark.parametrize("name", ["bybit", "coinbase", "kraken"])
def test_a_window_of_a_simulated_exchange_is_journaled_frame_by_frame(name: str, tmp_path: Path):
    sent: list[bytes] = []
    made = replace(DEMO[name], window=DEMO[name].window.model_copy(update={"linger_secs": 0.2}))
    captured = window(1.2)
    with simulated(sent) as url:
        report = capture_window(
            made,
            captured,
            url=made.url(url),
            journal=tmp_path,
            stop=lambda: False,
            limits=SMALL,
        )
    journaled = rows(tmp_path)
    received = [payload for _, kind, payload in journaled if kind == "text"]
    assert received == sent[: len(received)]
    assert len(received) == report.frames > 20
    assert sum(map(len, received)) == report.bytes
    assert report.events > 20
    assert report.undecodable == 0
    assert report.ending in {Ending.OWN_TIME, Ending.LINGER}
    assert (report.connections, report.reconnects, report.dropped, report.errors) == (1, 0, 0, ())
    assert [kind for _, kind, _ in journaled if kind not in {"text", "sent", "clock"}] == [
        "opened",
        "closed",
    ]
    assert of_kind(tmp_path, "opened") == [
        {"url": made.url(url), "symbols": list(made.symbols)},
    ]
    assert of_kind(tmp_path, "closed") == [{"cause": "ended", "reason": report.ending}]
    assert read_journal(tmp_path).meta == JournalMeta(
        exchange=name,
        collector=name,
        url=made.url(url),
        source="simulated",
        manifest=made.text,
        window=captured,
    )


def test_what_was_asked_for_stands_in_the_journal_before_its_answer(tmp_path: Path):
    with scripted(answering(streaming)) as url:
        capture(url, tmp_path)
    kinds = [kind for _, kind, _ in rows(tmp_path) if kind != "clock"]
    assert kinds[:3] == ["opened", "sent", "text"]
    (request,) = of_kind(tmp_path, "sent")
    assert request["params"]["symbol"] == ["BTC/USD"]
    assert of_kind(tmp_path, "text")[0]["result"] == {
        "channel": "book",
        "depth": 10,
        "snapshot": True,
        "symbol": "BTC/USD",
    }


def test_a_capture_ends_when_the_feeds_own_time_has_passed_the_window(tmp_path: Path):
    captured = window(30)

    async def ahead(socket: ServerConnection) -> None:
        await socket.send(book(captured.start_ns))
        await socket.send(book(captured.end_ns))
        await socket.wait_closed()

    with scripted(answering(ahead)) as url:
        report = capture(url, tmp_path, window=captured)
    assert report.ending is Ending.OWN_TIME
    assert report.closed_ns < captured.end_ns


def test_a_time_that_can_not_be_true_does_not_end_a_capture(tmp_path: Path):
    async def absurd(socket: ServerConnection) -> None:
        await socket.send(book(time.time_ns() + 3600 * NS_PER_SEC))
        await socket.wait_closed()

    with scripted(answering(absurd)) as url:
        report = capture(url, tmp_path)
    assert report.ending is Ending.LINGER


def test_a_collector_on_the_receive_clock_ends_by_that_clock(tmp_path: Path):
    captured = window(0.5)
    made = collector(collect='sync.clock = "receive"')
    with scripted(answering(silent)) as url:
        report = capture(url, tmp_path, made, window=captured)
    assert report.ending is Ending.OWN_TIME
    assert report.closed_ns >= captured.end_ns


def test_a_silent_feed_is_waited_for_until_the_linger_is_over(tmp_path: Path):
    captured = window(0.5)
    with scripted(answering(silent)) as url:
        report = capture(url, tmp_path, window=captured)
    assert report.ending is Ending.LINGER
    assert report.closed_ns >= captured.end_ns + 0.3 * NS_PER_SEC
    assert of_kind(tmp_path, "closed") == [{"cause": "ended", "reason": "linger"}]


def test_a_capture_may_be_asked_to_end_before_its_window_does(tmp_path: Path):
    captured = window(30)
    ends_ns = captured.start_ns + NS_PER_SEC // 2
    with scripted(answering(streaming)) as url:
        report = capture(url, tmp_path, window=captured, ends_ns=ends_ns)
    assert report.ending is Ending.ASKED
    assert report.closed_ns >= ends_ns
    assert of_kind(tmp_path, "closed") == [{"cause": "shutdown", "reason": "asked"}]


def test_a_stopped_capture_leaves_a_closed_journal_of_what_it_had(tmp_path: Path):
    with scripted(answering(streaming)) as url:
        report = capture(url, tmp_path, window=window(30), stop=after(0.6))
    assert report.ending is Ending.STOPPED
    assert report.frames == len(of_kind(tmp_path, "text")) > 1
    assert of_kind(tmp_path, "closed") == [{"cause": "shutdown", "reason": "stopped"}]


def test_nothing_connects_before_the_lead(tmp_path: Path):
    asked: list[bool] = []

    def stop() -> bool:
        asked.append(True)
        return len(asked) > 2

    captured = window(1, begins_in_secs=60)
    report = capture("ws://127.0.0.1:1", tmp_path, window=captured, stop=stop)
    assert report.ending is Ending.STOPPED
    assert (report.connections, report.frames) == (0, 0)
    assert rows(tmp_path) == []


def test_a_capture_connects_when_its_lead_begins(tmp_path: Path):
    captured = window(0.5, begins_in_secs=0.8)
    with scripted(answering(streaming)) as url:
        report = capture(url, tmp_path, window=captured)
    assert report.opened_ns >= captured.start_ns - 0.5 * NS_PER_SEC


def test_a_window_that_is_over_is_refused(tmp_path: Path):
    past = Window(NS_PER_SEC, 2 * NS_PER_SEC)
    with pytest.raises(WindowOverError, match="time can't be captured again"):
        capture("ws://127.0.0.1:1", tmp_path, window=past)
    assert list(tmp_path.iterdir()) == []


def test_a_capture_started_again_goes_on_in_a_segment_of_its_own(tmp_path: Path):
    captured = window(1.5)
    with scripted(answering(streaming)) as url:
        capture(url, tmp_path, window=captured, stop=after(0.5))
        capture(url, tmp_path, window=captured)
    assert [segment.name for segment in read_journal(tmp_path).segments] == [
        "segment-000.arrows",
        "segment-001.arrows",
    ]
    assert sorted({connection for connection, _, _ in rows(tmp_path)}) == [0, 1]
    assert [closed["cause"] for closed in of_kind(tmp_path, "closed")] == ["shutdown", "ended"]


def test_a_refused_feed_is_reported_and_the_others_go_on(tmp_path: Path):
    made = collector("BTC/USD", "NOPE/USD")

    async def script(socket: ServerConnection) -> None:
        answers = accepted(await socket.recv(decode=True))
        refusal = {
            "error": "Currency pair not supported NOPE/USD",
            "method": "subscribe",
            "success": False,
            "req_id": json.loads(answers[1])["req_id"],
        }
        await socket.send(answers[0])
        await socket.send(json.dumps(refusal))
        await streaming(socket)

    with scripted(script) as url:
        report = capture(url, tmp_path, made)
    assert report.errors == ("book NOPE/USD: refused: Currency pair not supported NOPE/USD",)
    assert report.ending is Ending.LINGER
    assert report.frames > 3


def test_a_capture_that_is_refused_everything_ends_at_once_with_a_closed_journal(tmp_path: Path):
    async def script(socket: ServerConnection) -> None:
        request = json.loads(await socket.recv(decode=True))
        refusal = {"error": "Subscription depth not supported", "method": "subscribe"}
        await socket.send(json.dumps({**refusal, "success": False, "req_id": request["req_id"]}))
        await socket.wait_closed()

    with scripted(script) as url, pytest.raises(SubscriptionRejectedError) as rejected:
        capture(url, tmp_path, window=window(60))
    assert str(rejected.value) == (
        f"{url}: book BTC/USD: refused: Subscription depth not supported"
    )
    assert of_kind(tmp_path, "closed") == [{"cause": "shutdown", "reason": "refused"}]


def test_a_capture_that_nobody_answers_is_an_error_and_not_silence(tmp_path: Path):
    with (
        scripted(silent) as url,
        pytest.raises(SubscriptionRejectedError, match="book BTC/USD: no answer to the subscr"),
    ):
        capture(url, tmp_path)
    assert [kind for _, kind, _ in rows(tmp_path) if kind != "clock"] == [
        "opened",
        "sent",
        "sent",
        "closed",
    ]
    assert [sent["method"] for sent in of_kind(tmp_path, "sent")] == ["subscribe", "ping"]


def test_an_address_without_a_server_is_an_error_with_url_reason_remedy_and_a_record(
    tmp_path: Path,
):
    with scripted(silent) as url:
        pass
    made = collector(collect="reconnect.max_attempts = 2")
    with pytest.raises(ConnectionFailedError) as failed:
        capture(url, tmp_path, made, window=window(60))
    assert str(failed.value).startswith(f"{url}: [Errno 111] Connect call failed")
    assert "start `atelier simulate`" in str(failed.value)
    closed = of_kind(tmp_path, "closed")
    assert [end["cause"] for end in closed] == ["disconnect"] * 3
    assert "Connect call failed" in closed[0]["reason"]


def test_an_address_is_tried_again_until_the_window_is_over(tmp_path: Path):
    with scripted(silent) as url:
        pass
    with pytest.raises(ConnectionFailedError, match="Connect call failed"):
        capture(url, tmp_path, window=window(0.4))
    assert len(of_kind(tmp_path, "closed")) > 1


def test_an_address_is_not_tried_more_often_than_its_exchange_allows(tmp_path: Path):
    with scripted(silent) as url:
        pass
    made = collector()
    made = replace(made, exchange=replace(made.exchange, connect_limit=RateLimit(4, 3600)))
    with pytest.raises(ConnectionFailedError):
        capture(url, tmp_path, made, window=window(1))
    assert [end["cause"] for end in of_kind(tmp_path, "closed")] == [
        "disconnect",
        "disconnect",
        "ended",
    ]


def test_an_address_that_can_not_work_is_not_tried_again(tmp_path: Path):
    with simulated() as url, pytest.raises(ConnectionFailedError, match="HTTP 404"):
        capture(f"{url}/nowhere", tmp_path, window=window(60))
    assert len(of_kind(tmp_path, "closed")) == 1


def test_a_lost_connection_is_made_again_and_both_ends_are_recorded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, "atelier_pipeline.capture")
    visits: list[int] = []

    async def once_lost(socket: ServerConnection) -> None:
        visits.append(1)
        await socket.send(book())
        if len(visits) == 1:
            await asyncio.sleep(0.3)
            socket.transport.abort()
        else:
            await streaming(socket)

    with scripted(answering(once_lost)) as url:
        report = capture(url, tmp_path)
    assert (report.connections, report.reconnects) == (2, 1)
    assert of_kind(tmp_path, "closed")[0] == {
        "cause": "disconnect",
        "reason": "lost without a close frame",
    }
    ends = [(number, kind) for number, kind, _ in rows(tmp_path) if kind in {"opened", "closed"}]
    assert ends == [(0, "opened"), (0, "closed"), (1, "opened"), (1, "closed")]
    told = [record for record in caplog.records if record.name == "atelier_pipeline.capture"]
    assert [record.getMessage() for record in told] == [
        f"mine 1/1: connecting: {url}",
        "mine 1/1: subscribing: connection 0",
        "mine 1/1: streaming: first event",
        "mine 1/1: reconnecting 1: lost without a close frame",
        f"mine 1/1: connecting: {url}",
        "mine 1/1: subscribing: connection 1",
        "mine 1/1: streaming: first event",
        f"mine 1/1: disconnected: {report.ending}",
    ]


def test_a_connection_without_any_frame_is_given_up_as_stale(tmp_path: Path):
    made = collector(collect="staleness_timeout_secs = 0.2")
    with scripted(answering(silent)) as url:
        report = capture(url, tmp_path, made)
    assert report.reconnects > 0
    assert of_kind(tmp_path, "closed")[0]["reason"] == "no frame for 0.2 s"


def test_connections_that_never_last_are_an_error_with_their_reason(tmp_path: Path):
    async def shut(socket: ServerConnection) -> None:
        await socket.close(1013, "try again later")

    with (
        scripted(shut) as url,
        pytest.raises(ConnectionFailedError, match=r"no connection lasted: .* try again later"),
    ):
        capture(url, tmp_path)


def test_a_book_that_breaks_is_subscribed_again_and_the_others_are_left_alone(tmp_path: Path):
    made = collector("BTC/USD", "ETH/USD")
    broken = book().replace("snapshot", "update").replace(str(CHECKSUM), "1")

    async def script(socket: ServerConnection) -> None:
        for answer in accepted(await socket.recv(decode=True)):
            await socket.send(answer)
        for text in (book(), book().replace("BTC/USD", "ETH/USD"), broken):
            await socket.send(text)
        await socket.recv()
        for answer in accepted(await socket.recv(decode=True)):
            await socket.send(answer)
        await streaming(socket)

    with scripted(script) as url:
        report = capture(url, tmp_path, made)
    asked = [(sent["method"], sent["params"]["symbol"]) for sent in of_kind(tmp_path, "sent")]
    assert asked == [
        ("subscribe", ["BTC/USD", "ETH/USD"]),
        ("unsubscribe", ["BTC/USD"]),
        ("subscribe", ["BTC/USD"]),
    ]
    assert (report.reconnects, report.errors) == (0, ())


def test_a_bug_in_decoding_costs_no_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def broken(_watch: Watch, _batch: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Watch, "look", broken)
    with scripted(answering(streaming)) as url:
        report = capture(url, tmp_path)
    assert report.ending is Ending.LINGER
    assert report.errors == ("decoding failed while capturing: a bug",)
    assert len(of_kind(tmp_path, "text")) == report.frames > 3


def test_a_frame_above_the_limit_is_recorded_and_the_connection_made_again(tmp_path: Path):
    async def huge(socket: ServerConnection) -> None:
        await socket.send(book())
        await socket.send("x" * 5000)
        await socket.wait_closed()

    with scripted(answering(huge)) as url:
        report = capture(url, tmp_path, limits=replace(SMALL, frame_bytes=4000))
    assert report.reconnects > 0
    dropped = of_kind(tmp_path, "dropped")[0]
    assert (dropped["cause"], dropped["frames"]) == ("oversize", 1)


def test_frames_that_nobody_can_read_are_journaled_as_they_came(tmp_path: Path):
    garbage = [b"not \xff UTF-8", b"{", b""]

    async def talk(socket: ServerConnection) -> None:
        for payload in garbage:
            await socket.send(payload, text=True)
        await socket.send(b"\x00binary")
        await streaming(socket)

    with scripted(answering(talk)) as url:
        capture(url, tmp_path)
    received = [
        (kind, payload) for _, kind, payload in rows(tmp_path) if kind in {"text", "binary"}
    ]
    assert received[1:5] == [*(("text", payload) for payload in garbage), ("binary", b"\x00binary")]


def test_what_the_queue_can_not_hold_is_counted_to_the_frame(tmp_path: Path):
    async def flood(socket: ServerConnection) -> None:
        for _ in range(500):
            await socket.send(book())
        await socket.wait_closed()

    with scripted(answering(flood)) as url:
        report = capture(url, tmp_path, limits=replace(SMALL, queue_bytes=20_000))
    assert report.dropped > 0
    assert report.frames + report.dropped == 501
    dropped = of_kind(tmp_path, "dropped")
    assert {record["cause"] for record in dropped} == {"overflow"}
    assert sum(record["frames"] for record in dropped) == report.dropped


def test_application_pings_are_sent_when_they_are_due(tmp_path: Path):
    made = collector()
    made = replace(made, exchange=replace(made.exchange, ping_interval_secs=0.2))
    heard: list[str] = []

    async def listen(socket: ServerConnection) -> None:
        while True:
            heard.append(json.loads(await socket.recv())["method"])

    with scripted(answering(listen)) as url:
        capture(url, tmp_path, made)
    assert heard[:2] == ["ping", "ping"]
    assert Counter(sent["method"] for sent in of_kind(tmp_path, "sent"))["ping"] >= len(heard)


def test_a_quiet_exchange_is_asked_whether_it_is_there_when_the_window_is_over(tmp_path: Path):
    async def quiet(socket: ServerConnection) -> None:
        while True:
            ping = json.loads(await socket.recv())
            await socket.send(json.dumps({"method": "pong", "req_id": ping["req_id"]}))

    with scripted(answering(quiet)) as url:
        capture(url, tmp_path)
    assert [sent["method"] for sent in of_kind(tmp_path, "sent")] == ["subscribe", "ping"]
    kinds = [kind for _, kind, _ in rows(tmp_path) if kind != "clock"]
    assert kinds == ["opened", "sent", "text", "sent", "text", "closed"]


def test_more_symbols_than_a_connection_takes_are_captured_on_several(tmp_path: Path):
    made = collector("BTC/USD", "ETH/USD")
    made = replace(made, exchange=replace(made.exchange, max_topics=1))
    with scripted(answering(streaming)) as url:
        report = capture(url, tmp_path, made)
    assert report.connections == 2
    assert [opened["symbols"] for opened in of_kind(tmp_path, "opened")] == [
        ["BTC/USD"],
        ["ETH/USD"],
    ]


def test_too_little_disk_for_a_window_is_refused_before_anything_connects(tmp_path: Path):
    with pytest.raises(JournalError, match="ATELIER_WINDOW_DISK_MIB"):
        capture("ws://127.0.0.1:1", tmp_path / "j", limits=CaptureLimits(window_disk_bytes=2**62))
    assert not (tmp_path / "j").exists()


def test_a_disk_at_its_floor_ends_the_capture_with_a_closed_journal(tmp_path: Path):
    with scripted(answering(streaming)) as url:
        report = capture(
            url, tmp_path, window=window(60), limits=replace(SMALL, disk_floor_bytes=2**62)
        )
    assert report.ending is Ending.DISK_FLOOR
    assert of_kind(tmp_path, "closed") == [{"cause": "shutdown", "reason": "disk_floor"}]


def test_progress_is_told_while_the_capture_runs(tmp_path: Path):
    told: list[CaptureProgress] = []
    with scripted(answering(streaming)) as url:
        report = capture(url, tmp_path, on_progress=told.append)
    assert told[-1].states == ("streaming",)
    assert 0 < told[-1].frames <= report.frames
    assert [progress.frames for progress in told] == sorted(p.frames for p in told)


def test_the_local_clocks_are_journaled(tmp_path: Path):
    with scripted(answering(streaming)) as url:
        report = capture(url, tmp_path)
    (clocks,) = of_kind(tmp_path, "clock")
    assert report.opened_ns <= clocks["utc_ns"] <= report.closed_ns
    assert clocks["monotonic_secs"] > 0


def test_a_journal_that_can_not_be_written_any_more_ends_the_capture(tmp_path: Path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16_384, hard))
    try:
        with (
            scripted(answering(streaming)) as url,
            pytest.raises(JournalError, match="File too large"),
        ):
            capture(url, tmp_path, window=window(60), stop=after(20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
