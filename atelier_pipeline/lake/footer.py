"""What a file of the lake says about itself, as text in its Parquet footer."""

from collections.abc import Mapping

import msgspec

from atelier_pipeline import __version__
from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake.schemas import SCHEMA_VERSION


class Footer(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of one file; each attribute is a key of the Parquet footer.

    Attributes:
        exchange: the exchange's name.
        symbol: the exchange's own spelling; "" for frames.
        collector: the manifest that the rows came from; "" where there is none.
        window_start: the window's first instant in UTC ns; None for files without a window.
        window_end: the first instant after it.
        source: live, simulated or replay; "" for a file that lies in no lake.
        settings_hash: of the settings that shaped the rows; "" where none did.
        input_hashes: file name → content hash of each file that the rows were made from.
        schema_version: the lake's SCHEMA_VERSION when the file was written.
        package_version: the version that wrote it.
        content_hash: see lake.content; the writer fills it in.
    """

    exchange: str
    symbol: str = ""
    collector: str = ""
    window_start: int | None = None
    window_end: int | None = None
    source: str = ""
    settings_hash: str = ""
    input_hashes: dict[str, str] = {}
    schema_version: int = SCHEMA_VERSION
    package_version: str = __version__
    content_hash: str = ""


def to_text(footer: Footer) -> dict[str, str]:
    """The footer as key and text; numbers in decimal, `input_hashes` as sorted JSON, None left out.

    `from_text` turns it back.
    """
    facts = msgspec.structs.asdict(footer)
    return {key: _text(value) for key, value in facts.items() if value is not None}


def _text(value: str | int | dict[str, str]) -> str:
    if isinstance(value, dict):
        return msgspec.json.encode(value, order="sorted").decode()
    return str(value)


def from_text(texts: Mapping[str, str], path: object) -> Footer:
    """The footer of the file at `path`; raises LakeError where it is not one that this wrote."""
    fields: dict[str, object] = {k: texts[k] for k in Footer.__struct_fields__ if k in texts}
    try:
        if "input_hashes" in fields:
            fields["input_hashes"] = msgspec.json.decode(texts["input_hashes"])
        return msgspec.convert(fields, Footer, strict=False)
    except msgspec.MsgspecError as error:
        raise LakeError(f"{path} has no footer of this lake: {error}") from error
