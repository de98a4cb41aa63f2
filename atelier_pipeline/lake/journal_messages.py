"""The messages of a segment as bytes: each carries a crc32 over all of them so far.

To Arrow a message is 0xFFFFFFFF, the size of its metadata, the metadata, and a body. The metadata
has room for custom keys: `check` has the value `crc32:` and eight hex digits.
https://arrow.apache.org/docs/format/Columnar.html#encapsulated-message-format

The crc is over everything but these digits, framing, offsets, padding and values alike. It goes on
from the crc of the message before, so that none can be missing, be of another segment, or come
twice. What a message means lies in `journal`.
"""

import re
import zlib
from typing import TypeAlias

import pyarrow as pa

from atelier_pipeline.errors import JournalError

END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"

CHECK_KEY = b"check"
NO_CHECK = b"crc32:00000000"
"""Stands in the place of the crc while a message is made."""

# FlatBuffers ends a string by a zero, and so does its length before it; text has none in it.
_DIGITS = re.compile(rb"\x00crc32:([0-9a-f]{8})\x00")

Parts: TypeAlias = tuple[memoryview, bytes, memoryview]


class Check:
    """The crc of the messages of one segment so far; made before its first one."""

    def __init__(self) -> None:
        self._crc = 0

    def added(self, message: memoryview) -> Parts:
        """The message with its crc in the place of NO_CHECK, to be written part by part."""
        before, _, after = _parts(message)
        return before, self._digits(before, after), after

    def prove(self, data: pa.Buffer, start: int) -> None:
        """Prove the message that begins at `start`, before Arrow may take it for one.

        Arrow finds only where it ends here: it reads what lies in `data` and allocates nothing.
        Raises EOFError where the stream ends; JournalError, OSError or pa.ArrowInvalid where bytes
        differ from what was written.
        """
        rest = data.slice(start)
        source = pa.BufferReader(rest)
        pa.ipc.read_message(source)
        before, digits, after = _parts(memoryview(rest)[: source.tell()])
        if digits != self._digits(before, after):
            raise JournalError("its bytes differ from their crc32")

    def _digits(self, before: memoryview, after: memoryview) -> bytes:
        self._crc = zlib.crc32(after, zlib.crc32(before, self._crc))
        return b"%08x" % self._crc


def head_message(schema: pa.Schema) -> memoryview:
    """The message that begins a stream; the schema's metadata holds NO_CHECK under CHECK_KEY."""
    return memoryview(schema.serialize())


def batch_message(batch: pa.RecordBatch, metadata: dict[bytes, bytes]) -> memoryview:
    """The message of one batch with custom metadata, NO_CHECK among it."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch, custom_metadata={CHECK_KEY: NO_CHECK, **metadata})
    whole = memoryview(sink.getvalue())
    return whole[batch.schema.serialize().size : -len(END_OF_STREAM)]


def _parts(message: memoryview) -> Parts:
    """What lies before the crc's digits, they, and what lies behind them."""
    found = _DIGITS.search(message)
    if found is None:
        raise JournalError("no crc32 in it")
    return message[: found.start(1)], found[1], message[found.end(1) :]
