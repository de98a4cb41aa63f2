"""Processes to be killed: forked from one that has imported everything, they start at once.

The parent must have no other thread. A child that hangs is killed and reported.
"""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, Literal, TypeVar

import msgspec

HANGS_SECS = 120
CALLS = ("fsync", "fdatasync", "replace", "link", "mkdir")
"""What makes files durable and gives them their names."""

T = TypeVar("T")
When = Literal["before", "after"]


def forked(work: Callable[[], object]) -> int:
    """The pid of a child that does `work` and ends with 0, or with 1 and a traceback."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    try:
        work()
    except BaseException:  # noqa: BLE001 - whatever it is, the child must not become a second parent
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def ended(pid: int, secs: float = HANGS_SECS) -> int:
    """How a child ended: its exit code, or minus the signal that killed it."""
    deadline = time.monotonic() + secs
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise TimeoutError(f"a child had not ended after {secs} s")


def done(work: Callable[[], object]) -> None:
    """Have a child do `work` to its end; raises RuntimeError where it fails."""
    code = ended(forked(work))
    if code:
        raise RuntimeError(f"a child ended with {code}: see above")


def answer_of(work: Callable[[], T], kind: type[T]) -> T:
    """What a child's `work` gives; raises RuntimeError where it fails."""
    reading, writing = os.pipe()
    pid = forked(lambda: _write_all(writing, msgspec.json.encode(work())))
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    if ended(pid):
        raise RuntimeError("a child failed: see above")
    return msgspec.json.decode(answer, type=kind)


def _write_all(descriptor: int, data: bytes) -> None:
    with os.fdopen(descriptor, "wb") as pipe:
        pipe.write(data)


def killed_after(work: Callable[[], object], secs: float) -> int:
    """Kill a child so long after it began; returns when, UTC ns, or 0 if it had ended."""
    pid = forked(work)
    time.sleep(secs)
    killed_ns = time.time_ns()
    os.kill(pid, signal.SIGKILL)
    code = ended(pid)
    if code > 0:
        raise RuntimeError(f"a child ended with {code} before it was killed: see above")
    return killed_ns if code == -signal.SIGKILL else 0


def killed_at_call(work: Callable[[], object], number: int, when: When) -> bool:
    """Have a child kill itself at its `number`th call of CALLS; whether it came to that."""

    def dying() -> None:
        _count_calls(number, when)
        work()

    return ended(forked(dying)) == -signal.SIGKILL


def calls_of(work: Callable[[], object]) -> int:
    """How many of CALLS a child's `work` makes."""

    def counting() -> int:
        counter = _count_calls(0, "after")
        work()
        return -counter()

    return answer_of(counting, int)


def _count_calls(number: int, when: When) -> Callable[[], int]:
    """Die with the `number`th call, if that is above 0; returns what tells how many are left."""
    left = number

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def one(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0 and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            result = call(*args, **kwargs)
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return one

    for name in CALLS:
        setattr(os, name, counted(getattr(os, name)))
    return lambda: left
