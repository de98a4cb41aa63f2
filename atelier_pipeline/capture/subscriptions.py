"""What was asked for on one connection, and what the exchange answered. No socket, no clock."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from atelier_pipeline.exchanges.contract import Acknowledged, Refused, Request, Topic

PATIENCE_SECS = 1.0
"""How long after a refusal the other topics of its request may still be answered for."""


@dataclass(frozen=True, slots=True)
class FeedError:
    """A feed that was refused, or that nobody answered for; `topic` None: not said which."""

    topic: Topic | None
    reason: str

    def __str__(self) -> str:
        feed = "a feed" if self.topic is None else f"{self.topic.channel} {self.topic.symbol}"
        return f"{feed.strip()}: {self.reason}"


class Subscriptions:
    """The topics asked for on one connection: open until they are accepted or refused.

    `alone`: by topic, the request for it alone.

    A topic that is accepted after its request was refused counts as accepted: exchanges answer for
    each symbol of a request, and not always by name.
    """

    def __init__(self, requests: Iterable[Request], alone: Mapping[Topic, Request]) -> None:
        self._requests = tuple(requests)
        self._open = {topic: None for request in self._requests for topic in request.topics}
        self._accepted: set[Topic] = set()
        self._refused: dict[Topic, str] = {}
        self._unnamed: list[str] = []
        self._alone = dict(alone)
        self._alone_from_secs = math.inf
        self._was_refused = False

    def accept(self, answer: Acknowledged) -> None:
        """Note what the exchange accepted."""
        for topic in answer.topics or self._topics_of(answer.request_id):
            self._open.pop(topic, None)
            self._refused.pop(topic, None)
            self._accepted.add(topic)

    def refuse(self, answer: Refused) -> None:
        """Note what the exchange refused."""
        self._was_refused = True
        named = self._named_by(answer)
        if not named:
            self._unnamed.append(answer.reason)
        for topic in named:
            self._open.pop(topic, None)
            self._refused[topic] = answer.reason

    def left_alone(self, now_secs: float, *, overdue: bool) -> tuple[Request, ...]:
        """Requests for the topics without an answer, each alone; they count as sent, once.

        Exchanges refuse a whole request because of one of its topics. So they are due PATIENCE_SECS
        after a refusal, and once answers are `overdue`.
        """
        if self._was_refused:
            self._was_refused, self._alone_from_secs = False, now_secs + PATIENCE_SECS
        if not overdue and now_secs < self._alone_from_secs:
            return ()
        left = [topic for topic in self._open if topic in self._alone]
        asked = tuple(dict.fromkeys(self._alone.pop(topic) for topic in left))
        self._requests += asked
        return asked

    @property
    def unanswered(self) -> tuple[Topic, ...]:
        """The topics without an answer."""
        return tuple(self._open)

    def is_refused(self, topics: Iterable[Topic]) -> bool:
        """Whether any of these topics was refused."""
        return any(topic in self._refused for topic in topics)

    @property
    def all_refused(self) -> bool:
        """Whether no topic of any symbol can still bring data."""
        wanted = {topic for request in self._requests for topic in request.topics if topic.symbol}
        return bool(wanted) and wanted <= self._refused.keys()

    def errors(self, *, overdue: bool) -> list[FeedError]:
        """The refusals and, once answers are `overdue`, the topics without one."""
        errors = [FeedError(topic, f"refused: {why}") for topic, why in self._refused.items()]
        errors += [FeedError(None, f"refused: {why}") for why in self._unnamed]
        if overdue:
            errors += [FeedError(topic, "no answer to the subscription") for topic in self._open]
        return errors

    def _named_by(self, answer: Refused) -> tuple[Topic, ...]:
        topic = answer.topic
        if topic is not None and topic.channel:
            return (topic,)
        if topic is not None:
            asked = dict.fromkeys(t for request in self._requests for t in request.topics)
            return tuple(t for t in asked if t.symbol == topic.symbol and t not in self._accepted)
        asked = self._topics_of(answer.request_id)
        if answer.request_id is None:
            waiting = [r for r in self._requests if not self._open.keys().isdisjoint(r.topics)]
            asked = waiting[0].topics if len(waiting) == 1 else ()
        return tuple(topic for topic in asked if topic not in self._accepted)

    def _topics_of(self, request_id: str | None) -> tuple[Topic, ...]:
        asked = (r.topics for r in self._requests if r.request_id == request_id)
        return tuple(topic for topics in asked for topic in topics)
