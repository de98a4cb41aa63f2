"""What a running capture must know of its frames, by the same stages that sealing uses.

Nothing here is written to a file: files come from the journal alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import pyarrow as pa

from atelier_pipeline.decode.columns import BookMessages, nothing_of
from atelier_pipeline.decode.decoder import Decoded, Decoder, Feed
from atelier_pipeline.decode.keeper import BookKeeper, BookLoss, Judged
from atelier_pipeline.decode.links import ENDS, Break, Link, breaks_of_book
from atelier_pipeline.decode.losses import CONNECTION, SYMBOL
from atelier_pipeline.decode.scope import Scope
from atelier_pipeline.exchanges.contract import Acknowledged, Refused
from atelier_pipeline.lake.schemas import FRAMES
from atelier_pipeline.market.book import BookState
from atelier_pipeline.market.datasets import Dataset


@dataclass(frozen=True, slots=True)
class BrokenBook:
    """A book that lost something on a living connection: it must be subscribed to again.

    `scope` is `connection` where the evidence covers every book of the connection.
    """

    connection: int
    symbol: str
    cause: str
    scope: str


@dataclass(frozen=True, slots=True)
class Sight:
    """What a batch of frames told.

    Attributes:
        answers: (connection, acknowledgement or refusal), in order.
        broken: books that were whole before, had not begun, or were sent anew, and are broken now.
        undecodable: (connection, reason) of each frame that is not as documented.
        events: how many events each feed had.
        decoded: the events themselves; None where there was nothing to look at.
        books: the messages that count of each book that had messages or was broken.
        book_losses: of the same books, all losses that they have shown so far.
        links: the connections so far; the list goes on growing.
    """

    answers: Sequence[tuple[int, Acknowledged | Refused]]
    broken: Sequence[BrokenBook]
    undecodable: Sequence[tuple[int, str]]
    events: Mapping[Feed, int]
    decoded: Decoded | None = None
    books: Mapping[str, Judged] = field(default_factory=dict[str, Judged])
    book_losses: Mapping[str, tuple[BookLoss, ...]] = field(
        default_factory=dict[str, tuple[BookLoss, ...]]
    )
    links: Sequence[Link] = ()


class Watch:
    """Follows a capture batch by batch.

    Attributes:
        newest: newest event time of each feed, UTC ns; 0 = no event yet.
        streaming: connections that have brought events.
    """

    def __init__(self, scope: Scope) -> None:
        self.newest: dict[Feed, int] = {
            (symbol, dataset): 0
            for symbol, datasets in scope.datasets.items()
            for dataset in Dataset
            if dataset in datasets
        }
        self.streaming: set[int] = set()
        self._integrity = scope.exchange.book_integrity
        self._decoder = Decoder(scope)
        self._keepers = {
            symbol: BookKeeper(scope.kept_depth_of(symbol), self._integrity)
            for symbol, dataset in self.newest
            if dataset is Dataset.ORDERBOOKS
        }
        self._judged: dict[str, Judged] = {}
        self._frames = 0
        self._time = 0
        self._broken: set[str] = set()

    def warm_up(self) -> None:
        """Compile or load the kernels: seconds in which no frame should have to wait."""
        self._decoder.read(pa.RecordBatch.from_pylist([], schema=FRAMES))
        nothing = cast("BookMessages", nothing_of(Dataset.ORDERBOOKS))
        BookState(None).apply(nothing.columns)

    def look(self, batch: pa.RecordBatch) -> Sight:
        """Takes in the next frames, schema FRAMES."""
        self._decoder.read(batch)
        decoded = self._decoder.flush()
        self._frames += len(decoded.times)
        self._time = int(decoded.times[-1]) if len(decoded.times) else self._time
        for feed, arrivals in decoded.feeds.items():
            self.newest[feed] = max(self.newest[feed], int(arrivals.ts_event.max()))
            self.streaming |= {self._connection(link) for link in set(arrivals.link.tolist())}
        errors = [each for each in decoded.breaks if each.cause == "decode_error"]
        self._judged = {}
        broken = [book for symbol in self._keepers for book in self._judge(symbol, decoded)]
        return Sight(
            answers=[(self._connection(each.link), each.event) for each in decoded.answers],
            broken=broken,
            undecodable=[(self._connection(each.link), each.detail) for each in errors],
            events={feed: len(arrivals) for feed, arrivals in decoded.feeds.items()},
            decoded=decoded,
            books=self._judged,
            book_losses={s: tuple(self._keepers[s].losses) for s in self._judged},
            links=self._decoder.links,
        )

    def finish(self, end_ns: int) -> Sight:
        """What only time shows, when no frame comes any more and the window ends at `end_ns`."""
        for keeper in self._keepers.values():
            keeper.finish(min(self._time, end_ns), self._frames)
        losses = {symbol: tuple(keeper.losses) for symbol, keeper in self._keepers.items()}
        return Sight(answers=(), broken=(), undecodable=(), events={}, book_losses=losses)

    def has_passed(self, time_ns: int) -> bool:
        """Whether every feed's own time is at or behind `time_ns`."""
        return min(self.newest.values(), default=0) >= time_ns

    def whole(self, symbol: str) -> bool:
        """Whether the book of a symbol is known."""
        return self._keepers[symbol].whole

    def _connection(self, link: int) -> int:
        return self._decoder.links[link].connection

    def _judge(self, symbol: str, decoded: Decoded) -> list[BrokenBook]:
        """The symbol's book where it has just broken."""
        keeper = self._keepers[symbol]
        arrived = decoded.feeds.get((symbol, Dataset.ORDERBOOKS))
        breaks = breaks_of_book(decoded.breaks, self._decoder.links, symbol, self._integrity)
        if arrived is None and not breaks:
            return []
        known = len(keeper.losses)
        messages = cast("BookMessages", arrived or nothing_of(Dataset.ORDERBOOKS))
        self._judged[symbol] = keeper.take(messages, breaks)
        is_news = symbol not in self._broken or bool(messages.columns.is_snapshot.any())
        self._broken.discard(symbol)
        if keeper.whole or not keeper.begun or (breaks and breaks[-1].cause in ENDS):
            return []
        self._broken.add(symbol)
        causes = [loss.cause for loss in keeper.losses[known:]]
        return [self._broken_book(symbol, causes, breaks)] if is_news and (causes or breaks) else []

    def _broken_book(
        self, symbol: str, causes: Sequence[str], breaks: Sequence[Break]
    ) -> BrokenBook:
        connection = self._connection(self._keepers[symbol].link)
        if causes:
            return BrokenBook(connection, symbol, causes[-1], SYMBOL)
        return BrokenBook(connection, symbol, breaks[-1].cause, CONNECTION)
