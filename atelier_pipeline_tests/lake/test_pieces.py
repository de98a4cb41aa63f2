import pytest

from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake.footer import Footer, to_text
from atelier_pipeline.lake.names import FileKind, Mode, lake_path
from atelier_pipeline.lake.pieces import (
    PIECES_KEY,
    Piece,
    day_file,
    day_name,
    day_open,
    from_notes,
    to_note,
)
from atelier_pipeline.lake.reader import read_window, read_window_footer, window_exists
from atelier_pipeline.lake.storage import lock_folder
from atelier_pipeline.lake.writer import write_batches, write_table
from atelier_pipeline_tests.lake.rows import T0, trades

FACTS = Footer(exchange="bybit", symbol="BTCUSDT", source="live")
HOUR_NS = 3_600_000_000_000


def path_of(lake, hour=0):
    return lake_path(lake, "bybit", "BTCUSDT", FileKind.TRADES, Mode.RAW, T0 + hour * HOUR_NS)


def compacted(lake):
    """The day's file of two windows with 3 and 2 trades."""
    names = [path_of(lake, hour).name for hour in (0, 1)]
    notes = {**to_text(FACTS), "of": "the first"}, {**to_text(FACTS), "content_hash": "b"}
    pieces = [Piece(names[0], 3, notes[0]), Piece(names[1], 2, notes[1])]
    path = path_of(lake).with_name(day_name(names))
    note = {PIECES_KEY: to_note(pieces, to_text(FACTS))}
    write_batches([trades(5)], path, FACTS, notes=note)
    return path, pieces


def test_pieces_come_back_from_their_note():
    day = {**to_text(FACTS), "content_hash": "whole", "input_hashes": '{"a":"1"}'}
    pieces = (
        Piece("a", 3, {**day, "content_hash": "1", "input_hashes": "{}"}),
        Piece("b", 0, {**day, "content_hash": "2", "another": "note"}),
    )
    note = to_note(pieces, {**day, "content_hash": ""})
    assert from_notes({**day, PIECES_KEY: note}, "x") == pieces
    assert pieces[1].other_notes == {"another": "note"}
    assert pieces[1].footer.content_hash == "2"


def test_a_file_without_the_note_has_no_pieces():
    assert from_notes(to_text(FACTS), "x") == ()


def test_a_note_that_can_not_be_read_is_named():
    with pytest.raises(LakeError, match="x does not say which files it was made of"):
        from_notes({PIECES_KEY: "[["}, "x")


@pytest.mark.parametrize(
    ("stamps", "stamp"),
    [
        (["20260226_153000.123", "20260226_163000.123"], "20260226_153000.124"),
        (["20260226_153000.123", "20260226_153000.124"], "20260226_153000.122"),
        (["20260226_235959.998", "20260226_235959.999"], "20260226_235959.997"),
    ],
)
def test_a_day_is_called_like_its_first_piece_but_like_none_of_them(stamps, stamp):
    names = [f"BTCUSDT_ob_raw_{each}.parquet" for each in stamps]
    assert day_name(names) == f"BTCUSDT_ob_raw_{stamp}.parquet"


def test_a_day_in_pieces_has_no_day_file(tmp_path):
    assert day_file(path_of(tmp_path)) is None
    write_table(trades(3), path_of(tmp_path), FACTS)
    assert day_file(path_of(tmp_path, 1)) is None
    assert (window_exists(path_of(tmp_path)), window_exists(path_of(tmp_path, 1))) == (True, False)
    assert read_window(path_of(tmp_path)) == trades(3)


def test_every_window_of_a_compacted_day_leads_to_its_file(tmp_path):
    path, pieces = compacted(tmp_path)
    assert [day_file(path_of(tmp_path, hour)) for hour in (0, 1, -1)] == [path] * 3
    assert [window_exists(path_of(tmp_path, hour)) for hour in (0, 1, -1)] == [True, True, False]
    assert read_window(path_of(tmp_path)) == trades(5).slice(0, 3)
    assert read_window(path_of(tmp_path, 1)) == trades(5).slice(3)
    assert read_window_footer(path_of(tmp_path, 1)) == pieces[1].footer
    with pytest.raises(LakeError, match="has no such piece"):
        read_window_footer(path_of(tmp_path, -1))


def test_a_window_is_not_written_beside_the_file_of_its_day(tmp_path):
    path, _ = compacted(tmp_path)
    with pytest.raises(LakeError, match="`atelier compact --undo` gives the day its pieces back"):
        write_table(trades(3), path_of(tmp_path), FACTS)
    assert list(path.parent.iterdir()) == [path]
    other = lake_path(tmp_path, "bybit", "BTCUSDT", FileKind.TRADES, Mode.SYNC, T0)
    write_table(other_schema(), other, FACTS)


def other_schema():
    """No rows of synchronised trades, which share the folder."""
    return FileKind.TRADES.schema(Mode.SYNC).empty_table()


def test_a_day_is_not_swapped_while_it_is_written(tmp_path):
    write_table(trades(3), path_of(tmp_path), FACTS)
    days = path_of(tmp_path).parent.parent
    with (
        day_open(path_of(tmp_path, 1)),
        day_open(path_of(tmp_path, 2)),
        pytest.raises(BlockingIOError),
        lock_folder(days),
    ):
        pytest.fail("held by writers and by another")
    with lock_folder(days):
        pass
