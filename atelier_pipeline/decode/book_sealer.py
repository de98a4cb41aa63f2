"""The order book of one symbol, sealed into a window's raw table."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from atelier_pipeline.decode.columns import BookMessages, Ints, distinct, messages_between
from atelier_pipeline.decode.coverage import Heard, joined_heard
from atelier_pipeline.decode.figures import Figures, Finished, Known, latencies_of
from atelier_pipeline.decode.keeper import BookAt, BookKeeper, BookLoss, Judged
from atelier_pipeline.decode.links import Break
from atelier_pipeline.decode.losses import Loss
from atelier_pipeline.decode.seams import seam_of_book
from atelier_pipeline.decode.tables import (
    BookRows,
    Named,
    message_rows,
    opening_rows,
    orderbooks_table,
)
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.window import Window

_NO_INTS = np.empty(0, np.int64)


def heard_of_book(judged: Judged) -> Heard:
    """When messages arrived; a book streams from a snapshot on."""
    kept = judged.messages
    begins = np.where(kept.columns.is_snapshot, judged.time, -1)
    return Heard(kept.frame, kept.link, judged.time, begins)


def losses_of_book(found: Iterable[BookLoss]) -> Iterator[Loss]:
    """What a book has shown to be missing, as losses of its feed."""
    for loss in found:
        yield Loss(
            dataset=Dataset.ORDERBOOKS,
            cause=loss.cause,
            frame=loss.frame,
            start=loss.start,
            end=loss.end,
            known=loss.known,
            before=loss.before,
            after=loss.after,
            lost=loss.lost,
        )


class BookSealer:
    """Takes one book's messages stretch by stretch; memory holds the rows of the window alone."""

    def __init__(self, named: Named, window: Window, keeper: BookKeeper) -> None:
        self._named = named
        self._window = window
        self._keeper = keeper
        self._rows: list[BookRows] = []
        self._messages = 0
        self._held = 0
        self._duplicates = 0
        self._bad_times = 0
        self._latencies = [_NO_INTS]
        self._frames = [_NO_INTS]
        self._window_frames = [_NO_INTS]
        self._heard: list[Heard] = []
        self._bad: list[tuple[Ints, Ints]] = []
        self._update_ids: tuple[int, int] | None = None

    def take(self, messages: BookMessages, breaks: Sequence[Break]) -> None:
        """Takes in the messages of a stretch, and the breaks in it that cost books."""
        judged = self._keeper.take(messages, breaks)
        kept, bad = judged.messages, judged.messages.bad_time
        self._frames.append(messages.frame)
        self._heard.append(heard_of_book(judged))
        self._bad.append((kept.frame[bad], kept.ts_event[bad]))
        self._duplicates += sum(time in self._window for time in judged.repeats.tolist())
        edges = [self._window.start_ns, self._window.end_ns]
        start, end = np.searchsorted(judged.time, edges).tolist()
        self._held += int(judged.held[start:end].sum())
        self._write(messages_between(kept, start, end))

    def _write(self, messages: BookMessages) -> None:
        """Keeps the rows and figures of messages of the window."""
        if not len(messages):
            return
        self._rows.append(message_rows(messages, self._messages + 1))
        self._messages += len(messages)
        self._bad_times += int(messages.bad_time.sum())
        self._latencies.append(latencies_of(messages, slice(None)))
        self._window_frames.append(messages.frame)
        first, last = int(messages.columns.update_id[0]), int(messages.columns.update_id[-1])
        if last >= 0:
            self._update_ids = (self._update_ids or (first, last))[0], last

    def end(self, time: int, frame: int) -> None:
        """Tells that no message comes any more, at book time `time` and before frame `frame`."""
        self._keeper.finish(time, frame)

    def heard(self) -> Heard:
        """When messages arrived; a book streams from a snapshot on."""
        return joined_heard(self._heard)

    def bad_times(self) -> tuple[Ints, Ints]:
        """Frames and times of the messages without a usable exchange time."""
        frames, times = _joined(self._bad, 2)
        return frames, times

    def own_losses(self) -> Iterator[Loss]:
        """What the book's own numbers, checksums and prices show to be missing."""
        return losses_of_book(self._keeper.losses)

    def finish(self, known: Known) -> Finished:
        """The table and figures."""
        window = self._window
        opening, closing = (self._whole(stop, known) for stop in (window.start_ns, window.end_ns))
        opened = [opening_rows(opening)] if opening else []
        figures = Figures(
            events=self._messages,
            duplicates=self._duplicates,
            bad_times=self._bad_times,
            verified=self._held,
            latencies=np.concatenate(self._latencies),
            frames=distinct(np.concatenate(self._frames)),
            window_frames=distinct(np.concatenate(self._window_frames)),
            update_ids=self._update_ids,
            head=seam_of_book(opening) if opening else None,
            tail=seam_of_book(closing) if closing and known.reached_end else None,
        )
        return Finished(orderbooks_table(self._named, [*opened, *self._rows]), figures)

    def _whole(self, stop: int, known: Known) -> BookAt | None:
        """The book before a stop; None where it was not known, or was lost before the stop."""
        book = self._keeper.before(stop)
        lost = any(loss.frame > book.frame and loss.known < stop for loss in known.losses)
        return book if book.whole and not lost else None


def _joined(parts: Sequence[tuple[Ints, ...]], columns: int) -> list[Ints]:
    return [np.concatenate([_NO_INTS, *(part[k] for part in parts)]) for k in range(columns)]
