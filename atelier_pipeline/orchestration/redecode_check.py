"""The check `redecode`: are a closed window's raw files what its frames give?

It decodes the window once more, so that it runs when it is asked for, not with every window.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
from dagster import PreviewWarning

from atelier_pipeline import pipeline
from atelier_pipeline.errors import AtelierError
from atelier_pipeline.housekeeping.redecode import FileDifference, Redecoded, redecode
from atelier_pipeline.lake.names import FileKind, Mode, frames_path
from atelier_pipeline.orchestration.checks import OFFENDING
from atelier_pipeline.orchestration.installation import Installation
from atelier_pipeline.orchestration.instance import COMPUTE_POOL
from atelier_pipeline.orchestration.materialise import Target, asset_key
from atelier_pipeline.orchestration.metadata import table_of
from atelier_pipeline.settings import Settings

REDECODE = dg.AssetCheckKey(asset_key(Mode.RAW, FileKind.CAPTURES), "redecode")
_DESCRIPTION = (
    "Decoding the window's frames again gives the raw files that the lake holds, row by row. "
    "Run it by itself or with the job `redecode_job`: it takes as long as sealing."
)
_SHOWN = pa.schema(
    [
        *((name, pa.string()) for name in ("dataset", "symbol", "difference")),
        *((name, pa.int64()) for name in ("old_row", "new_row")),
        *((name, pa.string()) for name in ("row", "old", "new")),
    ]
)


def redecode_check(partitions: dg.PartitionsDefinition) -> dg.AssetChecksDefinition:
    """One check for each window, which shows every difference by dataset and row."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*partitions_def.*", PreviewWarning)
        spec = dg.AssetCheckSpec(
            REDECODE.name,
            asset=REDECODE.asset_key,
            description=_DESCRIPTION,
            partitions_def=partitions,
        )

    @dg.multi_asset_check(name="redecode_check", specs=[spec])
    def check(
        context: dg.AssetCheckExecutionContext, installation: dg.ResourceParam[Installation]
    ) -> dg.AssetCheckResult:
        target = installation.target(context.op_execution_context.partition_key)
        return _judged(target, installation)

    return check


def redecode_job(partitions: dg.PartitionsDefinition) -> dg.JobDefinition:
    """The check alone, for one window or as a backfill over many.

    A job made of checks by Dagster itself has no partitions: it takes them from assets.
    """

    @dg.op(name="redecode", pool=COMPUTE_POOL, description=_DESCRIPTION)
    def redecode_window(
        context: dg.OpExecutionContext, installation: dg.ResourceParam[Installation]
    ) -> None:
        result = _judged(installation.target(context.partition_key), installation)
        evaluation: Any = dg.AssetCheckEvaluation(
            asset_key=REDECODE.asset_key,
            check_name=REDECODE.name,
            passed=result.passed,
            severity=result.severity,
            description=result.description,
            metadata=result.metadata,
            partition=context.partition_key,
        )
        context.log_event(evaluation)

    @dg.job(
        name="redecode_job",
        description=_DESCRIPTION,
        partitions_def=partitions,
        executor_def=dg.in_process_executor,
    )
    def job() -> None:
        redecode_window()

    return job


def _judged(target: Target, installation: Installation) -> dg.AssetCheckResult:
    if installation.now_ns() < target[1].end_ns:
        return _unjudged("the window is not over")
    places = _places(target, installation.settings)
    frames = next((place for place in places if place.exists()), None)
    if frames is None:
        return _unjudged(f"no frames are left, neither {places[0]} nor {places[1]}")
    try:
        return _result(redecode(frames, installation.settings))
    except AtelierError as error:
        return _unjudged(str(error))


def _places(target: Target, settings: Settings) -> tuple[Path, Path]:
    """Where the frames of a window may be: sealed, or as a journal."""
    collector, window = target
    sealed = frames_path(settings.lake, collector.exchange.name, collector.name, window.start_ns)
    return sealed, pipeline.journal_of(collector, window, settings)


def _unjudged(problem: str) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=False,
        check_name=REDECODE.name,
        asset_key=REDECODE.asset_key,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"could not be judged: {problem}",
        metadata={OFFENDING: 1, "problem": problem},
    )


def _result(found: Redecoded) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=not found.differences,
        check_name=REDECODE.name,
        asset_key=REDECODE.asset_key,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={
            OFFENDING: sum(_count(each) for each in found.differences),
            "files that are the same": found.same,
            "files that differ": len(found.differences),
            **(_told(found) if found.differences else {}),
        },
    )


def _told(found: Redecoded) -> Mapping[str, Any]:
    rows = [row for each in found.differences for row in _rows(each)]
    return {
        "differences": "; ".join(f"{each.path.name}: {each}" for each in found.differences),
        "sample": table_of(pa.Table.from_pylist(rows, _SHOWN)),
    }


def _count(found: FileDifference) -> int:
    rows = found.rows
    return rows.added + rows.missing + rows.changed + rows.reordered


def _rows(found: FileDifference) -> list[dict[str, Any]]:
    place = {"dataset": found.kind.value, "symbol": found.symbol}
    sample = found.rows.sample.to_pylist()
    return [place | {"difference": row["kind"]} | row for row in sample]
