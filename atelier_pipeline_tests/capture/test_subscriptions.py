"""Requests and answers, in the forms in which the exchanges give them."""

from atelier_pipeline.capture.subscriptions import PATIENCE_SECS, FeedError, Subscriptions
from atelier_pipeline.exchanges.contract import Acknowledged, Refused, Request, Topic

BOOK_A, BOOK_B, TRADE_A = Topic("book", "A"), Topic("book", "B"), Topic("trade", "A")
BEATS = Topic("heartbeats")
ALONE = {
    topic: Request(payload=f"{topic}", topics=(topic,), request_id=f"{topic}")
    for topic in (BOOK_A, BOOK_B, TRADE_A)
}


def asked() -> Subscriptions:
    return Subscriptions(
        [
            Request(payload="1", topics=(BOOK_A, BOOK_B), request_id="1"),
            Request(payload="2", topics=(TRADE_A, BEATS), request_id="2"),
        ],
        ALONE,
    )


def test_an_answer_by_id_covers_the_topics_of_the_request():
    subscriptions = asked()
    subscriptions.accept(Acknowledged(request_id="1"))
    assert subscriptions.unanswered == (TRADE_A, BEATS)


def test_an_answer_by_topic_covers_that_topic_alone():
    subscriptions = asked()
    subscriptions.accept(Acknowledged(request_id="1", topics=(BOOK_B,)))
    assert subscriptions.unanswered == (BOOK_A, TRADE_A, BEATS)


def test_a_cumulative_answer_may_repeat_what_is_known():
    subscriptions = asked()
    subscriptions.accept(Acknowledged(topics=(BOOK_A,)))
    subscriptions.accept(Acknowledged(topics=(BOOK_A, BOOK_B, TRADE_A, BEATS)))
    assert subscriptions.unanswered == ()
    assert subscriptions.errors(overdue=True) == []


def test_a_refused_topic_leaves_the_others_open():
    subscriptions = asked()
    subscriptions.refuse(Refused(reason="no such pair", request_id="1", topic=BOOK_B))
    assert subscriptions.unanswered == (BOOK_A, TRADE_A, BEATS)
    assert subscriptions.is_refused([TRADE_A, BOOK_B])
    assert not subscriptions.is_refused([BOOK_A])
    assert subscriptions.errors(overdue=False) == [FeedError(BOOK_B, "refused: no such pair")]


def test_a_refusal_by_id_covers_what_the_request_has_not_been_granted():
    subscriptions = asked()
    subscriptions.accept(Acknowledged(topics=(BOOK_A,)))
    subscriptions.refuse(Refused(reason="depth", request_id="1"))
    assert subscriptions.errors(overdue=False) == [FeedError(BOOK_B, "refused: depth")]


def test_a_topic_granted_after_its_request_was_refused_is_granted():
    subscriptions = asked()
    subscriptions.refuse(Refused(reason="not all of them", request_id="1"))
    subscriptions.accept(Acknowledged(topics=(BOOK_A,)))
    assert subscriptions.errors(overdue=False) == [FeedError(BOOK_B, "refused: not all of them")]


def test_a_refusal_that_names_nothing_belongs_to_the_only_open_request():
    subscriptions = asked()
    subscriptions.accept(Acknowledged(request_id="1"))
    subscriptions.refuse(Refused(reason="no"))
    assert subscriptions.errors(overdue=False) == [
        FeedError(TRADE_A, "refused: no"),
        FeedError(BEATS, "refused: no"),
    ]


def test_a_refusal_that_could_belong_to_several_requests_is_kept_without_a_topic():
    subscriptions = asked()
    subscriptions.refuse(Refused(reason="no"))
    assert subscriptions.errors(overdue=False) == [FeedError(None, "refused: no")]
    assert subscriptions.unanswered == (BOOK_A, BOOK_B, TRADE_A, BEATS)


def test_a_topic_without_an_answer_is_an_error_once_it_is_overdue():
    subscriptions = asked()
    subscriptions.accept(Acknowledged(request_id="2"))
    assert subscriptions.errors(overdue=False) == []
    errors = subscriptions.errors(overdue=True)
    assert [str(error) for error in errors] == [
        "book A: no answer to the subscription",
        "book B: no answer to the subscription",
    ]


def test_everything_is_refused_when_no_symbol_is_left():
    subscriptions = asked()
    subscriptions.refuse(Refused(reason="no", request_id="1"))
    assert not subscriptions.all_refused
    subscriptions.accept(Acknowledged(topics=(BEATS,)))
    subscriptions.refuse(Refused(reason="no", request_id="2"))
    assert subscriptions.all_refused


def left_alone(
    subscriptions: Subscriptions, now_secs: float, *, overdue: bool = False
) -> list[Topic]:
    requests = subscriptions.left_alone(now_secs, overdue=overdue)
    return [topic for request in requests for topic in request.topics]


def test_what_a_refusal_leaves_without_an_answer_is_asked_for_alone_after_a_while_and_once():
    subscriptions = asked()
    assert left_alone(subscriptions, 100) == []
    subscriptions.refuse(Refused(reason="no such pair", topic=BOOK_B))
    assert left_alone(subscriptions, 101) == []
    subscriptions.accept(Acknowledged(request_id="2"))
    assert left_alone(subscriptions, 101 + PATIENCE_SECS) == [BOOK_A]
    subscriptions.refuse(Refused(reason="no", request_id=str(BOOK_A)))
    assert left_alone(subscriptions, 110) == left_alone(subscriptions, 120, overdue=True) == []
    assert subscriptions.errors(overdue=False) == [
        FeedError(BOOK_B, "refused: no such pair"),
        FeedError(BOOK_A, "refused: no"),
    ]


def test_what_nobody_answered_for_is_asked_for_alone_when_it_is_overdue():
    subscriptions = asked()
    subscriptions.accept(Acknowledged(request_id="1"))
    assert left_alone(subscriptions, 100, overdue=True) == [TRADE_A]
    subscriptions.accept(Acknowledged(request_id=str(TRADE_A)))
    assert subscriptions.unanswered == (BEATS,)


def test_a_refusal_of_a_symbol_is_of_all_its_topics_that_were_not_granted():
    subscriptions = asked()
    subscriptions.accept(Acknowledged(topics=(TRADE_A,)))
    subscriptions.refuse(Refused(reason="unknown", topic=Topic("", "A")))
    assert subscriptions.errors(overdue=False) == [FeedError(BOOK_A, "refused: unknown")]
    assert subscriptions.unanswered == (BOOK_B, BEATS)
