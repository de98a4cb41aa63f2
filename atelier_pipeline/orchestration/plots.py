"""Plots small enough to show inside Dagster's metadata, as SVG of one visual language.

Time runs left to right over the window, the line is what the label names, its largest and smallest
value stand at the left, red bands are known losses. Darker is more.
"""

import base64
import math
import struct
import zlib
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

WIDTH = 300
HEIGHT = 60
POINTS = 60
"""Dagster shows Markdown of under 1,000 characters in place and hides longer text behind a link;
60 points, four bands and their labels stay below that."""
BANDS = 4
LINE = 9
SHADES = 96
_DARKER = ("dfeaf5", "bcd4ea", "92bade", "649ccf", "3f7ebd", "245f9f", "123f73")
COLOURS = {
    "available": "#2f7ebc",
    "pending": "#c9ced3",
    "degraded": "#f3c969",
    "poor": "#e8963a",
    "bad": "#c85a1e",
    "missing": "#a3203a",
}
"""Of the shades of coverage, as on the page of a day; the worst comes last."""


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
    """Markdown with a line of shades of COLOURS for each of `lines`, which span the same time.

    Where there are more than SHADES in a line, the worst of neighbours is shown.
    """
    order = {shade: place for place, shade in enumerate(COLOURS, 1)}
    worst = np.zeros((len(lines), min(len(lines[0]), SHADES)))
    for row, line in enumerate(lines):
        columns = np.arange(len(line)) * worst.shape[1] // len(line)
        np.maximum.at(worst[row], columns, [order[shade] for shade in line])
    borders = "".join(f"M0,{LINE * row}h{WIDTH}" for row in range(1, len(lines)))
    border = f'<path stroke="#fff" d="{borders}"/>'
    return _cells(worst, [colour[1:] for colour in COLOURS.values()], LINE * len(lines), border)


def bar_plot(counts: NDArray[np.int64], first: str, last: str) -> str:
    """Markdown with a bar for each of `counts`, at most POINTS; texts name the two ends."""
    width, most = WIDTH / max(counts.size, 1), max(int(counts.max(initial=0)), 1)
    floor = HEIGHT - 10
    heights = [math.ceil(count / most * floor) for count in counts.tolist()]
    bars = "".join(
        f"M{round((place + 0.5) * width)},{floor}v-{height}"
        for place, height in enumerate(heights)
        if height
    )
    return _markdown(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}">'
        f'<path stroke="#36c" stroke-width="{width - 1:.3g}" d="{bars}"/>'
        f'<g font-size="9" font-family="sans-serif" fill="#888"><text y="{HEIGHT}">{first}</text>'
        f'<text x="{WIDTH}" y="{HEIGHT}" text-anchor="end">{last}</text></g></svg>'
    )


def heat_map(values: NDArray[np.float64]) -> str:
    """Markdown with a cell for each of `values`, float64[rows, columns], darker where larger.

    The scale is logarithmic; a value that is not known or not above 0 leaves its cell empty.
    """
    known = np.isfinite(values) & (values > 0)
    logs = np.log(values, where=known, out=np.zeros_like(values))
    low, high = (logs[known].min(), logs[known].max()) if known.any() else (0.0, 0.0)
    steps = (logs - low) / ((high - low) or 1.0) * (len(_DARKER) - 1)
    return _cells(np.where(known, 1 + np.rint(steps), 0), _DARKER, HEIGHT)


def _cells(
    indexes: NDArray[np.float64], colours: Sequence[str], height: int, over: str = ""
) -> str:
    """Markdown with a cell for each of `indexes`: 0 is empty, 1 the first of `colours`.

    `over` is SVG drawn on top.
    """
    picture = base64.b64encode(_png(indexes, colours)).decode()
    return _markdown(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}">'
        f'<image width="{WIDTH}" height="{height}" preserveAspectRatio="none" '
        f'style="image-rendering:pixelated" href="data:image/png;base64,{picture}"/>{over}</svg>'
    )


def _png(indexes: NDArray[np.float64], colours: Sequence[str]) -> bytes:
    """An image of 4 bits a pixel, at most 15 colours and one that is transparent.

    https://www.w3.org/TR/png-3/
    """
    rows, columns = indexes.shape
    even = np.pad(indexes, ((0, 0), (0, columns % 2))).astype(np.uint8)
    pixels = np.pad(even[:, ::2] << 4 | even[:, 1::2], ((0, 0), (1, 0))).tobytes()
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", columns, rows, 4, 3, 0, 0, 0)),
        (b"PLTE", bytes.fromhex("".join(("000000", *colours)))),
        (b"tRNS", b"\0"),
        (b"IDAT", zlib.compress(pixels, 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
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
