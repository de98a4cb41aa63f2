"""What is read of a day is what its files hold."""

from pathlib import Path

from atelier_pipeline.lake.names import FileKind, Mode, lake_path
from atelier_pipeline.manifest import Collector, parse_collector
from atelier_pipeline.report.facts import DayFacts, Feed, Loss, day_windows
from atelier_pipeline.report.seams import seams_of
from atelier_pipeline_tests.validate.small_lake import MS, T0, SmallLake

MANIFEST = """
[collect]
exchange = "kraken"
[collect.datatypes]
orderbook = { enabled = true, depth = 10 }
trades = { enabled = true }
[[workers]]
symbol = "BTC/USD"
[[workers]]
symbol = "ETH/USD"
"""
HOUR_NS = 3_600_000 * MS
WINDOWS = day_windows(T0 - 15 * HOUR_NS, 60)
BOOKS = Feed("BTC/USD", "orderbooks")


def collector() -> Collector:
    return parse_collector("spot", MANIFEST, "spot.toml")


def lake_of(folder: Path, *hours: int) -> Path:
    """A window in each of some hours after T0, named by its own capture."""
    for hour in hours:
        small = SmallLake(exchange="kraken", t0=T0 + hour * HOUR_NS)
        for name in ("captures", "gaps"):
            small.damaged(
                name, lambda rows, hour=hour: [r | {"capture_id": f"{hour}"} for r in rows]
            )
        small.write(folder)
    return folder


def facts_of(lake: Path) -> DayFacts:
    return DayFacts.read(lake, collector(), WINDOWS, [], T0 + 24 * HOUR_NS)


def test_a_day_has_as_many_windows_as_fit():
    assert len(WINDOWS) == 24
    assert WINDOWS[15].start_ns == T0
    assert len(day_windows(0, 1440)) == 1


def test_captures_losses_books_and_derived_windows_are_found_by_window(tmp_path: Path):
    facts = facts_of(lake_of(tmp_path, 0, 2))
    second = T0 + 2 * HOUR_NS
    assert {t0_ns for feed, t0_ns in facts.captures if feed == BOOKS} == {T0, second}
    assert facts.captures[BOOKS, second]["latency_p99_ns"] == 20 * MS
    loss = Loss("sequence", T0 + 1000 * MS, T0 + 1240 * MS, "")
    assert facts.losses == {
        (BOOKS, T0): (loss,),
        (BOOKS, second): (loss._replace(start_ns=second + 1000 * MS, end_ns=second + 1240 * MS),),
    }
    assert facts.books == {("BTC/USD", T0): 0.9, ("BTC/USD", second): 0.9}
    assert facts.derived == {("BTC/USD", T0), ("BTC/USD", second)}


def test_feeds_are_those_of_the_manifest_and_those_that_were_captured(tmp_path: Path):
    facts = facts_of(lake_of(tmp_path, 0))
    symbols = ("BTC/USD", "ETH/USD")
    wanted = [Feed(symbol, dataset) for symbol in symbols for dataset in ("orderbooks", "trades")]
    others = ("fundings", "liquidations", "open_interests")
    assert list(facts.feeds) == [*wanted, *(Feed("BTC/USD", dataset) for dataset in others)]


def test_the_last_window_of_the_day_before_is_known_for_its_seam(tmp_path: Path):
    facts = facts_of(lake_of(tmp_path, -16, -17))
    assert {t0_ns for _, t0_ns in facts.captures} == {WINDOWS[0].start_ns - HOUR_NS}
    assert facts.feeds == facts_of(tmp_path / "nothing").feeds
    assert facts.losses == facts.books == {}


def test_a_row_that_says_that_nothing_was_lost_is_no_loss(tmp_path: Path):
    small = SmallLake(exchange="kraken").damaged("gaps", lambda rows: [rows[0] | {"lost": 0}])
    assert facts_of(small.write(tmp_path)).losses == {}


def test_a_lake_without_the_day_has_nothing(tmp_path: Path):
    facts = facts_of(tmp_path)
    assert (facts.captures, facts.losses, facts.books, facts.derived) == ({}, {}, {}, frozenset())


def test_captures_without_any_other_file_are_read(tmp_path: Path):
    SmallLake(exchange="kraken").write(tmp_path, ["captures"])
    path = lake_path(tmp_path, "kraken", "BTC/USD", FileKind.CAPTURES, Mode.RAW, T0)
    assert path.exists()
    assert (BOOKS, T0) in facts_of(tmp_path).captures


def test_a_seam_is_judged_anew_when_the_window_before_it_was_made_again(tmp_path: Path):
    def captured(hour: int, **seam: str | None) -> None:
        small = SmallLake(exchange="kraken", t0=T0 + hour * HOUR_NS)
        end = {"window_end": T0 + (hour + 1) * HOUR_NS}
        small.damaged("captures", lambda rows: [row | end | seam for row in rows])
        small.write(tmp_path, ["captures"])

    def problem() -> str:
        seams = seams_of(facts_of(tmp_path))[BOOKS]
        return {seam.moment_ns: seam.problem for seam in seams}[T0 + HOUR_NS]

    captured(0, tail_hash=None)
    captured(1, head_hash="the same")
    assert problem() == "the window before did not see its end whole"
    captured(0, tail_hash="the same")
    assert problem() == ""
