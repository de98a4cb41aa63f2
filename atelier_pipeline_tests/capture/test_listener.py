"""What a capture hears, and that it goes on when it hears no more."""

import logging
from itertools import count

import pytest

from atelier_pipeline.capture.frames import Frame
from atelier_pipeline.capture.listener import Listener
from atelier_pipeline.decode.watch import Watch
from atelier_pipeline.exchanges.contract import Acknowledged, Topic
from atelier_pipeline_tests.capture.samples import NS_PER_SEC, accepted, book, collector

T0 = 1_795_500_000 * NS_PER_SEC
REQUEST = (
    '{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":10},"req_id":7}'
)


def frames(*payloads: str | bytes) -> list[Frame]:
    texts = [p.encode() if isinstance(p, str) else p for p in payloads]
    return [(ts, 3, "text", text) for ts, text in zip(count(T0), texts, strict=False)]


def test_it_hears_answers_events_and_how_far_feeds_are():
    listener = Listener(collector())
    opened = (T0, 3, "opened", b'{"url":"ws://there","symbols":["BTC/USD"]}')
    sight = listener.listen([opened, *frames(*accepted(REQUEST))])
    topics = (Topic("book", "BTC/USD"),)
    assert sight.answers == [(3, Acknowledged(request_id="7", topics=topics, depth=10))]
    assert (listener.streaming, listener.is_whole("BTC/USD")) == (set(), False)
    listener.listen(frames(book(T0)))
    assert (listener.streaming, listener.is_whole("BTC/USD")) == ({3}, True)
    assert listener.has_passed(T0)
    assert not listener.has_passed(T0 + 1)
    assert (listener.events, listener.undecodable) == (1, 0)


def test_a_frame_that_is_not_as_documented_is_counted_and_logged(caplog: pytest.LogCaptureFixture):
    listener = Listener(collector())
    listener.listen(frames(b"not \xff UTF-8", book(T0)))
    assert (listener.events, listener.undecodable) == (1, 1)
    assert "frame not as documented" in caplog.text


def test_an_error_of_our_own_makes_it_deaf_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def broken(_watch: Watch, _batch: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Watch, "look", broken)
    listener = Listener(collector())
    assert list(listener.listen(frames(book(T0))).answers) == []
    assert listener.failure == "decoding failed while capturing: a bug"
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    monkeypatch.undo()
    assert list(listener.listen(frames(*accepted(REQUEST))).answers) == []
    assert listener.is_whole("BTC/USD")
    assert not listener.has_passed(T0)
