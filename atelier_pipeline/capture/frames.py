"""Frames between the sockets and the journal: in order, and never more than a limit in memory.

Received frames that would exceed the limit are dropped; a `dropped` frame, in their place, counts
them. Everything here runs in the event loop's thread.
"""

import asyncio

from atelier_pipeline.decode.control import Dropped, control_payload
from atelier_pipeline.lake.frame_batches import Frame
from atelier_pipeline.lake.journal import FrameKind

RECEIVED = frozenset({FrameKind.TEXT, FrameKind.BINARY})

_OVERHEAD_BYTES = 200
"""What Python keeps besides a payload's bytes: a tuple, two integers, three references."""

_FILLING_BYTES = 16 << 20


class FrameQueue:
    """Frames that wait for the journal (`take`, `written`) and to be looked at (`take_fresh`).

    Attributes:
        frames, bytes: received frames that were kept, and the bytes of their payloads.
        dropped: received frames that were not.
        filling: set when frames take 16 MiB, for who writes them: they need not wait any longer.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.frames = 0
        self.bytes = 0
        self.dropped = 0
        self.filling = asyncio.Event()
        self._limit = limit_bytes
        self._held = 0
        self._waiting: list[Frame] = []
        self._fresh: list[Frame] = []
        self._missed: dict[int, int] = {}

    def receive(self, ts_recv: int, connection: int, kind: str, payload: bytes) -> None:
        """Keep a received frame, or count it as dropped where there is no room for it."""
        size = len(payload) + _OVERHEAD_BYTES
        if self._held + size > self._limit:
            self.dropped += 1
            self._missed[connection] = self._missed.get(connection, 0) + 1
            return
        if self._missed:
            self._tell_missed(ts_recv)
        self.frames += 1
        self.bytes += len(payload)
        self._keep((ts_recv, connection, kind, payload))

    def receive_all(self, ts_recv: int, connection: int, kind: str, payloads: list[bytes]) -> None:
        """Keep frames that were read at once, as `receive` keeps one."""
        size = sum(map(len, payloads))
        cost = size + _OVERHEAD_BYTES * len(payloads)
        if self._missed or self._held + cost > self._limit:
            for payload in payloads:
                self.receive(ts_recv, connection, kind, payload)
            return
        frames = [(ts_recv, connection, kind, payload) for payload in payloads]
        self.frames += len(frames)
        self.bytes += size
        self._held += cost
        self._waiting += frames
        self._fresh += frames
        if self._held > _FILLING_BYTES:
            self.filling.set()

    def note(self, ts_recv: int, connection: int, kind: str, payload: bytes) -> None:
        """Keep a frame of our own, whatever the limit: these are few and small."""
        self._tell_missed(ts_recv)
        self._keep((ts_recv, connection, kind, payload))

    def take(self) -> list[Frame]:
        """The frames to write next; they count against the limit until they are `written`."""
        taken, self._waiting = self._waiting, []
        return taken

    def written(self, frames: list[Frame]) -> None:
        """Make room: `frames` are on disk."""
        self._held -= sum(len(frame[3]) + _OVERHEAD_BYTES for frame in frames)

    def take_fresh(self) -> list[Frame]:
        """The frames kept since the last call."""
        taken, self._fresh = self._fresh, []
        return taken

    def _keep(self, frame: Frame) -> None:
        self._held += len(frame[3]) + _OVERHEAD_BYTES
        self._waiting.append(frame)
        self._fresh.append(frame)

    def _tell_missed(self, ts_recv: int) -> None:
        for connection, frames in self._missed.items():
            reason = "the journal did not keep up"
            payload = control_payload(Dropped(cause="overflow", frames=frames, reason=reason))
            self._keep((ts_recv, connection, FrameKind.DROPPED, payload))
        self._missed.clear()
