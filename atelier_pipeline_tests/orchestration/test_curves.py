"""What plots show is what the files hold."""

from pathlib import Path

import numpy as np
import pytest

from atelier_pipeline.lake.names import FileKind, Mode
from atelier_pipeline.orchestration.curves import (
    BARS,
    COLUMNS,
    CURVES,
    DEPTHS,
    Curve,
    depth,
    latencies,
    loss_bands,
    points,
    share_of,
    time_span,
)
from atelier_pipeline.orchestration.plots import POINTS
from atelier_pipeline_tests.validate.small_lake import T0, TICKS, Row, SmallLake, window

MS = 1_000_000


@pytest.fixture
def small(tmp_path: Path) -> tuple[SmallLake, Path]:
    lake = SmallLake()
    return lake, lake.write(tmp_path / "lake")


def test_a_rate_counts_the_rows_of_each_bin_per_second(small: tuple[SmallLake, Path]):
    lake, root = small
    rates = points(lake.path(root, "trades"), CURVES[FileKind.TRADES, Mode.RAW][0], window())
    expected = np.zeros(POINTS)
    for trade in range(13):
        expected[(40 + 150 * trade) * POINTS // 2000] += POINTS / 2
    assert rates.tolist() == expected.tolist()


def test_a_rate_leaves_the_opening_state_out(small: tuple[SmallLake, Path]):
    lake, root = small
    curve = CURVES[FileKind.FUNDINGS, Mode.RAW][0]
    rates = points(lake.path(root, "fundings"), curve, window())
    assert np.flatnonzero(rates).tolist() == [620 * POINTS // 2000]


def test_a_mean_is_of_the_rows_that_match_and_open_where_nothing_is_known(
    small: tuple[SmallLake, Path],
):
    lake, root = small
    curve = CURVES[FileKind.ORDERBOOKS, Mode.SYNC][0]
    best = points(lake.path(root, "orderbooks_sync"), curve, window())
    ticks = [k for k in range(1, TICKS + 1) if k not in {11, 12}]
    bins = sorted({min(k * POINTS // TICKS, POINTS - 1) for k in ticks})
    assert np.flatnonzero(np.isfinite(best)).tolist() == bins
    assert best[bins].tolist() == [99.0] * len(bins)


def test_a_truth_value_is_shown_as_its_share(small: tuple[SmallLake, Path]):
    lake, root = small
    curve = CURVES[FileKind.SNAPSHOTS, Mode.SYNC][0]
    valid = points(lake.path(root, "snapshots"), curve, window())
    known = valid[np.isfinite(valid)]
    assert known.tolist() == [float(k not in {11, 12}) for k in range(1, TICKS + 1)]


def test_every_kind_that_has_a_curve_has_its_columns():
    for (kind, mode), curves in CURVES.items():
        names = kind.schema(mode).names
        assert {curve.time for curve in curves} <= set(names)
        assert {curve.value for curve in curves} - {None} <= set(names)


def test_losses_are_fractions_of_the_window_and_notes_are_none(small: tuple[SmallLake, Path]):
    lake, _ = small
    known, note = lake.rows["gaps"][0], lake.rows["gaps"][0] | {"cause": "silence"}
    outside = known | {"ts_start": T0 - 500 * MS, "ts_end": T0 + 500 * MS}
    gaps = lake.damaged("gaps", lambda _: [known, note, outside]).table("gaps")
    assert loss_bands(gaps, window()) == [(0.5, 0.62), (0.0, 0.25)]


def test_a_time_span_runs_from_the_first_row_to_the_last_of_all_files(
    small: tuple[SmallLake, Path],
):
    lake, root = small
    paths = [lake.path(root, name) for name in ("trades", "liquidations")]
    assert time_span(paths, "ts_event") == (T0 + 40 * MS, T0 + 1840 * MS)


def test_files_without_rows_have_no_time_span(tmp_path: Path):
    lake = SmallLake().damaged("trades", lambda _: [])
    root = lake.write(tmp_path / "lake")
    assert time_span([lake.path(root, "trades")], "ts_event") is None
    assert not points(lake.path(root, "trades"), Curve("rate", "ts_event"), window()).any()


def test_depth_is_the_mean_size_by_level_with_the_best_levels_in_the_middle(
    small: tuple[SmallLake, Path],
):
    lake, root = small
    sizes = depth(lake.path(root, "orderbooks_sync"), window())
    assert sizes.shape == (2 * DEPTHS, COLUMNS)
    known = {index for index in range(2 * DEPTHS) if np.isfinite(sizes[index]).any()}
    best, second = DEPTHS, DEPTHS + DEPTHS // 2
    assert known == {DEPTHS - 1 - DEPTHS // 2, DEPTHS - 1, best, second}
    first_tick = COLUMNS // TICKS - 1
    assert sizes[[DEPTHS - 1 - DEPTHS // 2, DEPTHS - 1, best, second], first_tick].tolist() == [
        2.0,
        3.0,
        6.0,
        4.0,
    ]
    empty = {column for column in range(COLUMNS) if not np.isfinite(sizes[best, column])}
    ticks = {k * COLUMNS // TICKS - 1 for k in range(1, TICKS + 1) if k not in {11, 12}}
    assert empty == set(range(COLUMNS)) - ticks


def test_a_book_without_rows_has_no_depth(tmp_path: Path):
    lake = SmallLake().damaged("orderbooks_sync", lambda _: [])
    root = lake.write(tmp_path / "lake")
    assert np.isnan(depth(lake.path(root, "orderbooks_sync"), window())).all()


def test_latencies_are_counted_on_a_logarithmic_scale_without_opening_rows(
    small: tuple[SmallLake, Path],
):
    lake, root = small
    counts = latencies(lake.path(root, "fundings"))
    assert counts.sum() == 1
    assert np.flatnonzero(counts).tolist() == [int(np.log10(20) * BARS / 4)]
    assert latencies(lake.path(root, "trades")).sum() == len(lake.rows["trades"])


def test_latencies_below_and_above_the_scale_are_in_its_outermost_bars(tmp_path: Path):
    def spread(rows: list[Row]) -> list[Row]:
        took = (-5 * MS, 60_000 * MS)
        return [
            row | {"ts_recv": row["ts_event"] + ns} for row, ns in zip(rows[:2], took, strict=True)
        ]

    lake = SmallLake().damaged("trades", spread)
    root = lake.write(tmp_path / "lake")
    assert np.flatnonzero(latencies(lake.path(root, "trades"))).tolist() == [0, BARS - 1]


def test_the_share_of_ticks_with_a_valid_book_is_of_all_files(small: tuple[SmallLake, Path]):
    lake, root = small
    path = lake.path(root, "snapshots")
    assert share_of([path, path], "book_valid") == 0.9
    assert share_of([], "book_valid") is None
