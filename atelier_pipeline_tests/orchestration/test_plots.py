"""Plots are well-formed SVG that Dagster shows without a click."""

import base64
import xml.etree.ElementTree as ET

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from atelier_pipeline.orchestration.plots import POINTS, line_plot

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
