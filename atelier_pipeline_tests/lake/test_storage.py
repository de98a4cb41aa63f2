import os
import stat

import pytest

from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake import storage
from atelier_pipeline.lake.storage import (
    link_file,
    lock_folder,
    put_file,
    remove_file,
    remove_folder,
    swap_folders,
)


def content(data: bytes):
    return lambda file: file.write(data)


def test_a_file_is_put_with_its_folders_and_nothing_beside_it(tmp_path):
    path = tmp_path / "a" / "b" / "x.parquet"
    assert put_file(path, content(b"one"), replace=False) == 3
    assert path.read_bytes() == b"one"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_has_the_permissions_that_the_process_asks_for(tmp_path):
    before = os.umask(0o027)
    try:
        put_file(tmp_path / "x", content(b"one"), replace=True)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o640


def test_a_taken_name_is_replaced_or_refused_as_asked(tmp_path):
    path = tmp_path / "x"
    put_file(path, content(b"one"), replace=True)
    put_file(path, content(b"two"), replace=True)
    with pytest.raises(FileExistsError, match="is not overwritten"):
        put_file(path, content(b"three"), replace=False)
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("call", ["fsync", "link"])
def test_a_file_that_can_not_be_finished_leaves_nothing(tmp_path, monkeypatch, call):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage.os, call, refuse)
    with pytest.raises(LakeError, match=r"can't write .*x\.parquet: No space left on device"):
        put_file(tmp_path / "x.parquet", content(b"one"), replace=False)
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_raises_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.parquet"
    put_file(path, content(b"old"), replace=True)

    def fail(file):
        file.write(b"half")
        raise LakeError("a column differs")

    with pytest.raises(LakeError, match="a column differs"):
        put_file(path, fail, replace=True)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


class PowerCutError(BaseException):
    """What no handler in the project may take for an error of its own."""


def test_until_its_name_is_given_a_file_is_hidden_from_every_search(tmp_path, monkeypatch):
    """The state that a crash between write and rename leaves behind."""
    path = tmp_path / "x.parquet"
    put_file(path, content(b"old"), replace=True)
    seen = {}

    def cut(*_):
        seen["found"] = [p.name for p in tmp_path.glob("*.parquet")]
        seen["all"] = len(list(tmp_path.iterdir()))
        raise PowerCutError

    monkeypatch.setattr(storage.Path, "replace", cut)
    with pytest.raises(PowerCutError):
        put_file(path, content(b"new"), replace=True)
    assert seen == {"found": ["x.parquet"], "all": 2}
    assert path.read_bytes() == b"old"


def test_content_is_durable_before_its_name_and_the_name_before_the_answer(tmp_path, monkeypatch):
    calls = []
    kinds = {True: "folder", False: "file"}
    sync, replace = os.fsync, storage.Path.replace
    monkeypatch.setattr(
        storage.os,
        "fsync",
        lambda fd: (calls.append(kinds[stat.S_ISDIR(os.fstat(fd).st_mode)]), sync(fd)),
    )
    monkeypatch.setattr(
        storage.Path, "replace", lambda *paths: (calls.append("rename"), replace(*paths))
    )
    put_file(tmp_path / "new" / "x", content(b"one"), replace=True)
    assert calls == ["folder", "file", "rename", "folder"]


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path):
    (tmp_path / "a").write_text("not a folder")
    with pytest.raises(LakeError, match=r"can't write .*a/x: .*a is not a folder"):
        put_file(tmp_path / "a" / "x", content(b"one"), replace=True)


def test_a_folder_is_held_by_one_at_a_time(tmp_path):
    with lock_folder(tmp_path), pytest.raises(BlockingIOError), lock_folder(tmp_path):
        pytest.fail("held twice")
    with lock_folder(tmp_path):
        pass


def test_a_folder_is_shared_by_those_who_ask_for_a_share(tmp_path):
    with (
        lock_folder(tmp_path, shared=True),
        lock_folder(tmp_path, shared=True),
        pytest.raises(BlockingIOError),
        lock_folder(tmp_path),
    ):
        pytest.fail("shared and held alone")


def folder(path, *names):
    path.mkdir()
    for name in names:
        (path / name).write_text(name)
    return path


def test_two_folders_swap_all_that_they_hold(tmp_path):
    one, other = folder(tmp_path / "one", "a", "b"), folder(tmp_path / ".other", "c")
    swap_folders(one, other)
    assert [sorted(path.name for path in each.iterdir()) for each in (one, other)] == [
        ["c"],
        ["a", "b"],
    ]


def test_a_swap_that_can_not_be_is_named(tmp_path, monkeypatch):
    one = folder(tmp_path / "one")
    with pytest.raises(LakeError, match=r"can't swap .*one with none in one step: No such file"):
        swap_folders(one, tmp_path / "none")
    monkeypatch.setattr(storage.ctypes, "CDLL", lambda *_, **__: object())
    with pytest.raises(LakeError, match="the C library has no renameat2"):
        swap_folders(one, one)


def test_a_linked_file_is_one_with_two_names(tmp_path):
    put_file(tmp_path / "x", content(b"one"), replace=True)
    link_file(tmp_path / "x", tmp_path / "new" / "y")
    assert (tmp_path / "x").samefile(tmp_path / "new" / "y")
    with pytest.raises(LakeError, match=r"can't write .*y: File exists"):
        link_file(tmp_path / "x", tmp_path / "new" / "y")


def test_a_file_is_removed_with_the_folder_that_it_leaves_empty_if_asked(tmp_path):
    folder(tmp_path / "day", "a", "b", "c")
    remove_file(tmp_path / "day" / "a", empty_folder=True)
    remove_file(tmp_path / "day" / "b")
    remove_file(tmp_path / "day" / "b")
    assert [path.name for path in (tmp_path / "day").iterdir()] == ["c"]
    remove_file(tmp_path / "day" / "c", empty_folder=True)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_whole_under_its_name_or_gone(tmp_path, monkeypatch):
    place = folder(tmp_path / "journal", "a", "b")
    seen = []
    remove = storage.shutil.rmtree
    monkeypatch.setattr(storage.shutil, "rmtree", lambda path: (seen.append(path), remove(path)))
    remove_folder(place)
    remove_folder(place)
    assert [path.name for path in seen] == [".journal.removed"]
    assert list(tmp_path.iterdir()) == []


def test_what_is_left_of_a_removal_does_not_stand_in_the_way_of_the_next(tmp_path):
    folder(tmp_path / ".journal.removed", "old")
    remove_folder(folder(tmp_path / "journal", "a"))
    assert list(tmp_path.iterdir()) == []
