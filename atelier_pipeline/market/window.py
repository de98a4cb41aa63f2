"""Half-open UTC intervals that tile the time axis."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """The interval [start_ns, end_ns) of UTC nanoseconds since the Unix epoch."""

    start_ns: int
    end_ns: int

    def __post_init__(self) -> None:
        if self.start_ns >= self.end_ns:
            msg = f"window ends at {self.end_ns} ns, not after its start {self.start_ns} ns"
            raise ValueError(msg)

    def __contains__(self, time_ns: int) -> bool:
        return self.start_ns <= time_ns < self.end_ns
