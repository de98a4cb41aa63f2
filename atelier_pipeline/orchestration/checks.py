"""Asset checks: one per validation rule, made here from the rules themselves.

The rules of a stage are judged together by one op, over the files of one partition. Nothing here
judges data.
"""

import datetime as dt
import warnings
from collections.abc import Iterator

import dagster as dg
from dagster import PreviewWarning

from atelier_pipeline import pipeline
from atelier_pipeline.lake.names import FileKind, Mode
from atelier_pipeline.orchestration.automation import checks_what_was_made
from atelier_pipeline.orchestration.installation import Installation
from atelier_pipeline.orchestration.materialise import asset_key
from atelier_pipeline.orchestration.metadata import table_of
from atelier_pipeline.validate.rule import Finding, Rule, Severity, Stage
from atelier_pipeline.validate.rules import rules_of
from atelier_pipeline.validate.tables import TABLES

OFFENDING = "offending rows"

_WHOLE_STAGE = {
    Stage.RAW: asset_key(Mode.RAW, FileKind.CAPTURES),
    Stage.SYNC: asset_key(Mode.SYNC, FileKind.SNAPSHOTS),
    Stage.AGGREGATES: dg.AssetKey("market_aggregates"),
}
"""Where a rule is shown that is about several assets of its stage."""

_MODES = {Stage.RAW: Mode.RAW, Stage.SYNC: Mode.SYNC}


def stage_checks(
    stage: Stage, partitions: dg.PartitionsDefinition, lookback: dt.timedelta
) -> dg.AssetChecksDefinition:
    """One check for each rule of `stage`; a failed ERROR stops what is downstream."""
    rules = {rule.name: rule for rule in rules_of(stage)}
    specs = [_spec(rule, partitions, lookback) for rule in rules.values()]

    @dg.multi_asset_check(name=f"{stage}_checks", specs=specs)
    def checks(
        context: dg.AssetCheckExecutionContext, installation: dg.ResourceParam[Installation]
    ) -> Iterator[dg.AssetCheckResult]:
        target = installation.target(context.op_execution_context.partition_key)
        findings = pipeline.validate(stage, *target, installation.settings)
        failed = [finding.severity for finding in findings if not finding.passed]
        installation.metrics(target[0]).rules(stage, failed)
        for finding in findings:
            yield _result(finding, rules[finding.rule])

    return checks


def asset_of(rule: Rule) -> dg.AssetKey:
    """The asset that shows a rule: the one it reads, or the one that stands for its stage."""
    read = [TABLES[name] for name in rule.reads if name in TABLES]
    own = [table.kind for table in read if table.mode is _MODES.get(rule.stage)]
    return asset_key(_MODES[rule.stage], own[0]) if len(own) == 1 else _WHOLE_STAGE[rule.stage]


def _spec(
    rule: Rule, partitions: dg.PartitionsDefinition, lookback: dt.timedelta
) -> dg.AssetCheckSpec:
    """The check of one rule, which waits until its whole stage is there.

    `partitions_def` keeps the state of each window apart; Dagster calls it a preview.
    """
    asset, whole = asset_of(rule), _WHOLE_STAGE[rule.stage]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*partitions_def.*", PreviewWarning)
        return dg.AssetCheckSpec(
            rule.name,
            asset=asset,
            additional_deps=[whole] if asset != whole else [],
            description=rule.description,
            blocking=rule.severity is Severity.ERROR,
            automation_condition=checks_what_was_made(lookback),
            partitions_def=partitions,
        )


def _result(finding: Finding, rule: Rule) -> dg.AssetCheckResult:
    sample = {} if finding.passed else {"sample": table_of(finding.sample)}
    return dg.AssetCheckResult(
        asset_key=asset_of(rule),
        check_name=rule.name,
        passed=finding.passed,
        severity=dg.AssetCheckSeverity[finding.severity],
        metadata={OFFENDING: finding.offending, **sample},
    )
