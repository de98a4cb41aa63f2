"""Plots small enough to show inside Dagster's metadata: one SVG line, losses shaded behind it.

One visual language for every asset: time runs left to right over the window, the line is what the
label names, its largest and smallest value stand at the left, red bands are known losses.
"""

import base64
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

WIDTH = 300
HEIGHT = 60
POINTS = 60
"""Dagster shows Markdown of under 1,000 characters in place and hides longer text behind a link;
60 points, four bands and their labels stay below that."""
BANDS = 4


def line_plot(values: NDArray[np.float64], losses: Iterable[tuple[float, float]] = ()) -> str:
    """Markdown with a line over `values`, which are evenly spaced over the window.

    Args:
        values: float64[n]; NaN where there is none, which leaves the line open there.
        losses: (start, end) as fractions of the window, 0 to 1; the longest are drawn.
    """
    points = _binned(values)
    low, high = _range(points)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}">'
        f'<g font-size="9" fill="#888"><text y="8">{high:.6g}</text>'
        f'<text y="{HEIGHT}">{low:.6g}</text></g>'
        f'<path fill="#d33" opacity=".2" d="{_bands(losses)}"/>'
        f'<path fill="none" stroke="#36c" d="{_line(points, low, high)}"/></svg>'
    )
    return f"![](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


def _binned(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """At most POINTS means of neighbouring values; NaN where a whole bin is NaN."""
    if values.size <= POINTS:
        return values
    edges = np.linspace(0, values.size, POINTS + 1).astype(np.int64)[:-1]
    known = np.isfinite(values)
    counts = np.add.reduceat(known.astype(np.int64), edges)
    sums = np.add.reduceat(np.where(known, values, 0.0), edges)
    return np.divide(sums, counts, out=np.full(counts.size, np.nan), where=counts > 0)


def _range(points: NDArray[np.float64]) -> tuple[float, float]:
    known = points[np.isfinite(points)]
    return (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)


def _line(points: NDArray[np.float64], low: float, high: float) -> str:
    """Path data in whole pixels, each point relative to the one before: the shortest spelling."""
    span = high - low or 1.0
    across = WIDTH / max(points.size - 1, 1)
    drawn: list[str] = []
    x, y, joined = 0, 0, False
    for index, value in enumerate(points):
        if not np.isfinite(value):
            joined = False
            continue
        new_x, new_y = round(index * across), round((HEIGHT - 2) * (1 - (value - low) / span)) + 1
        drawn.append(f"l{new_x - x},{new_y - y}" if joined else f"M{new_x},{new_y}h1")
        x, y = (new_x, new_y) if joined else (new_x + 1, new_y)
        joined = True
    return "".join(drawn)


def _bands(losses: Iterable[tuple[float, float]]) -> str:
    longest = sorted(losses, key=lambda loss: loss[0] - loss[1])[:BANDS]
    return "".join(
        f"M{round(start * WIDTH)},0V{HEIGHT}H{max(round(end * WIDTH), round(start * WIDTH) + 1)}V0"
        for start, end in longest
    )
