"""daily_verdict: whether a collector's day can be trusted, with its page in the lake.

Nothing here judges: the room `report` does, from the lake and from the checks that have failed.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from atelier_pipeline.lake.names import FileKind, Mode
from atelier_pipeline.manifest import Collector
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.window import Window
from atelier_pipeline.orchestration.automation import follows_its_day
from atelier_pipeline.orchestration.checks import asset_of
from atelier_pipeline.orchestration.installation import Installation
from atelier_pipeline.orchestration.instance import COMPUTE_POOL
from atelier_pipeline.orchestration.materialise import asset_key, tell
from atelier_pipeline.orchestration.metadata import Entry, rows_table
from atelier_pipeline.orchestration.partitions import partition_key, windows_of_days
from atelier_pipeline.orchestration.plots import shade_map
from atelier_pipeline.report import DayFacts, DayVerdict, FailedRule, FeedVerdict, judge, write_page
from atelier_pipeline.report.coverage import shade_of
from atelier_pipeline.report.page import REPORTS
from atelier_pipeline.report.words import percent
from atelier_pipeline.validate.rule import Severity
from atelier_pipeline.validate.rules import RULES
from atelier_pipeline.validate.seam_rules import PROVED

DAY_JOB = "day_job"
_MADE_FROM = (asset_key(Mode.RAW, FileKind.CAPTURES), dg.AssetKey("market_aggregates"))
_DATASETS = frozenset(Dataset)


def daily_verdict_asset(days: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """daily_verdict: available, degraded, pending or missing, for each feed of a day."""
    mapping = windows_of_days()

    @dg.asset(
        group_name="daily",
        deps=[dg.AssetDep(key, partition_mapping=mapping) for key in _MADE_FROM],
        description="Whether each symbol and dataset of a day is available, degraded, pending or "
        "missing, and why: a page in the lake. Make it at any time for the day in progress.",
        kinds={"html"},
        partitions_def=days,
        automation_condition=follows_its_day(),
        pool=COMPUTE_POOL,
    )
    def daily_verdict(
        context: dg.AssetExecutionContext, installation: dg.ResourceParam[Installation]
    ) -> dg.MaterializeResult[Any]:
        collector, windows = installation.day(context.partition_key)
        failed = failed_rules(context.instance, collector, windows)
        lake = installation.settings.lake
        verdict = judge(DayFacts.read(lake, collector, windows, failed, installation.now_ns()))
        path = write_page(lake, verdict)
        address = installation.settings.reports_url
        link = f"{address}/{path.relative_to(lake / REPORTS).as_posix()}" if address else None
        link_of_page = {"report": dg.MetadataValue.url(link)} if link else {}
        page = {**link_of_page, "report file": dg.MetadataValue.path(path)}
        tell(context, page | dict(_told(verdict)))
        return dg.MaterializeResult()

    return daily_verdict


def day_job() -> Any:  # noqa: ANN401 - Dagster keeps the class of unresolved jobs to itself
    """The job by which days are judged from the command line."""
    return dg.define_asset_job(
        DAY_JOB,
        selection=dg.AssetSelection.assets("daily_verdict"),
        description="The verdict on one day of one collector.",
        executor_def=dg.in_process_executor,
    )


def failed_rules(
    instance: dg.DagsterInstance, collector: Collector, windows: Sequence[Window]
) -> list[FailedRule]:
    """The rules that failed when they judged these windows last, in the order of time.

    Without that of proved seams: the verdict judges them anew, since a window made again changes
    the seam with the next one, which was judged with that.
    """
    rules = {
        dg.AssetCheckKey(asset_of(rule), rule.name): rule for rule in RULES if rule is not PROVED
    }
    starts = {str(partition_key(collector.name, window)): window.start_ns for window in windows}
    found = instance.event_log_storage.get_asset_check_partition_info(
        list(rules), partition_keys=list(starts)
    )
    return sorted(
        FailedRule(
            t0_ns=starts[info.partition_key],
            stage=rules[info.check_key].stage,
            rule=rules[info.check_key].name,
            dataset=_dataset(info.check_key.asset_key),
            blocking=rules[info.check_key].severity is Severity.ERROR,
        )
        for info in found
        if info.partition_key in starts
        and info.latest_execution_status is AssetCheckExecutionRecordStatus.FAILED
    )


def _dataset(asset: dg.AssetKey) -> str | None:
    return asset.path[-1] if asset.path[-1] in _DATASETS else None


def _told(verdict: DayVerdict) -> Iterator[Entry]:
    yield "verdict", dg.MetadataValue.text(str(verdict.verdict))
    yield "coverage map", dg.MetadataValue.md(_map(verdict))
    yield "feeds", rows_table([_row(feed) for feed in verdict.feeds])
    for name, count in verdict.counts.items():
        yield f"feeds {name}", dg.MetadataValue.int(count)
    if verdict.coverage is not None:
        yield "coverage (%)", dg.MetadataValue.float(round(verdict.coverage * 100, 4))
    proved = sum(seam.is_proved for seam in verdict.seams)
    yield "seams proved", dg.MetadataValue.int(proved)
    yield "seams not proved", dg.MetadataValue.int(len(verdict.seams) - proved)
    yield "rules failed", dg.MetadataValue.int(len(verdict.facts.failed))


def _map(verdict: DayVerdict) -> str:
    return shade_map([[shade_of(cell) for cell in feed.cells] for feed in verdict.feeds])


def _row(feed: FeedVerdict) -> dict[str, Any]:
    return {
        "symbol": feed.feed.symbol,
        "dataset": feed.feed.dataset,
        "verdict": str(feed.verdict),
        "coverage": percent(feed.coverage),
        "why": "; ".join(feed.reasons),
        "notes": "; ".join(feed.notes),
    }
