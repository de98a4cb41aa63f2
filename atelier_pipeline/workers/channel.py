"""Broadcast topics in this process: every subscriber sees every message, the slow ones the newest.

A topic keeps its newest `capacity` messages, however many subscribers there are; one that falls
behind is told how many it missed. Batches stay columns until a subscriber asks for items.
"""

import asyncio
import threading
from bisect import bisect_right
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import suppress
from typing import Generic, TypeVar

import msgspec

from atelier_pipeline.errors import SettingsError
from atelier_pipeline.workers.batches import Batch, Item

T = TypeVar("T")


class Lagged(msgspec.Struct, frozen=True):
    """Stands in a subscription where the `missed` oldest messages of the topic were lost."""

    topic: str
    missed: int


class BroadcastTopic:
    """The newest messages of one topic, numbered from 0 on.

    Attributes:
        end: the number of the next message.
        oldest: the number of the oldest one that can still be had.
        is_closed: nothing more will come.
    """

    def __init__(self, name: str, capacity: int) -> None:
        self.name = name
        self.capacity = capacity
        self.end = 0
        self.oldest = 0
        self.is_closed = False
        self.changed = threading.Condition()
        self._batches: deque[tuple[int, Batch]] = deque()
        self._wakers: set[Callable[[], None]] = set()

    def publish(self, batch: Batch) -> None:
        """Add messages; the oldest give way."""
        if not batch.count:
            return
        with self.changed:
            self._batches.append((self.end, batch))
            self.end += batch.count
            self.oldest = max(self.end - self.capacity, 0)
            while self._batches[0][0] + self._batches[0][1].count <= self.oldest:
                self._batches.popleft()
            self._wake()

    def close(self) -> None:
        """End every subscription once it has had what is left."""
        with self.changed:
            self.is_closed = True
            self._wake()

    def batch_at(self, number: int) -> tuple[int, Batch]:
        """The batch that holds a message, and the number of its first one; call with the lock."""
        return self._batches[bisect_right(self._batches, number, key=lambda pair: pair[0]) - 1]

    def held(self) -> int:
        """How many messages are in memory; at most the capacity and the rest of one batch."""
        with self.changed:
            return sum(batch.count for _, batch in self._batches)

    def add_waker(self, wake: Callable[[], None]) -> None:
        """Call `wake` at every change, in the thread that publishes."""
        with self.changed:
            self._wakers.add(wake)

    def remove_waker(self, wake: Callable[[], None]) -> None:
        """Call it no more."""
        with self.changed:
            self._wakers.discard(wake)

    def _wake(self) -> None:
        self.changed.notify_all()
        for wake in self._wakers:
            wake()


class Subscription(Generic[T]):
    """One reader of a topic, from when it subscribed; for one thread or one task at a time.

    Iterating, with `for` in a thread or `async for` in asyncio code, gives its messages and, where
    some were lost, a `Lagged`; it ends when the worker has ended.

    Attributes:
        missed: how many messages were lost so far.
    """

    def __init__(
        self, topic: BroadcastTopic, read: Callable[[Batch, int], tuple[T, int]], *, whole: bool
    ) -> None:
        self.missed = 0
        self._whole = whole
        self._topic = topic
        self._read = read
        self._next = topic.end
        self._first = 0
        self._batch: Batch | None = None

    @property
    def topic(self) -> str:
        """The topic's name."""
        return self._topic.name

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self._topic.is_closed and self._next >= self._topic.end

    def get(self, timeout_secs: float | None = None) -> T | Lagged | None:
        """The next message; None where none came in time, or none will (`ended`)."""
        if (item := self._take()) is not None:
            return item
        with self._topic.changed:
            self._topic.changed.wait_for(self._can_go_on, timeout_secs)
        return self._take()

    async def get_async(self) -> T | Lagged | None:
        """The next message; None where none will come."""
        while (item := self._take()) is None and not self.ended:
            await self._change()
        return item

    def __iter__(self) -> Iterator[T | Lagged]:
        while (item := self.get()) is not None:
            yield item

    async def __aiter__(self) -> AsyncIterator[T | Lagged]:
        while (item := await self.get_async()) is not None:
            yield item

    def _can_go_on(self) -> bool:
        return self._next < self._topic.end or self._topic.is_closed

    def _take(self) -> T | Lagged | None:
        if self._next >= self._topic.end:
            return None
        # `oldest` only ever grows: a message that is lost while it is read was in time.
        if self._next < self._topic.oldest and (lost := self._skip()):
            self.missed += lost
            return Lagged(self._topic.name, lost)
        if self._batch is None or self._next >= self._first + self._batch.count:
            with self._topic.changed:
                self._first, self._batch = self._topic.batch_at(self._next)
        item, count = self._read(self._batch, self._next - self._first)
        self._next += count
        return item

    def _skip(self) -> int:
        """Goes on to the oldest message that is left; returns how many were lost."""
        with self._topic.changed:
            self._first, self._batch = self._topic.batch_at(self._topic.oldest)
            start = self._first if self._whole else self._topic.oldest
        lost, self._next = max(start - self._next, 0), max(start, self._next)
        return lost

    async def _change(self) -> None:
        loop, changed = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            # A loop that has been closed has nobody left to wake.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(changed.set)

        self._topic.add_waker(wake)
        try:
            if not self._can_go_on():
                await changed.wait()
        finally:
            self._topic.remove_waker(wake)


class TopicRegistry:
    """The topics of a worker by name, known before it runs."""

    def __init__(self, names: Iterable[str], capacity: int) -> None:
        """`capacity`: messages kept of each topic."""
        self._topics = {name: BroadcastTopic(name, capacity) for name in names}

    @property
    def names(self) -> tuple[str, ...]:
        """The topics, in order."""
        return tuple(self._topics)

    def subscribe(self, name: str) -> Subscription[Item]:
        """Read a topic message by message, as structs of `atelier_pipeline.market`.

        Raises SettingsError for a topic that there is not.
        """
        return Subscription(self.topic(name), _item, whole=False)

    def subscribe_columns(self, name: str) -> Subscription[Batch]:
        """Read a topic batch by batch, each whole.

        Raises SettingsError for a topic that there is not.
        """
        return Subscription(self.topic(name), _columns, whole=True)

    def topic(self, name: str) -> BroadcastTopic:
        """The topic of that name; raises SettingsError where there is none."""
        if name not in self._topics:
            known = ", ".join(self._topics) or "none: no output of this worker is a channel"
            raise SettingsError(f"there is no topic {name}; there are {known}")
        return self._topics[name]

    def publish(self, batch: Batch) -> None:
        """Give a batch to the subscribers of its topic."""
        self.topic(batch.topic).publish(batch)

    def close(self) -> None:
        """End every subscription."""
        for topic in self._topics.values():
            topic.close()


def _item(batch: Batch, offset: int) -> tuple[Item, int]:
    return batch.items[offset], 1


def _columns(batch: Batch, _offset: int) -> tuple[Batch, int]:
    return batch, batch.count


class ChannelSink:
    """Publishes on the topics of a registry."""

    name = "channel"

    def __init__(self, registry: TopicRegistry) -> None:
        self.registry = registry

    def receive(self, batch: Batch) -> None:
        """Publish a batch."""
        self.registry.publish(batch)

    def close(self) -> None:
        """End every subscription."""
        self.registry.close()
