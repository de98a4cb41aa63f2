"""Reading manifests: files in, refused with every problem named or returned whole.

Nothing here connects, and nothing is created on disk.
"""

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from atelier_pipeline.errors import SettingsError
from atelier_pipeline.manifest.collector import Collector, make_collector
from atelier_pipeline.manifest.plan import plan_workers
from atelier_pipeline.manifest.refusals import Refusals
from atelier_pipeline.manifest.schema import Manifest, Output
from atelier_pipeline.market.datasets import Dataset

NS_PER_DAY = 86_400_000_000_000
NS_PER_MINUTE = 60_000_000_000


def parse_manifest(text: str, origin: str) -> Manifest:
    """The manifest in a TOML text; `origin` names it in messages.

    Raises:
        SettingsError: one line per problem, each with the key, the value and what is expected.
    """
    return manifest_of(_values(text, origin), origin)


def manifest_of(values: dict[str, Any], origin: str) -> Manifest:
    """The manifest of tables as a TOML file would give them; raises SettingsError as above."""
    refusals = Refusals(origin)
    manifest = _typed(values, refusals)
    plan_workers(manifest, refusals)
    refusals.check()
    return manifest


def load_manifest(path: Path) -> Manifest:
    """The manifest in the file `path`, for a worker without windows.

    Raises:
        SettingsError: as parse_manifest, and where the file or an output folder can't be used.
    """
    manifest = parse_manifest(_text(path), str(path))
    refusals = Refusals(str(path))
    _check_outputs(manifest, refusals)
    refusals.check()
    return manifest


def parse_collector(name: str, text: str, origin: str) -> Collector:
    """The collector that a manifest's text describes, as when it was captured.

    Raises:
        SettingsError: as parse_manifest, and where it is not a collector.
    """
    refusals = Refusals(origin)
    manifest = _typed(_values(text, origin), refusals)
    plans = plan_workers(manifest, refusals)
    return make_collector(name, manifest, plans, text, refusals)


def load_manifests(folder: Path, *, window_minutes: int | None = None) -> dict[str, Collector]:
    """The collectors in `folder` by name, in the order of their names.

    `window_minutes` is the length of a capture window, which each grid's period must divide;
    without it the period must divide a day.

    Raises:
        SettingsError: one line per problem of any file, and every claim made twice.
    """
    paths = _manifests_in(folder)
    loaded: dict[Path, Collector] = {}
    problems: list[str] = []
    for path in paths:
        try:
            loaded[path] = _load_collector(path, window_minutes)
        except SettingsError as error:
            problems.append(str(error))
    problems.extend(_double_claims(loaded))
    problems.extend(_shared_file_names(loaded))
    if problems:
        raise SettingsError("\n".join(problems))
    return {collector.name: collector for collector in loaded.values()}


def _values(text: str, origin: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{origin}: expected TOML: {error}") from None


def _typed(values: dict[str, Any], refusals: Refusals) -> Manifest:
    try:
        return Manifest.model_validate(values)
    except ValidationError as error:
        refusals.add_invalid(error, Manifest)
        refusals.check()
        raise


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{path}: can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: expected TOML in UTF-8") from None


def _manifests_in(folder: Path) -> list[Path]:
    paths = sorted(folder.glob("*.toml"))
    if not paths:
        raise SettingsError(f"{folder}: expected a folder with a .toml file per collector")
    return paths


def _load_collector(path: Path, window_minutes: int | None) -> Collector:
    text = _text(path)
    collector = parse_collector(path.stem, text, str(path))
    refusals = Refusals(str(path))
    _check_period(collector, window_minutes, refusals)
    _check_outputs(parse_manifest(text, str(path)), refusals)
    refusals.check()
    return collector


def _check_period(collector: Collector, window_minutes: int | None, refusals: Refusals) -> None:
    period_ns = collector.sync.period_ns
    window_ns = NS_PER_DAY if window_minutes is None else window_minutes * NS_PER_MINUTE
    if window_ns % period_ns:
        length = "a day" if window_minutes is None else f"the window of {window_minutes} min"
        expected = f"expected a period that divides {length}"
        refusals.add("collect.sync.update_frequency", f"{period_ns} ns", expected)


def _check_outputs(manifest: Manifest, refusals: Refusals) -> None:
    for table, output in _outputs(manifest):
        if output.dir is not None and not _writable(Path(output.dir)):
            refusals.add(f"{table}.dir", output.dir, "expected a folder that can be written")


def _outputs(manifest: Manifest) -> Iterator[tuple[str, Output]]:
    for number, output in enumerate(manifest.collect.output):
        yield f"collect.output[{number}]", output
    for worker_number, worker in enumerate(manifest.workers):
        for number, output in enumerate(worker.output or ()):
            yield f"workers[{worker_number}].output[{number}]", output


def _writable(folder: Path) -> bool:
    existing = folder.expanduser().absolute()
    while not existing.exists():
        existing = existing.parent
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)


def _claims(loaded: dict[Path, Collector]) -> Iterator[tuple[Path, str, str, Dataset]]:
    for path, collector in loaded.items():
        for symbol, datasets in collector.datasets.items():
            for dataset in sorted(datasets):
                yield path, collector.exchange.name, symbol, dataset


def _double_claims(loaded: dict[Path, Collector]) -> Iterator[str]:
    first: dict[tuple[str, str, Dataset], Path] = {}
    for path, exchange, symbol, dataset in _claims(loaded):
        owner = first.setdefault((exchange, symbol, dataset), path)
        if owner != path:
            yield f"{path}: {exchange} {symbol} {dataset} is captured by {owner} already"


def _shared_file_names(loaded: dict[Path, Collector]) -> Iterator[str]:
    first: dict[tuple[str, str], tuple[str, Path]] = {}
    for path, collector in loaded.items():
        for symbol in collector.symbols:
            key = collector.exchange.name, symbol.replace("/", "-")
            other, owner = first.setdefault(key, (symbol, path))
            if other != symbol:
                yield (
                    f"{path}: {symbol} would have the same file names ({key[1]}) as {other} "
                    f"of {owner}: keep one of them"
                )
