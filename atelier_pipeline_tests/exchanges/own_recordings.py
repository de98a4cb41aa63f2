"""The project's own recordings: small frames beside the whole events that they decode to."""

import gzip
from pathlib import Path

import msgspec

from atelier_pipeline.exchanges.contract import Event

FOLDER = Path(__file__).parent / "recordings"

Frame = tuple[int, bytes]


def frames_in(path: Path) -> list[Frame]:
    """(ts_recv in UTC ns, payload) of every line of a `*.frames.gz` file."""
    with gzip.open(path, "rb") as file:
        lines = [line.rstrip(b"\n").partition(b" ") for line in file]
    return [(int(time), payload) for time, _, payload in lines]


def own_frames(exchange: str) -> list[Frame]:
    return frames_in(FOLDER / f"{exchange}.frames.gz")


def expected_events(exchange: str) -> list[object]:
    """One list of {kind: fields} for each frame, as plain JSON."""
    text = (FOLDER / f"{exchange}.events.jsonl").read_bytes()
    return [msgspec.json.decode(line) for line in text.splitlines()]


def as_json(events: list[Event]) -> object:
    """The events in the form of `expected_events`."""
    return msgspec.json.decode(msgspec.json.encode([{type(e).__name__: e} for e in events]))
