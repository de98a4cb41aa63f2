"""The file system calls of the lake: the only place that writes, renames or makes durable.

A file is written beside its place under a hidden name, made durable, and put at its place in one
step, so that a name holds a whole file or none. An object store would do the same with one PUT.
"""

import contextlib
import fcntl
import os
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import BinaryIO

from atelier_pipeline.errors import LakeError


def put_file(path: Path, write: Callable[[BinaryIO], None], *, replace: bool) -> int:
    """Let `write` fill a new file, then put it at `path`, whole and durable; returns its bytes.

    Raises FileExistsError where the name is taken and `replace` is false, LakeError where the file
    system refuses. Nothing is left at or beside `path` when `write` raises.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    with _explained(path), _removed(beside):
        make_folder(path.parent)
        size = _fill(beside, write)
        placed = _replace(beside, path) if replace else _claim(beside, path)
        sync_folder(path.parent)
    if not placed:
        raise FileExistsError(f"{path} exists and is not overwritten")
    return size


def make_folder(folder: Path) -> None:
    """Make `folder` and its missing parents, each one durable in the folder that holds it."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    try:
        folder.mkdir(exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(f"{folder} is not a folder") from None
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def lock_folder(folder: Path) -> Generator[None, None, None]:
    """Hold `folder` alone among the processes that ask; raises BlockingIOError where one holds it.

    The kernel frees it when the process ends, however it ends.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _fill(path: Path, write: Callable[[BinaryIO], None]) -> int:
    with path.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
        return file.tell()


def _replace(beside: Path, path: Path) -> bool:
    beside.replace(path)
    return True


def _claim(beside: Path, path: Path) -> bool:
    """Give the file its name unless that is taken: a hard link is the portable way in one step."""
    try:
        os.link(beside, path)
    except FileExistsError:
        return False
    return True


@contextlib.contextmanager
def _explained(path: Path) -> Generator[None, None, None]:
    try:
        yield
    except OSError as error:
        raise LakeError(f"can't write {path}: {error.strerror or error}") from error


@contextlib.contextmanager
def _removed(beside: Path) -> Generator[None, None, None]:
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
