"""The frames of a window, read from first to last into one sealer per feed."""

import gc
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TypeAlias, cast

import pyarrow as pa

from atelier_pipeline.decode.book_sealer import BookSealer
from atelier_pipeline.decode.columns import (
    BookMessages,
    Fills,
    Fundings,
    OpenInterests,
    nothing_of,
)
from atelier_pipeline.decode.decoder import Decoded, Decoder, Feed
from atelier_pipeline.decode.event_sealers import FillSealer, StateSealer
from atelier_pipeline.decode.keeper import BookKeeper
from atelier_pipeline.decode.links import breaks_of_book
from atelier_pipeline.decode.scope import Scope
from atelier_pipeline.decode.seams import seam_of_fundings, seam_of_open_interests
from atelier_pipeline.decode.tables import Named, fundings_table, open_interests_table
from atelier_pipeline.decode.timeline import Timeline
from atelier_pipeline.lake.journal import Damage
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.window import Window

STRETCH_FRAMES = 16_384

Sealer: TypeAlias = BookSealer | FillSealer | StateSealer[Fundings] | StateSealer[OpenInterests]


@contextmanager
def _no_garbage() -> Generator[None]:
    """Keeps the cycle collector from looking through events that wait for their flush.

    Events hold no cycles, and by reference counts they go when they are flushed. Looking through
    the levels of thousands of them again and again takes a third of the whole time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class Reading:
    """Reads frames stretch by stretch, so that memory holds columns, not events.

    Attributes:
        sealers: one for every feed of the scope, by symbol.
    """

    def __init__(self, scope: Scope, window: Window, damage: Sequence[Damage]) -> None:
        self.sealers: dict[Feed, Sealer] = {
            (symbol, dataset): _sealer_of(scope, symbol, dataset, window)
            for symbol in sorted(scope.datasets)
            for dataset in Dataset
            if dataset in scope.datasets[symbol]
        }
        self._scope = scope
        self._window = window
        self._decoder = Decoder(scope, damage)
        self._timeline = Timeline(self._decoder.links)

    def read(self, batch: pa.RecordBatch) -> None:
        """Takes in the next frames, schema FRAMES."""
        with _no_garbage():
            for start in range(0, batch.num_rows, STRETCH_FRAMES):
                self._decoder.read(batch.slice(start, STRETCH_FRAMES))
                if self._decoder.pending >= STRETCH_FRAMES:
                    self._absorb(self._decoder.flush())

    def finish(self, *, is_whole: bool) -> Timeline:
        """Takes in what is left, and ends what nothing ended."""
        self._absorb(self._decoder.flush())
        timeline, window = self._timeline, self._window
        if not is_whole:
            timeline.close_unended(window.end_ns)
        for sealer in self.sealers.values():
            if isinstance(sealer, BookSealer):
                sealer.end(min(timeline.end, window.end_ns), len(timeline.times))
        return timeline

    def _absorb(self, decoded: Decoded) -> None:
        self._timeline.add(decoded)
        for feed, sealer in self.sealers.items():
            arrivals = decoded.feeds.get(feed)
            if isinstance(sealer, BookSealer):
                messages = cast("BookMessages", arrivals or nothing_of(Dataset.ORDERBOOKS))
                integrity = self._scope.exchange.book_integrity
                links, breaks = self._decoder.links, decoded.breaks
                sealer.take(messages, breaks_of_book(breaks, links, feed[0], integrity))
            elif arrivals is not None:
                # The dataset in the feed's name decides both the columns and the sealer.
                sealer.take(arrivals)  # pyright: ignore[reportArgumentType]
            if isinstance(sealer, FillSealer):
                sealer.take_beats(beat for beat in decoded.alive if beat.symbol == feed[0])


def _sealer_of(scope: Scope, symbol: str, dataset: Dataset, window: Window) -> Sealer:
    named = Named(scope.exchange.name, symbol)
    nothing = nothing_of(dataset)
    if dataset is Dataset.ORDERBOOKS:
        stops = (window.start_ns, window.end_ns)
        integrity = scope.exchange.book_integrity
        return BookSealer(named, window, BookKeeper(scope.kept_depth_of(symbol), integrity, stops))
    if dataset is Dataset.FUNDINGS:
        table_of = partial(fundings_table, named)
        return StateSealer(window, cast("Fundings", nothing), table_of, seam_of_fundings)
    if dataset is Dataset.OPEN_INTERESTS:
        table_of = partial(open_interests_table, named)
        return StateSealer(window, cast("OpenInterests", nothing), table_of, seam_of_open_interests)
    has_ids = dataset is Dataset.TRADES
    is_chained = has_ids and scope.exchange.trade_ids_contiguous
    fills = cast("Fills", nothing)
    return FillSealer(named, window, fills, has_ids=has_ids, is_chained=is_chained)
