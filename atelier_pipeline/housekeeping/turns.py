"""One command at a time keeps a lake in order."""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake.storage import lock_folder


@contextmanager
def one_at_a_time(lake: Path) -> Generator[None, None, None]:
    """Hold `lake` against other commands of this kind, not against readers and writers of files.

    Raises LakeError where another one is at work, or where there is no lake.
    """
    with ExitStack() as held:
        try:
            held.enter_context(lock_folder(lake))
        except BlockingIOError:
            raise LakeError(f"{lake} is being compacted or pruned by another process") from None
        except OSError as error:
            raise LakeError(f"can't work on {lake}: {error.strerror or error}") from error
        yield
