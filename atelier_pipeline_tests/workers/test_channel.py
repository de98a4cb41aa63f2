"""Broadcast topics: bounded, ordered, and honest about what a slow reader missed."""

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atelier_pipeline.errors import SettingsError
from atelier_pipeline.workers import ChannelSink, Lagged, TopicRegistry
from atelier_pipeline_tests.workers.samples import TOPIC, a_trade, trades


def registry(capacity: int = 100) -> TopicRegistry:
    return TopicRegistry([TOPIC], capacity)


def rest(subscription) -> list:
    """All that is left, without waiting."""
    return list(iter(lambda: subscription.get(timeout_secs=0), None))


def test_every_subscriber_gets_every_message_as_structs_in_order():
    made = registry()
    one, other = made.subscribe(TOPIC), made.subscribe(TOPIC)
    made.publish(trades(0, 2))
    made.publish(trades(2, 1))
    assert rest(one) == rest(other) == [a_trade(0), a_trade(1), a_trade(2)]


def test_a_subscriber_begins_with_what_comes_after_it():
    made = registry()
    made.publish(trades(0, 2))
    late = made.subscribe(TOPIC)
    made.publish(trades(2, 1))
    assert rest(late) == [a_trade(2)]


def test_a_subscriber_that_slept_is_told_how_many_it_missed_and_gets_the_newest():
    made = registry(capacity=4)
    slow = made.subscribe(TOPIC)
    made.publish(trades(0, 3))
    assert slow.get() == a_trade(0)
    for first in range(3, 30, 3):
        made.publish(trades(first, 3))
    assert rest(slow) == [Lagged(TOPIC, 25), *(a_trade(number) for number in range(26, 30))]
    assert slow.missed == 25


def test_a_topic_holds_no_more_than_its_capacity_and_a_part_of_one_batch():
    made = registry(capacity=10)
    made.subscribe(TOPIC)
    held = []
    for number in range(200):
        made.publish(trades(number * 3, 3))
        held.append(made.topic(TOPIC).held())
    assert max(held) == 12


def test_a_batch_larger_than_the_capacity_leaves_its_newest_messages():
    made = registry(capacity=2)
    slow = made.subscribe(TOPIC)
    made.publish(trades(0, 5))
    assert rest(slow) == [Lagged(TOPIC, 3), a_trade(3), a_trade(4)]


def test_columns_come_batch_by_batch_and_whole():
    made = registry(capacity=4)
    columns = made.subscribe_columns(TOPIC)
    batches = [trades(0, 3), trades(3, 3), trades(6, 3)]
    for batch in batches:
        made.publish(batch)
    assert rest(columns) == [Lagged(TOPIC, 3), *batches[1:]]


@given(st.lists(st.one_of(st.integers(1, 7), st.none()), max_size=40), st.integers(1, 12))
def test_what_is_read_and_what_is_missed_is_all_that_was_published(steps, capacity):
    made = registry(capacity)
    reader, columns = made.subscribe(TOPIC), made.subscribe_columns(TOPIC)
    published, read = 0, []
    for step in steps:
        if step is None:
            read.append(reader.get(timeout_secs=0))
        else:
            made.publish(trades(published, step))
            published += step
    read += rest(reader)
    items = [item for item in read if item is not None]
    number = 0
    for item in items:
        if isinstance(item, Lagged):
            number += item.missed
        else:
            assert item == a_trade(number)
            number += 1
    assert number == published
    batches = rest(columns)
    assert sum(b.missed if isinstance(b, Lagged) else b.count for b in batches) == published


def test_a_thread_that_waits_is_woken_and_ends_with_the_channel():
    made = registry()
    waiting, got = made.subscribe(TOPIC), []
    thread = threading.Thread(target=lambda: got.extend(waiting))
    thread.start()
    made.publish(trades(0, 2))
    ChannelSink(made).close()
    thread.join(10)
    assert got == [a_trade(0), a_trade(1)]
    assert waiting.ended


def test_asyncio_code_is_woken_by_another_thread_and_ends_with_the_channel():
    made = registry()
    sink, waiting = ChannelSink(made), made.subscribe(TOPIC)

    async def read() -> list:
        threading.Timer(0.05, lambda: (sink.receive(trades(0, 2)), sink.close())).start()
        return [item async for item in waiting]

    assert asyncio.run(read()) == [a_trade(0), a_trade(1)]


def test_waiting_for_a_message_can_be_given_up():
    made = registry()
    subscription = made.subscribe(TOPIC)
    assert subscription.get(timeout_secs=0.01) is None
    assert not subscription.ended
    made.publish(trades(0, 1))
    assert subscription.get(timeout_secs=0.01) == a_trade(0)


def test_a_topic_that_there_is_not_is_refused_and_the_others_are_named():
    with pytest.raises(SettingsError, match=rf"no topic bybit.trade.all.DOGE.*{TOPIC}"):
        registry().subscribe("bybit.trade.all.DOGE")
