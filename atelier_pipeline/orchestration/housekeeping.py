"""Scheduled housekeeping: closed days into one file, and retention, as jobs of their own.

What is done and how it is proved first is in the room `housekeeping`; here is when, and a report.
Both schedules are off until they are turned on.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
from pydantic import Field

from atelier_pipeline.errors import LakeError
from atelier_pipeline.housekeeping.compact import (
    Compacted,
    Plan,
    compact_day,
    days_to_compact,
    staged_folders,
)
from atelier_pipeline.housekeeping.days import DayFolder
from atelier_pipeline.housekeeping.leftovers import remove_leftover
from atelier_pipeline.housekeeping.prune import Judged, Retention, Verdict, What
from atelier_pipeline.housekeeping.selection import Selection
from atelier_pipeline.housekeeping.turns import one_at_a_time
from atelier_pipeline.orchestration.installation import Installation
from atelier_pipeline.orchestration.instance import COMPUTE_POOL
from atelier_pipeline.orchestration.metadata import rows_table

COMPACT_AT = "30 2 * * *"
PRUNE_AT = "30 3 * * *"
MOST_SHOWN = 20
"""Problems that a failed run tells."""


class CompactConfig(dg.Config):
    """Which days are compacted."""

    incomplete: bool = Field(
        default=False, description="Also days with windows that have no aggregates."
    )


class PruneConfig(dg.Config):
    """What is kept, and for how long."""

    frames_days: int | None = Field(
        default=None,
        description="Frames of windows that ended so many days ago go, at least 1; default: "
        "ATELIER_FRAMES_DAYS, without which none does.",
    )
    journals: bool = Field(
        default=True, description="Journals whose frames are sealed and equal go."
    )


@dg.op(pool=COMPUTE_POOL, description="Closed days into one file per dataset and symbol.")
def compact(
    context: dg.OpExecutionContext,
    config: CompactConfig,
    installation: dg.ResourceParam[Installation],
) -> None:
    """Compact every closed day of the lake; fails where one could not be proved equal."""
    settings = installation.settings
    if not settings.lake.is_dir():
        context.log.info("there is no lake yet")
        return
    with one_at_a_time(settings.lake):
        for left in staged_folders(settings.lake):
            remove_leftover(left)
        plan = days_to_compact(
            settings.lake,
            settings.journal,
            installation.now_ns(),
            Selection(),
            incomplete=config.incomplete,
        )
        done, problems = _compacted(plan.days)
    context.add_output_metadata({**_sizes(done, len(plan.left)), **_reasons(plan)})
    _fail_for(problems, "days are as they were")


@dg.op(pool=COMPUTE_POOL, description="Old frames, sealed journals, what dead processes left.")
def prune(
    context: dg.OpExecutionContext,
    config: PruneConfig,
    installation: dg.ResourceParam[Installation],
) -> None:
    """Remove what may go and is proved; fails where something would go but is not proved."""
    settings = installation.settings
    _check_days(config.frames_days)
    if not settings.lake.is_dir():
        context.log.info("there is no lake yet")
        return
    retention = Retention(
        settings=settings,
        now_ns=installation.now_ns(),
        frames_days=config.frames_days or settings.frames_days,
        journals=config.journals,
    )
    with one_at_a_time(settings.lake):
        judged = [retention.prune(each) for each in retention.candidates()]
    context.add_output_metadata(_removed(judged))
    unproved = [each for each in judged if each.verdict is Verdict.UNPROVED]
    _fail_for([f"{each.candidate.path}: {each.reason}" for each in unproved], "not removed")


@dg.job(
    executor_def=dg.in_process_executor,
    description="Closed days into one file per dataset and symbol, each proved equal first.",
)
def compact_job() -> None:
    """The op alone."""
    compact()


@dg.job(
    executor_def=dg.in_process_executor,
    description="Retention: what is old, sealed or left behind goes, each proved first.",
)
def prune_job() -> None:
    """The op alone."""
    prune()


def housekeeping_schedules() -> list[dg.ScheduleDefinition]:
    """Both jobs once a night, UTC; off until they are turned on."""
    times = ((compact_job, COMPACT_AT), (prune_job, PRUNE_AT))
    return [
        dg.ScheduleDefinition(
            name=f"{job.name.removesuffix('_job')}_nightly",
            job=job,
            cron_schedule=cron,
            execution_timezone="UTC",
            default_status=dg.DefaultScheduleStatus.STOPPED,
        )
        for job, cron in times
    ]


def _check_days(frames_days: int | None) -> None:
    """Dagster's configuration knows types alone, and a run would end in pydantic's own words."""
    if frames_days is not None and frames_days < 1:
        raise dg.Failure(
            f"ops.prune.config.frames_days = {frames_days}: expected at least 1; "
            "leave it out to go by ATELIER_FRAMES_DAYS",
            allow_retries=False,
        )


def _compacted(days: Sequence[DayFolder]) -> tuple[list[Compacted], list[str]]:
    """What became of the days, and why some could not be compacted."""
    done: list[Compacted] = []
    problems: list[str] = []
    for day in days:
        try:
            done.append(compact_day(day))
        except LakeError as error:
            problems.append(f"{day}: {error}")
    return done, problems


def _sizes(done: Sequence[Compacted], left: int) -> Mapping[str, Any]:
    return {
        "folders": len(done),
        "folders left in pieces": left,
        "rows": sum(each.rows for each in done),
        "files before": sum(each.files_before for each in done),
        "files after": sum(each.files_after for each in done),
        "bytes before": sum(each.bytes_before for each in done),
        "bytes after": sum(each.bytes_after for each in done),
    }


def _reasons(plan: Plan) -> Mapping[str, Any]:
    """Why folders stay in pieces: how many for each reason, most of them first."""
    counts = Counter(why for _, why in plan.left).most_common()
    rows = [{"why": why, "folders": number} for why, number in counts[:MOST_SHOWN]]
    return {"left in pieces": rows_table(rows)} if rows else {}


def _removed(judged: Sequence[Judged]) -> Mapping[str, Any]:
    gone = [each for each in judged if each.verdict is Verdict.GOES]
    counts = {
        f"removed: {what}": sum(each.candidate.what is what for each in gone) for what in What
    }
    return {
        **counts,
        "bytes removed": sum(each.bytes for each in gone),
        "not proved": sum(each.verdict is Verdict.UNPROVED for each in judged),
    }


def _fail_for(problems: Sequence[str], outcome: str) -> None:
    """End the run as failed, with the first problems, if there is any."""
    if problems:
        told = "\n".join(problems[:MOST_SHOWN])
        raise dg.Failure(f"{len(problems)} {outcome}:\n{told}", allow_retries=False)
