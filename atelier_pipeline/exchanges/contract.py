"""What an exchange is: data and pure functions, without sockets, clocks or state.

`decode` turns one frame into events in the order in which the frame holds them. A frame that is
well formed but of no interest gives no events; a frame that is not what the exchange documents
raises DecodeError.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from atelier_pipeline.exchanges.shapes import BookShape
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.events import Liquidation, NormalizedDelta, TickerUpdate, Trade


class Topic(msgspec.Struct, frozen=True):
    """One stream of one symbol under the exchange's own channel name; symbol "" = no symbol."""

    channel: str
    symbol: str = ""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A text frame to send, and the topics that its acknowledgement is expected to cover."""

    payload: str
    topics: tuple[Topic, ...]
    request_id: str | None = None


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True):
    """The exchange accepted a subscription: by its request's id, by topics, or both, as it tells.

    An accepted unsubscription is no event. `depth` is that of the acknowledged order books, where
    the exchange repeats it.
    """

    request_id: str | None = None
    topics: tuple[Topic, ...] = ()
    depth: int | None = None


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """The exchange refused something, in its own words; id and topic where it names them.

    A topic of channel "" stands for every channel of its symbol.
    """

    reason: str
    request_id: str | None = None
    topic: Topic | None = None


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """A sign of life: pong, heartbeat or status. `last_trade_id` where the exchange says it."""

    ts_event: int = 0
    symbol: str | None = None
    last_trade_id: int | None = None


class ConnectionSequence(msgspec.Struct, frozen=True):
    """The frame's number among all frames of its connection; first in the frame's events."""

    number: int


Event: TypeAlias = (
    NormalizedDelta
    | Trade
    | Liquidation
    | TickerUpdate
    | Acknowledged
    | Refused
    | Heartbeat
    | ConnectionSequence
)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `count` in any `secs`."""

    count: int
    secs: float


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One market feed.

    Attributes:
        name: the exchange's name in paths and columns.
        url: the public WebSocket address.
        datasets: what the feed offers.
        depths: offered book depths, ascending; () = the whole book, always.
        cuts_to_depth: levels beyond the depth are dropped by the client, not deleted by the feed.
        book_integrity: what proves a book whole: "update_id" | "checksum_top10" |
            "connection_sequence" | "none".
        trade_ids_contiguous: trade ids of a symbol are integers that grow by one.
        ping: text of an application ping given its id, or None where none is needed.
        ping_interval_secs: how often to send it.
        max_topics: most topics for one connection.
        connect_limit: most attempts to connect from one address.
        subscribe / unsubscribe: (topics wanted as symbol lists) → frames to send. `symbols` are
            the exchange's own spelling, `depth` an offered depth or None for the whole book.
        decode: (payload, ts_recv in UTC ns) → events.
        inexact: payload of a decoded frame → how many of its prices, sizes and rates have more
            significant digits than a float64 holds, by dataset and symbol.
        feed_symbol: the spelling under which the feed answers for a subscribed symbol.
        book_shapes: how it writes its order book frames, likeliest first; it saves time alone.
    """

    name: str
    url: str
    datasets: frozenset[Dataset]
    depths: tuple[int, ...]
    cuts_to_depth: bool
    book_integrity: str
    trade_ids_contiguous: bool
    ping: Callable[[str], str] | None
    ping_interval_secs: float
    max_topics: int
    connect_limit: RateLimit
    subscribe: Callable[[Sequence[str], frozenset[Dataset], int | None], list[Request]]
    unsubscribe: Callable[[Sequence[str], frozenset[Dataset], int | None], list[Request]]
    decode: Callable[[bytes, int], list[Event]]
    inexact: Callable[[bytes], Counter[tuple[Dataset, str]]]
    feed_symbol: Callable[[str], str] = str
    book_shapes: tuple[BookShape, ...] = ()

    def offered_depth(self, depth: int) -> int | None:
        """The smallest offered depth of at least `depth` levels; None where the book is whole.

        Raises ValueError where no offered depth is large enough.
        """
        if not self.depths:
            return None
        for offered in self.depths:
            if offered >= depth:
                return offered
        msg = f"{self.name} offers order books of at most {self.depths[-1]} levels, not {depth}"
        raise ValueError(msg)
