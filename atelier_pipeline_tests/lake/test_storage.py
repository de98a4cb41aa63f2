import os
import stat

import pytest

from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake import storage
from atelier_pipeline.lake.storage import lock_folder, put_file


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
