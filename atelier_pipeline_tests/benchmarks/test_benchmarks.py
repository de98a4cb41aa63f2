"""Every case runs on tiny input and tells what the page needs; how fast it was is not asserted."""

import inspect
import json
from collections import defaultdict
from importlib import import_module

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from atelier_pipeline_tests.benchmarks import suite
from atelier_pipeline_tests.benchmarks.cases import (
    books,
    capturing,
    catalog,
    decoding,
    growth,
    recording,
    starting,
    trades,
    whole_day,
)
from atelier_pipeline_tests.benchmarks.market_day import market_day
from atelier_pipeline_tests.benchmarks.market_frames import bybit_frames
from atelier_pipeline_tests.benchmarks.measure import Case, Sample, Series, ratio
from atelier_pipeline_tests.benchmarks.page import BEGIN, END, markdown, put
from atelier_pipeline_tests.benchmarks.recorded import (
    RECORDINGS,
    frames_of,
    read_frames,
    write_frames,
)
from atelier_pipeline_tests.benchmarks.results import Results
from atelier_pipeline_tests.benchmarks.stopwatch import Stopwatch
from atelier_pipeline_tests.benchmarks.suite import QUICK, Bench

TINY = {"updates": 2_000, "trades": 200, "seed": 7}
FRAMES = 300


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    place = str(tmp_path_factory.mktemp("day") / "lake")
    whole_day.written(Stopwatch(), place, **TINY, hours=1, minutes=1)
    return place


@pytest.fixture(params=list(RECORDINGS))
def frames(request, tmp_path):
    path = tmp_path / "made.frames"
    write_frames(path, frames_of(request.param, FRAMES, None))
    return request.param, str(path)


def assert_is_sample(sample, amount, **facts):
    assert sample["amount"] == amount
    assert min(sample["secs"], sample["peak_mib"]) > 0
    assert json.loads(json.dumps(sample)) == sample
    assert {name: sample[name] for name in facts} == facts


def test_frames_are_made_for_the_other_cases(tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "recordings", lambda: None)
    path = tmp_path / "made.frames"
    assert_is_sample(recording.written(Stopwatch(), "kraken", 20, str(path)), 20)
    assert list(read_frames(path)) == frames_of("kraken", 20, None)


def test_frames_of_every_exchange_become_checked_events_and_raw_files(frames, tmp_path):
    exchange, path = frames
    assert_is_sample(decoding.checked_events(Stopwatch(), exchange, path), FRAMES)
    written = decoding.raw_files(Stopwatch(), exchange, path, str(tmp_path))
    assert_is_sample(written, FRAMES, losses=0)
    assert min(written["book_rows"], written["book_bytes"]) > 0


def test_messages_through_a_socket_are_received_journaled_and_captured_without_a_loss(tmp_path):
    path = str(tmp_path / "made.frames")
    write_frames(tmp_path / "made.frames", frames_of("bybit", FRAMES, None))
    common = {"frames": path, "count": 2 * FRAMES}
    assert_is_sample(capturing.bare(Stopwatch(), **common), 2 * FRAMES)
    place = str(tmp_path)
    assert_is_sample(capturing.journaled(Stopwatch(), **common, folder=place), 2 * FRAMES, lost=0)
    captured = capturing.captured(Stopwatch(), **common, folder=place, rate=5_000)
    assert_is_sample(captured, 2 * FRAMES, lost=0, dropped=0)


def test_the_kernel_walks_every_level_change():
    sample = books.at_grid(Stopwatch(), TINY["updates"], TINY["seed"], hours=1)
    assert_is_sample(sample, TINY["updates"] + 1_000)


def test_polars_finds_the_same_trades_and_figures_at_the_grid():
    table = trades.raw_trades(2_000, 7)
    rows, ticks = trades.our_ticks(table)
    polars_rows, polars_ticks = trades.polars_ticks(pl.from_arrow(table))
    assert rows["id"].to_pylist() == polars_rows["id"].to_list()
    stamps = rows["grid_ts"].cast(pa.int64()).to_pylist()
    assert stamps == polars_rows["grid_ts"].to_list()
    moved = np.flatnonzero(ticks["count"])
    for name, values in ticks.items():
        expected = polars_ticks[name].to_physical().to_numpy()
        np.testing.assert_allclose(values[moved], expected, rtol=1e-12)


def test_trades_are_timed_by_both():
    assert_is_sample(trades.ours(Stopwatch(), 500, 7), 2_500)
    assert_is_sample(trades.polars(Stopwatch(), 500, 7), 2_500)


def test_the_generated_day_has_no_error_from_raw_to_aggregates(lake):
    common = {"lake": lake, "count": 2, "minutes": 1}
    synchronised = whole_day.synchronised(Stopwatch(), **common)
    assert min(synchronised["amount"], synchronised["raw_rows"]) > 0
    assert_is_sample(whole_day.validated(Stopwatch(), **common), 2, failed=0)
    assert whole_day.read(Stopwatch(), lake)["amount"] > TINY["updates"]


def test_the_catalog_is_asked_and_made_anew(lake, tmp_path):
    common = {"lake": lake, "folder": str(tmp_path)}
    asked = catalog.asked(Stopwatch(), **common, table="trades", column="price")
    assert_is_sample(asked, 10, rows=TINY["trades"])
    assert_is_sample(catalog.rebuilt(Stopwatch(), **common, files=30), 30)


def test_the_whole_line_runs_on_frames_of_several_symbols(tmp_path):
    sample = growth.line(Stopwatch(), str(tmp_path), updates=500, seed=7, symbols=2)
    assert_is_sample(sample, 1_000, failed=0)


def test_the_command_line_is_started():
    assert_is_sample(starting.nothing(Stopwatch()), 5)
    assert_is_sample(starting.help_page(Stopwatch()), 5)


def test_the_same_seed_gives_the_same_frames():
    first, again, other = (bybit_frames(market_day(500, 50, seed), "X") for seed in (1, 1, 2))
    assert first == again != other


def canned(cases, rounds):
    """Series as if every case had been run; each must name a function that takes its parameters."""
    figures = defaultdict(lambda: 2.0, failed=0.0)
    for case in cases:
        *_, module, function, parameters = case.command
        function = getattr(import_module(f"{suite.__package__}.cases.{module}"), function)
        wanted = json.loads(parameters)
        wanted.pop("one_core", None)
        inspect.signature(function).bind(Stopwatch(), **wanted)
    return [Series(case, [Sample(figures)] * rounds) for case in cases]


def test_the_suite_names_cases_that_exist_and_judges_every_target(tmp_path, monkeypatch):
    monkeypatch.setattr(suite, "interleaved", canned)
    results = Bench(tmp_path, QUICK, None, lambda _: None).run()
    assert [verdict.target for verdict in results.verdicts if "bytes" not in verdict.target] == [
        "≥ 0.85 of its speed",
        "≤ 0 frames",
        "≥ 3 M sync rows a second",
        "≤ 0.625 s",
        "≤ 1500 MiB",
        "≥ 10 M level changes a second",
        "≥ 1 times its speed",
        "≤ 20 ms",
        "≤ 20 ms",
        "≤ 5 s",
        "≤ 10.5 times the time",
        "≤ 0.5 s",
    ]


def test_the_ratio_of_two_cases_is_the_median_of_the_rounds_own():
    def series(*secs):
        figures = [{"amount": 10, "secs": s, "cpu_secs": s, "peak_mib": 1} for s in secs]
        return Series(Case("", ()), [Sample(each) for each in figures])

    found = ratio(series(1, 2, 4), series(2, 8, 4))
    assert (found.median, found.low, found.high, found.cpu) == (2, 1, 4, 2)


def test_results_take_the_place_of_those_before_them_in_the_page(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", "utf-8")
    results = Results()
    results.at_least("speed", 2, 3, "m/s")
    results.at_most("weight", 2, 3, "kg", "too heavy")
    put(markdown(results, ["a machine"]), page)
    text = page.read_text("utf-8")
    assert "| speed | ≥ 2 m/s | 3 m/s | met |" in text
    assert "| weight | ≤ 2 kg | 3 kg | **missed**, 1.50 times it; too heavy |" in text
    assert text.startswith(f"before\n{BEGIN}\n\n- a machine\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
