"""The file system calls of the lake: the only place that writes, renames or makes durable.

A file is written beside its place under a hidden name, made durable, and put at its place in one
step, so that a name holds a whole file or none. An object store would do the same with one PUT.
"""

import contextlib
import ctypes
import fcntl
import os
import shutil
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import BinaryIO

from atelier_pipeline.errors import LakeError

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
"""https://man7.org/linux/man-pages/man2/renameat2.2.html"""

REMOVED = ".removed"
"""How the hidden name of a folder ends that is being removed."""


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
def lock_folder(
    folder: Path, *, shared: bool = False, wait: bool = False
) -> Generator[None, None, None]:
    """Hold `folder` alone among the processes that ask, or with all that ask for a share of it.

    Raises BlockingIOError where that is not to be had at once, unless it shall `wait`. The kernel
    frees the folder when the process ends, however it ends.
    """
    how = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


def swap_folders(one: Path, other: Path) -> None:
    """Give each of two folders of one parent the name of the other, in one durable step.

    Whoever lists a folder sees all that the one held or all that the other did. Raises LakeError
    where the file system has no such step.
    """
    swap = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    names = (_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other))
    if swap is None or swap(*names, _RENAME_EXCHANGE):
        reason = os.strerror(ctypes.get_errno()) if swap else "the C library has no renameat2"
        raise LakeError(f"can't swap {one} with {other.name} in one step: {reason}")
    sync_folder(one.parent)


def link_file(path: Path, other: Path) -> None:
    """Give the file at `path` a second name; raises LakeError where that can't be."""
    with _explained(other):
        make_folder(other.parent)
        os.link(path, other)
        sync_folder(other.parent)


def remove_file(path: Path, *, empty_folder: bool = False) -> None:
    """Remove a file for good, and the `empty_folder` that is left; a missing one is no error."""
    with _explained(path, "remove"), contextlib.suppress(FileNotFoundError):
        path.unlink()
        sync_folder(path.parent)
        if empty_folder and not any(path.parent.iterdir()):
            path.parent.rmdir()


def remove_folder(folder: Path) -> None:
    """Remove a folder with all that it holds; under its own name it is whole or gone.

    Where it is cut short, the rest lies beside it under a hidden name that ends with `REMOVED`.
    One that is gone already is no error.
    """
    with _explained(folder, "remove"), contextlib.suppress(FileNotFoundError):
        hidden = folder
        if not folder.name.startswith("."):
            hidden = folder.with_name(f".{folder.name}{REMOVED}")
            if hidden.exists():
                shutil.rmtree(hidden)
            folder.rename(hidden)
            sync_folder(folder.parent)
        shutil.rmtree(hidden)
        sync_folder(folder.parent)


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
def _explained(path: Path, what: str = "write") -> Generator[None, None, None]:
    try:
        yield
    except OSError as error:
        raise LakeError(f"can't {what} {path}: {error.strerror or error}") from error


@contextlib.contextmanager
def _removed(beside: Path) -> Generator[None, None, None]:
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
