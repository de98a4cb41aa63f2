"""A compacted day shows the same rows, can be cut into its windows, and can be given back."""

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atelier_pipeline.errors import LakeError
from atelier_pipeline.housekeeping import compact
from atelier_pipeline.housekeeping.compact import (
    compact_day,
    days_to_compact,
    days_to_expand,
    expand_day,
    row_groups,
    staged_folders,
)
from atelier_pipeline.housekeeping.days import find_days
from atelier_pipeline.housekeeping.selection import Selection
from atelier_pipeline.lake import writer
from atelier_pipeline.lake.content import content_hash
from atelier_pipeline.lake.footer import Footer
from atelier_pipeline.lake.names import FileKind, Mode, find_files
from atelier_pipeline.lake.reader import (
    read_footer,
    read_pieces,
    read_table,
    read_window,
    read_window_footer,
)
from atelier_pipeline.lake.storage import remove_folder
from atelier_pipeline.lake.writer import write_table
from atelier_pipeline.validate.catalog import query
from atelier_pipeline.validate.tables import TABLES
from atelier_pipeline_tests.housekeeping.lakes import (
    DAY_NS,
    HOUR_NS,
    LATER_NS,
    MadeUp,
    contents,
    counted,
    views,
)
from atelier_pipeline_tests.housekeeping.power import cut_everywhere

ALL = Selection()
SMALL = ("trades", "trades_sync", "captures", "aggregates")


def compacted(lake: Path) -> list[compact.Compacted]:
    """Compact every closed day."""
    plan = days_to_compact(lake, lake.parent / "journal", LATER_NS, ALL)
    return [compact_day(day) for day in plan.days]


def made(lake: Path, *windows: MadeUp, names: tuple[str, ...] = tuple(TABLES)) -> Path:
    """A lake of some windows."""
    for window in windows:
        window.write(lake, names)
    return lake


def trades(lake: Path) -> list[Path]:
    """The raw files of trades."""
    return [file.path for file in find_files(lake, FileKind.TRADES, Mode.RAW)]


windows = st.lists(
    st.builds(
        MadeUp,
        hour=st.integers(0, 47),
        rows=st.integers(0, 4),
        symbol=st.sampled_from(["BTC/USD", "ETH-USD"]),
    ),
    unique_by=lambda window: (window.hour, window.symbol),
    min_size=1,
    max_size=6,
)


@given(windows)
@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_windows_show_the_same_rows_compacted_and_given_back(tmp_path, windows):
    lake = tmp_path / "lake"
    shutil.rmtree(lake, ignore_errors=True)
    before = views(made(lake, *windows))
    files = contents(lake)
    compacted(lake)
    assert views(lake) == before
    days = {(window.symbol, window.hour // 24) for window in windows}
    assert len(trades(lake)) == len(days)
    for day in days_to_expand(lake, ALL):
        expand_day(day)
    assert contents(lake) == files


def test_a_compacted_file_says_what_it_was_made_of(tmp_path):
    first, second = MadeUp(0, 3), MadeUp(5, 2, collector="other")
    lake = made(tmp_path, first, second, names=SMALL)
    hashes = {path.name: read_footer(path).content_hash for path in trades(lake)}
    notes = [read_footer(path) for path in trades(lake)]
    compacted(lake)
    (path,) = trades(lake)
    assert path.name == "BTC-USD_trades_raw_20260226_000000.001.parquet"
    footer = read_footer(path)
    assert content_hash(read_table(path)) == footer.content_hash
    assert footer == Footer(
        exchange="kraken",
        symbol="BTC/USD",
        collector="",
        window_start=DAY_NS,
        window_end=DAY_NS + 6 * HOUR_NS,
        source="live",
        settings_hash="0123456789abcdef",
        input_hashes=hashes,
        content_hash=footer.content_hash,
    )
    assert [(piece.name, piece.rows) for piece in read_pieces(path)] == [
        (name, rows) for name, rows in zip(hashes, (3, 2), strict=True)
    ]
    assert [piece.footer for piece in read_pieces(path)] == notes


def test_what_was_done_is_told(tmp_path):
    lake = made(tmp_path, MadeUp(0, 3), MadeUp(1, 2), names=SMALL)
    sizes = {name: len(data) for name, data in contents(lake).items() if "trades" in name}
    done = next(each for each in compacted(lake) if "trades" in str(each.folder))
    after = {name: len(data) for name, data in contents(lake).items() if "trades" in name}
    assert done == compact.Compacted(
        folder=lake / "kraken" / "BTC-USD" / "trades" / "date=2026-02-26",
        rows=10,
        files_before=4,
        files_after=2,
        bytes_before=sum(sizes.values()),
        bytes_after=sum(after.values()),
    )


def test_each_window_can_be_read_out_of_its_compacted_day(tmp_path):
    made_up = [MadeUp(0, 3), MadeUp(1, 0), MadeUp(7, 4)]
    lake = made(tmp_path, *made_up, names=SMALL)
    paths = [window.path(lake, FileKind.TRADES, Mode.RAW) for window in made_up]
    before = [(read_table(path), read_footer(path)) for path in paths]
    assert [(read_window(path), read_window_footer(path)) for path in paths] == before
    compacted(lake)
    assert [(read_window(path), read_window_footer(path)) for path in paths] == before
    never = MadeUp(3, 1).path(lake, FileKind.TRADES, Mode.RAW)
    with pytest.raises(LakeError, match="has no such piece"):
        read_window(never)


def test_a_window_is_cut_out_where_the_day_has_several_row_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "ROWS_PER_GROUP", 4)
    monkeypatch.setattr(compact, "ROWS_PER_GROUP", 4)
    monkeypatch.setattr(compact, "GATHERED_ROWS", 3)
    made_up = [MadeUp(hour, rows) for hour, rows in enumerate((3, 9, 0, 1, 4, 8))]
    lake = made(tmp_path, *made_up, names=SMALL)
    compacted(lake)
    assert len(trades(lake)) == 1
    for window in made_up:
        assert read_window(window.path(lake, FileKind.TRADES, Mode.RAW)) == window.table(
            TABLES["trades"]
        )


@pytest.mark.parametrize(
    ("fewest", "groups"), [(1, [3, 9, 1, 4, 8]), (4, [12, 5, 8]), (10, [12, 13]), (100, [])]
)
def test_row_groups_end_where_windows_end_and_the_last_takes_what_is_left(fewest, groups):
    assert list(row_groups((3, 9, 0, 1, 4, 8), fewest)) == groups


def test_a_large_window_has_row_groups_of_its_own():
    most = compact.ROWS_PER_GROUP
    assert list(row_groups([5, 2 * most + 3, most, 7], 10)) == [5, most, most, 3, most]


def test_a_day_whose_prices_drift_is_no_larger_than_its_windows(tmp_path):
    rows, levels = 20_000, 200
    for hour in range(3):
        window = MadeUp(hour, 1)
        drifted = np.random.default_rng(hour).integers(0, levels, rows) + hour * levels + 0.5
        table = pa.concat_tables([window.table(TABLES["trades"])] * rows)
        table = table.set_column(3, table.schema.field("price"), pa.array(drifted))
        path = window.path(tmp_path, FileKind.TRADES, Mode.RAW)
        write_table(table, path, Footer(exchange="kraken", symbol="BTC/USD", source="live"))
    together = tmp_path / "BTC-USD_trades_raw_20260226_000000.001.parquet"
    everything = pa.concat_tables([read_table(path) for path in trades(tmp_path)])
    one_group = write_table(
        everything, together, Footer(exchange="kraken", symbol="BTC/USD", source="live")
    )
    together.unlink()
    (day,) = find_days(tmp_path, ALL)
    done = compact_day(day)
    assert done.bytes_after <= done.bytes_before < one_group.bytes


@pytest.mark.parametrize("hour", [0, 1, 12])
def test_nothing_is_written_into_a_compacted_day(tmp_path, hour):
    lake = made(tmp_path, MadeUp(0, 3), MadeUp(1, 2), names=SMALL)
    compacted(lake)
    before = contents(lake)
    with pytest.raises(
        LakeError, match=r"lies in BTC-USD_trades_raw_20260226_000000\.001\.parquet"
    ):
        MadeUp(hour, 9).write(lake, ["trades"])
    assert contents(lake) == before
    MadeUp(hour + 24, 9).write(lake, ["trades"])


def test_files_of_workers_without_windows_are_compacted_too(tmp_path):
    lake = made(tmp_path, MadeUp(0, 3, windowed=False), MadeUp(1, 2, windowed=False))
    before = views(lake)
    compacted(lake)
    assert views(lake) == before
    (path,) = trades(lake)
    assert (read_footer(path).window_start, read_footer(path).window_end) == (None, None)


@pytest.mark.parametrize("undo", [False, True])
def test_a_reader_that_listed_the_names_before_finds_a_file_missing(tmp_path, undo):
    lake = made(tmp_path, MadeUp(0, 3), MadeUp(1, 2), names=("trades",))
    if undo:
        compacted(lake)
    listed = trades(lake)
    for day in days_to_expand(lake, ALL) * undo:
        expand_day(day)
    if not undo:
        compacted(lake)
    assert len(listed) == 1 + (not undo)
    for path in listed:
        with pytest.raises(LakeError, match="does not exist"):
            read_table(path)


def test_no_query_fails_while_days_are_compacted_and_given_back(tmp_path):
    made(tmp_path, *(MadeUp(hour, 50) for hour in range(8)), names=("trades",))
    (day,) = find_days(tmp_path, ALL)
    answered, over = threading.Semaphore(0), threading.Event()

    def swap() -> None:
        """One swap for each query: one that meets a swap is run again, and meets no other."""
        for count in range(30):
            expand_day(day) if count % 2 else compact_day(day)
            while answered.acquire(blocking=False):
                pass
            answered.acquire()
        over.set()

    swapping = threading.Thread(target=swap, daemon=True)
    swapping.start()
    counts = set()
    while not over.is_set():
        counts |= set(query("SELECT count(*) AS n FROM trades", tmp_path)["n"].to_pylist())
        answered.release()
    swapping.join()
    assert counts == {400}


def test_compacting_again_does_nothing(tmp_path):
    lake = made(tmp_path, MadeUp(0, 3), MadeUp(1, 2), names=SMALL)
    assert len(compacted(lake)) == 3
    assert compacted(lake) == []


def test_the_same_pieces_give_the_same_bytes(tmp_path):
    lakes = [made(tmp_path / name, MadeUp(0, 3), MadeUp(1, 2)) for name in ("one", "two")]
    for lake in lakes:
        compacted(lake)
    assert contents(lakes[0]) == contents(lakes[1])


def reasons(lake: Path, now_ns: int = LATER_NS, *, incomplete: bool = False) -> set[str]:
    """Why days stay in pieces, as the plan says."""
    plan = days_to_compact(lake, lake.parent / "journal", now_ns, ALL, incomplete=incomplete)
    return {reason for _, reason in plan.left}


def test_a_day_that_is_not_over_for_a_day_stays_in_pieces(tmp_path):
    lake = made(tmp_path / "lake", MadeUp(0, 1), MadeUp(1, 1), names=SMALL)
    assert reasons(lake, DAY_NS + 48 * HOUR_NS - 1) == {"its day has not been over for a day"}
    assert reasons(lake, DAY_NS + 48 * HOUR_NS) == set()


def test_a_day_with_windows_without_aggregates_stays_in_pieces_unless_asked_for(tmp_path):
    lake = made(tmp_path / "lake", MadeUp(0, 1), MadeUp(1, 1), names=SMALL)
    MadeUp(2, 1).write(lake, ["trades", "captures"])
    assert reasons(lake) == {
        "1 of its windows have no aggregates, the first at 20260226_020000.000"
    }
    assert reasons(lake, incomplete=True) == set()


def test_a_day_with_a_journal_that_is_not_sealed_stays_in_pieces(tmp_path):
    lake = made(tmp_path / "lake", MadeUp(0, 1), MadeUp(1, 1), names=SMALL)
    folder = tmp_path / "journal" / "kraken" / "main" / "20260226_230000.000"
    folder.mkdir(parents=True)
    assert reasons(lake) == {f"the journal {folder} is not sealed"}


def test_a_day_with_a_file_that_is_not_of_the_lake_stays_in_pieces(tmp_path):
    lake = made(tmp_path / "lake", MadeUp(0, 1), MadeUp(1, 1), names=SMALL)
    trades(lake)[0].with_name("mine.parquet").write_text("mine")
    assert reasons(lake) == {
        "'mine.parquet' is no lake file: not SYMBOL_DATATYPE_MODE_STAMP.parquet"
    }


def test_only_what_is_chosen_is_compacted(tmp_path):
    for symbol in ("BTC/USD", "ETH/USD"):
        made(tmp_path, MadeUp(0, 1, symbol), MadeUp(1, 1, symbol), MadeUp(24, 1, symbol))
    day = find_days(tmp_path, ALL)[-1].day
    chosen = Selection(exchange="kraken", symbol="ETH/USD", last_day=day)
    plan = days_to_compact(tmp_path, tmp_path, LATER_NS, chosen)
    assert {(each.name, each.day.day) for each in plan.days} == {("ETH-USD", 26)}


def wrong_collector(lake: Path) -> None:
    path = trades(lake)[1]
    table, footer = read_table(path), read_footer(path)
    write_table(table, path, Footer(**{**_facts(footer), "symbol": "BTC-USD"}))


def older_schema(lake: Path) -> None:
    path = trades(lake)[1]
    table, footer = read_table(path), read_footer(path)
    write_table(table, path, Footer(**{**_facts(footer), "schema_version": 0}))


def without_window(lake: Path) -> None:
    path = trades(lake)[1]
    write_table(
        read_table(path), path, Footer(**{**_facts(read_footer(path)), "window_start": None})
    )


def rotten(lake: Path) -> None:
    data = bytearray(trades(lake)[1].read_bytes())
    data[len(data) // 3] ^= 1
    trades(lake)[1].write_bytes(data)


def _facts(footer: Footer) -> dict:
    return {name: getattr(footer, name) for name in Footer.__struct_fields__}


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (wrong_collector, "is of another symbol"),
        (older_schema, "has schema 0, not 2"),
        (without_window, "with and without window"),
        (rotten, "is damaged"),
    ],
)
def test_pieces_that_can_not_be_one_are_left_as_they_are(tmp_path, damage, told):
    lake = made(tmp_path, MadeUp(0, 3), MadeUp(1, 2), names=("trades",))
    damage(lake)
    before = contents(lake)
    (day,) = days_to_compact(lake, lake, LATER_NS, ALL).days
    with pytest.raises(LakeError, match=told):
        compact_day(day)
    assert contents(lake) == before


def test_a_compacted_file_that_is_not_equal_on_disk_replaces_nothing(tmp_path, monkeypatch):
    lake = made(tmp_path, MadeUp(0, 3), MadeUp(1, 2), names=("trades",))
    before = contents(lake)

    def written_wrong(rows, path, footer, **options):
        changed = [batch.take(pa.array([0] * batch.num_rows)) for batch in rows]
        return write(changed, path, footer, **options)

    write = compact.write_batches
    monkeypatch.setattr(compact, "write_batches", written_wrong)
    (day,) = days_to_compact(lake, lake, LATER_NS, ALL).days
    with pytest.raises(LakeError, match="holds values of hash"):
        compact_day(day)
    assert contents(lake) == before


def test_a_window_that_is_replaced_meanwhile_is_not_lost(tmp_path, monkeypatch):
    lake = made(tmp_path, MadeUp(0, 3), MadeUp(1, 2), names=("trades",))

    def replaced(whole, pieces):
        MadeUp(1, 4).write(lake, ["trades"])
        prove(whole, pieces)

    prove = compact._prove
    monkeypatch.setattr(compact, "_prove", replaced)
    (day,) = days_to_compact(lake, lake, LATER_NS, ALL).days
    with pytest.raises(LakeError, match="has changed while it was read"):
        compact_day(day)
    assert [read_table(path).num_rows for path in trades(lake)] == [3, 4]
    assert staged_folders(lake) == []


def test_a_file_system_that_can_not_swap_keeps_the_pieces(tmp_path, monkeypatch):
    lake = made(tmp_path, MadeUp(0, 3), MadeUp(1, 2), names=("trades",))
    before = contents(lake)

    def refused(*_):
        raise LakeError("can't swap")

    monkeypatch.setattr(compact, "swap_folders", refused)
    (day,) = days_to_compact(lake, lake, LATER_NS, ALL).days
    with pytest.raises(LakeError, match="can't swap"):
        compact_day(day)
    assert contents(lake) == before


@pytest.mark.parametrize("undo", [False, True])
def test_cut_short_at_any_moment_every_row_is_seen_once_and_the_next_run_completes(tmp_path, undo):
    pieces, lake = (
        made(tmp_path / "pieces", MadeUp(0, 2), MadeUp(1, 3), names=SMALL),
        tmp_path / "lake",
    )
    rows = counted(pieces)
    whole = Path(shutil.copytree(pieces, tmp_path / "whole"))
    compacted(whole)
    start, end = (whole, pieces) if undo else (pieces, whole)

    def prepare():
        shutil.rmtree(lake, ignore_errors=True)
        shutil.copytree(start, lake)

    def run():
        if not undo:
            compacted(lake)
        for day in days_to_expand(lake, ALL) * undo:
            expand_day(day)

    cuts = list(_checked_cuts(lake, run, prepare, rows, contents(end)))
    assert len(cuts) > 40


def _checked_cuts(lake, run, prepare, rows, end):
    """After each cut: what readers see, then another run, which ends as if nothing had been."""
    for cut in cut_everywhere(run, prepare):
        assert counted(lake) == rows, cut
        for left in staged_folders(lake):
            remove_folder(left)
        run()
        assert contents(lake) == end, cut
        yield cut


KILLED = """
import os, sys
from pathlib import Path
from atelier_pipeline.housekeeping import compact
from atelier_pipeline.housekeeping.selection import Selection
from atelier_pipeline.lake import writer
lake, when = Path(sys.argv[1]), sys.argv[2]
call = getattr(compact, when)
def killed(*arguments, **options):
    if sys.argv[3] == "after":
        call(*arguments, **options)
    os.kill(os.getpid(), 9)
setattr(compact, when, killed)
for day in compact.days_to_compact(lake, lake, int(sys.argv[4]), Selection()).days:
    compact.compact_day(day)
"""


@pytest.mark.parametrize(
    ("call", "when"), [("_prove", "before"), ("swap_folders", "before"), ("swap_folders", "after")]
)
def test_a_killed_process_leaves_every_row_once(tmp_path, call, when):
    lake = made(tmp_path, MadeUp(0, 2), MadeUp(1, 3), names=SMALL)
    before = views(lake)
    command = [sys.executable, "-c", KILLED, lake, call, when, str(LATER_NS)]
    assert subprocess.run(command, check=False).returncode == -9
    assert len(staged_folders(lake)) == 1
    assert views(lake) == before
    for left in staged_folders(lake):
        remove_folder(left)
    compacted(lake)
    assert views(lake) == before
    assert len(trades(lake)) == 1
