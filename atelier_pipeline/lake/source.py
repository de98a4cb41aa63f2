"""What a lake holds: live, simulated or replayed data, never two of them."""

from pathlib import Path
from typing import BinaryIO

from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake.storage import put_file

SOURCES = ("live", "simulated", "replay")
MARKER = "_source"


def claim_lake(lake: Path, source: str) -> None:
    """Mark `lake` as holding `source`, or check that it does; makes the folder where it is missing.

    Raises LakeError for an unknown source and for a lake that holds another one.
    """
    if source not in SOURCES:
        raise LakeError(f"source {source!r} is not one of {', '.join(SOURCES)}")
    held = lake_source(lake) or _mark(lake, source)
    if held != source:
        raise LakeError(
            f"{lake} holds {held} data; {source} data needs a lake of its own (ATELIER_LAKE)"
        )


def lake_source(lake: Path) -> str | None:
    """The source that `lake` holds, or None where nothing has claimed it."""
    try:
        return (lake / MARKER).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise LakeError(f"can't read {lake / MARKER}: {error}") from error


def _mark(lake: Path, source: str) -> str:
    """Write the marker; where another process was faster, what that one wrote counts."""

    def write(file: BinaryIO) -> None:
        file.write(f"{source}\n".encode())

    try:
        put_file(lake / MARKER, write, replace=False)
    except FileExistsError:
        return lake_source(lake) or source
    return source
