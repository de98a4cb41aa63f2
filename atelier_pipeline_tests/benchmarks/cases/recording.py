"""Frames for the other cases, made in a process of their own: children inherit peak memory."""

from pathlib import Path

from atelier_pipeline_tests.benchmarks.recorded import frames_of, recordings, write_frames
from atelier_pipeline_tests.benchmarks.stopwatch import Stopwatch


def written(watch: Stopwatch, exchange: str, count: int, path: str) -> dict[str, float]:
    """A file of at least `count` frames of an exchange."""
    with watch:
        write_frames(Path(path), frames_of(exchange, count, recordings()))
    return watch.sample(count)
