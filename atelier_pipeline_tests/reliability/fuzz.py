"""Mutated frames for every decoder: events or DecodeError, nothing else.

The compiled scanner gets the same frames: what it reads must be what the decoder reads.

    python -m atelier_pipeline_tests.reliability.fuzz --frames 1000000

Frames come from the simulated exchanges, from the project's own recordings and, where they are
there, from recorded ones. Every mutation follows from the seed, so that a finding can be repeated.
"""

import argparse
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from atelier_pipeline.errors import DecodeError
from atelier_pipeline.exchanges.registry import EXCHANGES
from atelier_pipeline.simulator import frames as simulated_frames
from atelier_pipeline_tests.decode.scans import assert_less_and_never_else
from atelier_pipeline_tests.exchanges.own_recordings import frames_in, own_frames
from atelier_pipeline_tests.exchanges.test_any_bytes import TOKENS
from atelier_pipeline_tests.reliability.collectors import SYMBOLS

LONGEST = 3_000
AT_ONCE = 1 << 12
"""Frames that the scanner gets in one piece."""

TIMES = (0, 1, 1_767_225_600_000_000_000, 2**62)
MARKS = b'{}[]:,"'


def corpus(exchange: str, recordings: Path | None) -> list[bytes]:
    """Whole frames to begin with, none of them long."""
    live = simulated_frames(exchange, SYMBOLS[exchange], duration_s=5, levels=15)
    found = [payload for _, payload in live] + [payload for _, payload in own_frames(exchange)]
    for path in sorted(recordings.glob(f"{exchange}/*.frames.gz")) if recordings else []:
        found += [payload for _, payload in frames_in(path)[:2_000]]
    return sorted({payload for payload in found if len(payload) <= LONGEST})


def mutations(seeds: list[bytes], count: int, seed: int) -> Iterator[bytes]:
    """`count` frames: about half with one other value, the rest with one to four things wrong."""
    rng = random.Random(seed)  # noqa: S311 - a finding must be repeatable
    for _ in range(count):
        payload = bytearray(rng.choice(seeds))
        if rng.getrandbits(1):
            _other_value(payload, rng)
        else:
            for _ in range(1 + rng.getrandbits(2)):
                _mutate(payload, seeds, rng)
        yield bytes(payload)


def _mutate(payload: bytearray, seeds: list[bytes], rng: random.Random) -> None:
    start = rng.randrange(len(payload) + 1)
    end = min(len(payload), start + rng.randrange(40))
    kind = rng.randrange(8)
    if kind == 0:
        del payload[start:end]
    elif kind == 1:
        payload[start:end] = rng.choice(TOKENS[:-1])
    elif kind == 2:
        payload[start:end] = rng.randbytes(rng.randrange(1, 5))
    elif kind == 3:
        payload[start:start] = payload[start:end]
    elif kind == 4:
        other = rng.choice(seeds)
        at = rng.randrange(len(other) + 1)
        payload[start:end] = other[at : at + 60]
    elif kind == 5 and start < len(payload):
        payload[start] ^= 1 << rng.randrange(8)
    elif kind == 6:
        payload[start:start] = bytes([rng.choice(MARKS)])
    else:
        _other_value(payload, rng)


def _other_value(payload: bytearray, rng: random.Random) -> None:
    """One whole value between JSON's own marks is another."""
    ends = [position for position in range(len(payload)) if payload[position] in b",]}"]
    if ends:
        end = rng.choice(ends)
        start = max(payload.rfind(mark, 0, end) for mark in (b":", b",", b"["))
        payload[start + 1 : end] = rng.choice(TOKENS[:-1])


def fuzz(exchange: str, seeds: list[bytes], count: int, seed: int) -> Counter[str]:
    """How many frames were decoded, refused, and scanned as well.

    Raises what a decoder must not raise, and AssertionError where the scanner differs from it.
    """
    frames, counts = enumerate(mutations(seeds, count, seed)), Counter[str]()
    while some := list(islice(frames, AT_ONCE)):
        for number, payload in some:
            with _repeatable(f"{exchange}, seed {seed}, frame {number}: {payload!r}"):
                counts[_decoded(exchange, payload, TIMES[number % len(TIMES)])] += 1
        with _repeatable(f"{exchange}, seed {seed}, frames {some[0][0]} to {some[-1][0]}"):
            codec, payloads = EXCHANGES[exchange], [payload for _, payload in some]
            counts["scanned"] += len(assert_less_and_never_else(codec, SYMBOLS[exchange], payloads))
    return counts


def _decoded(exchange: str, payload: bytes, ts_recv: int) -> str:
    try:
        EXCHANGES[exchange].decode(payload, ts_recv)
        EXCHANGES[exchange].inexact(payload)
    except DecodeError:
        return "refused"
    return "decoded"


@contextmanager
def _repeatable(finding: str) -> Generator[None]:
    """Adds to an error how it is found again."""
    try:
        yield
    except Exception as error:
        error.add_note(finding)
        raise


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=1_000_000, help="frames per decoder")
    parser.add_argument("--seed", type=int, default=7, help="another seed, other frames")
    parser.add_argument("--exchange", choices=[*EXCHANGES], action="append", help="default: all")
    options = parser.parse_args(arguments)
    told = os.environ.get("ATELIER_RECORDINGS")
    for exchange in options.exchange or EXCHANGES:
        seeds, began = corpus(exchange, Path(told) if told else None), time.perf_counter()
        counts = fuzz(exchange, seeds, options.frames, options.seed)
        took = time.perf_counter() - began
        sys.stdout.write(
            f"{exchange}: {counts['decoded']:,} decoded, {counts['refused']:,} refused, "
            f"{counts['scanned']:,} scanned, from {len(seeds):,} frames in {took:.0f} s\n"
        )
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
