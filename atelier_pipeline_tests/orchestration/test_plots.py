"""Plots are well-formed SVG that Dagster shows without a click."""

import base64
import struct
import xml.etree.ElementTree as ET
import zlib

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from atelier_pipeline.orchestration.plots import (
    COLOURS,
    POINTS,
    bar_plot,
    heat_map,
    line_plot,
    shade_map,
)

SHOWN_IN_PLACE = 1000
FRACTIONS = st.floats(0, 1)


def svg_of(markdown: str) -> ET.Element:
    head, data = markdown.split("base64,")
    assert head == "![](data:image/svg+xml;"
    return ET.fromstring(base64.b64decode(data.removesuffix(")")))  # noqa: S314 - our own text


def paths_of(markdown: str) -> list[str]:
    return [path.attrib["d"] for path in svg_of(markdown).iter("{http://www.w3.org/2000/svg}path")]


def test_a_line_runs_from_the_lowest_value_at_the_bottom_to_the_highest_at_the_top():
    bands, line = paths_of(line_plot(np.array([1.0, 2.0, 3.0])))
    assert bands == ""
    assert line == "M0,59h0l150,-29l150,-29"


def test_a_value_that_is_not_known_leaves_the_line_open():
    _, line = paths_of(line_plot(np.array([1.0, np.nan, 3.0])))
    assert line == "M0,59h0M300,1h0"


def test_losses_are_bands_over_their_share_of_the_window():
    bands, _ = paths_of(line_plot(np.array([1.0]), [(0.5, 0.75), (1.0, 1.0)]))
    assert bands == "M150,0V60H225V0M300,0V60H301V0"


@settings(max_examples=100, deadline=None)
@given(
    values=hnp.arrays(
        np.float64, st.integers(0, POINTS), elements=st.floats(-1e12, 1e12) | st.just(np.nan)
    ),
    losses=st.lists(st.tuples(FRACTIONS, FRACTIONS).map(sorted).map(tuple), max_size=9),
)
def test_any_plot_is_well_formed_and_short_enough_to_show_in_place(values, losses):
    markdown = line_plot(values, losses)
    assert len(paths_of(markdown)) == 2
    assert len(markdown) < SHOWN_IN_PLACE


def pixels_of(markdown: str) -> list[list[int]]:
    """The indexes of the colours of a picture's cells, read as the PNG standard says."""
    (image,) = svg_of(markdown).iter("{http://www.w3.org/2000/svg}image")
    png = base64.b64decode(image.attrib["href"].removeprefix("data:image/png;base64,"))
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    chunks: dict[bytes, bytes] = {}
    place = 8
    while place < len(png):
        (length,) = struct.unpack_from(">I", png, place)
        kind, body = png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        assert struct.unpack_from(">I", png, place + 8 + length) == (zlib.crc32(kind + body),)
        chunks[kind] = body
        place += 12 + length
    columns, rows, bits, *_ = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert bits == 4
    data, stride = zlib.decompress(chunks[b"IDAT"]), 1 + (columns + 1) // 2
    lines = [data[row * stride + 1 : (row + 1) * stride] for row in range(rows)]
    return [[v for byte in line for v in (byte >> 4, byte & 15)][:columns] for line in lines]


def test_a_heat_map_is_darker_where_a_value_is_larger_and_empty_where_it_is_not_known():
    values = np.array([[1.0, 10.0, 100.0], [np.nan, 0.0, 100.0]])
    (first, second) = pixels_of(heat_map(values))
    assert first[0] == 1
    assert first[0] < first[1] < first[2]
    assert second == [0, 0, first[2]]


def test_a_shade_map_has_a_line_for_each_feed_and_shows_the_worst_of_neighbours():
    many = ["available"] * 500 + ["missing"] + ["available"] * 459
    (short,) = pixels_of(shade_map([["pending", "degraded"]]))
    assert short == [list(COLOURS).index(shade) + 1 for shade in ("pending", "degraded")]
    (long,) = pixels_of(shade_map([many]))
    assert long == [1] * 50 + [len(COLOURS)] + [1] * 45


def test_bars_are_as_high_as_their_counts_and_none_for_zero():
    (bars,) = paths_of(bar_plot(np.array([5, 0, 10]), "1 ms", "10 s"))
    assert bars == "M50,50v-25M250,50v-50"


def test_a_day_of_many_feeds_and_troubles_is_short_enough_to_show_in_place():
    lines = [[list(COLOURS)[(k * row) // 7 % 6] for k in range(24)] for row in range(10)]
    assert len(shade_map(lines)) < SHOWN_IN_PLACE


@settings(max_examples=50, deadline=None)
@given(
    values=hnp.arrays(np.float64, (12, 40), elements=st.floats(0, 1e12) | st.just(np.nan)),
    counts=hnp.arrays(np.int64, 40, elements=st.integers(0, 10**9)),
)
def test_any_heat_map_and_any_bars_are_short_enough_to_show_in_place(values, counts):
    assert len(heat_map(values)) < SHOWN_IN_PLACE
    assert len(bar_plot(counts, "1 ms", "10 s")) < SHOWN_IN_PLACE
    assert len(pixels_of(heat_map(values))) == 12
