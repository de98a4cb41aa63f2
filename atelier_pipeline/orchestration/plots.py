"""Plots small enough to show inside Dagster's metadata: one SVG line, losses shaded behind it.

One visual language for every asset: time runs left to right over the window, the line is what the
label names, its largest and smallest value stand at the left, red bands are known losses.
"""

import base64
import math
from collections.abc import Iterable, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

WIDTH = 300
HEIGHT = 60
POINTS = 60
"""Dagster shows Markdown of under 1,000 characters in place and hides longer text behind a link;
60 points, four bands and their labels stay below that."""
BANDS = 4
LINE = 9
COLOURS = {
    "available": "#2f7ebc",
    "degraded": "#f3c969",
    "poor": "#e8963a",
    "bad": "#c85a1e",
    "pending": "#c9ced3",
    "missing": "#a3203a",
}
"""Of the shades of coverage, as on the page of a day."""


def line_plot(values: NDArray[np.float64], losses: Iterable[tuple[float, float]] = ()) -> str:
    """Markdown with a line over `values`, which are evenly spaced over the window.

    Args:
        values: float64[n], n at most POINTS; NaN where there is none, which leaves the line open.
        losses: (start, end) as fractions of the window, 0 to 1; the longest are drawn.
    """
    known = values[np.isfinite(values)]
    low, high = (known.min(), known.max()) if known.size else (0.0, 0.0)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}">'
        f'<g font-size="9" font-family="sans-serif" fill="#888"><text y="8">{high:.6g}</text>'
        f'<text y="{HEIGHT}">{low:.6g}</text></g>'
        f'<path fill="#d33" opacity=".2" d="{_bands(losses)}"/>'
        f'<path fill="none" stroke="#36c" stroke-linecap="round" d="{_line(values, low, high)}"/>'
        "</svg>"
    )
    return _markdown(svg)


def shade_map(lines: Sequence[Sequence[str]]) -> str:
    """Markdown with a line of shades for each of `lines`, which span the same time."""
    strokes = dict.fromkeys(COLOURS, "")
    for row, line in enumerate(lines):
        across, place = WIDTH / len(line), 0
        for shade, group in groupby(line):
            begin, place = place, place + len(list(group))
            left, right = round(begin * across), round(place * across)
            strokes[shade] += f"M{left},{row * LINE + LINE // 2}h{max(right - left, 1)}"
    paths = "".join(
        f'<path stroke="{COLOURS[shade]}" d="{data}"/>' for shade, data in strokes.items() if data
    )
    return _markdown(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{LINE * len(lines)}">'
        f'<g stroke-width="{LINE - 1}">{paths}</g></svg>'
    )


def _markdown(svg: str) -> str:
    return f"![](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


def _line(values: NDArray[np.float64], low: float, high: float) -> str:
    """Path data in whole pixels, each point relative to the one before: the shortest spelling."""
    across = WIDTH / max(values.size - 1, 1)
    width = float(high - low) or 1.0
    path: list[str] = []
    last: tuple[int, int] | None = None
    for index, value in enumerate(values.tolist()):
        if not math.isfinite(value):
            last = None
            continue
        point = round(index * across), round(HEIGHT - 1 - (value - low) / width * (HEIGHT - 2))
        path.append(
            f"l{point[0] - last[0]},{point[1] - last[1]}" if last else f"M{point[0]},{point[1]}h0"
        )
        last = point
    return "".join(path)


def _bands(losses: Iterable[tuple[float, float]]) -> str:
    longest = sorted(losses, key=lambda loss: loss[0] - loss[1])[:BANDS]
    pixels = [(round(start * WIDTH), round(end * WIDTH)) for start, end in longest]
    return "".join(f"M{left},0V{HEIGHT}H{max(right, left + 1)}V0" for left, right in pixels)
