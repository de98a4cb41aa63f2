"""What a capture brings while it runs: the events of a sight, feed by feed, and as raw rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import pyarrow as pa

from atelier_pipeline.decode.book_sealer import heard_of_book
from atelier_pipeline.decode.columns import (
    Arrivals,
    BookMessages,
    Fills,
    Flags,
    Fundings,
    Ints,
    OpenInterests,
)
from atelier_pipeline.decode.coverage import Heard
from atelier_pipeline.decode.decoder import Feed
from atelier_pipeline.decode.event_sealers import heard_of_fills, heard_of_states
from atelier_pipeline.decode.tables import (
    Named,
    fundings_table,
    liquidations_table,
    message_rows,
    open_interests_table,
    orderbooks_table,
    trades_table,
)
from atelier_pipeline.decode.watch import Sight
from atelier_pipeline.market.datasets import Dataset


@dataclass(frozen=True, slots=True)
class LiveEvents:
    """The events of one feed in one sight, in order of arrival.

    Attributes:
        arrivals: the columns; of a book the messages that count.
        time: int64[n], UTC ns: of a book the newest time so far, else the events' own.
        heard: when they arrived.
    """

    feed: Feed
    arrivals: Arrivals
    time: Ints
    heard: Heard


def live_events(sight: Sight) -> Iterator[LiveEvents]:
    """The events of a sight, feed by feed."""
    if sight.decoded is None:
        return
    for feed, arrivals in sight.decoded.feeds.items():
        if feed[1] is Dataset.ORDERBOOKS:
            judged = sight.books[feed[0]]
            yield LiveEvents(feed, judged.messages, judged.time, heard_of_book(judged))
        elif isinstance(arrivals, Fills):
            yield LiveEvents(feed, arrivals, arrivals.ts_event, heard_of_fills(arrivals))
        else:
            states = cast("Fundings | OpenInterests", arrivals)
            yield LiveEvents(feed, arrivals, arrivals.ts_event, heard_of_states(states))


def raw_rows(exchange: str, feed: Feed, arrivals: Arrivals, opening: Flags, first: int) -> pa.Table:
    """Events as rows of schema RAW, in the given order.

    `opening` marks funding rates and open interest that are states from before, one flag per event.
    Messages of a book are numbered from `first` on.
    """
    named, dataset = Named(exchange, feed[0]), feed[1]
    if dataset is Dataset.ORDERBOOKS:
        return orderbooks_table(named, [message_rows(cast("BookMessages", arrivals), first)])
    if dataset is Dataset.TRADES:
        return trades_table(named, cast("Fills", arrivals))
    if dataset is Dataset.LIQUIDATIONS:
        return liquidations_table(named, cast("Fills", arrivals))
    if dataset is Dataset.FUNDINGS:
        return fundings_table(named, cast("Fundings", arrivals), opening)
    return open_interests_table(named, cast("OpenInterests", arrivals), opening)
