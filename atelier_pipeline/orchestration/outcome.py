"""What one run of `window_job` left in Dagster: rows, files, checks, errors."""

from dataclasses import dataclass, field

import dagster as dg

from atelier_pipeline.orchestration.checks import OFFENDING

ROWS = "rows"
_RECORDED = {
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.STEP_FAILURE,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run that has ended.

    Attributes:
        succeeded: every step did.
        numbers: (asset, metadata key) → number, of each materialisation.
        passed: names of the checks that held.
        failed: name → offending rows, of the checks that did not and are errors.
        warned: the same of those that are warnings.
        problems: why steps failed, one line each.
    """

    succeeded: bool
    numbers: dict[tuple[str, str], int] = field(default_factory=dict)
    passed: list[str] = field(default_factory=list)
    failed: dict[str, int] = field(default_factory=dict)
    warned: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def total(self, key: str, prefix: str = "") -> int:
        """The sum of one metadata key over the assets that begin with `prefix`."""
        return sum(
            number
            for (asset, name), number in self.numbers.items()
            if name == key and asset.startswith(prefix)
        )


def outcome_of(instance: dg.DagsterInstance, run_id: str) -> Outcome:
    """What the run with `run_id` recorded."""
    run = instance.get_run_by_id(run_id)
    outcome = Outcome(run is not None and run.is_success)
    for entry in instance.all_logs(run_id, of_type=_RECORDED):
        event = entry.get_dagster_event()
        if event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION:
            _add_numbers(event.step_materialization_data.materialization, outcome)
        elif event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            _add_check(event.asset_check_evaluation_data, outcome)
        else:
            _add_problem(event, outcome)
    return outcome


def _add_numbers(materialization: dg.AssetMaterialization, outcome: Outcome) -> None:
    asset = materialization.asset_key.to_user_string()
    for key, value in materialization.metadata.items():
        if isinstance(value, dg.IntMetadataValue) and value.value is not None:
            outcome.numbers[asset, key] = value.value


def _add_check(evaluation: dg.AssetCheckEvaluation, outcome: Outcome) -> None:
    name = f"{evaluation.asset_key.to_user_string()}: {evaluation.check_name}"
    if evaluation.passed:
        outcome.passed.append(name)
        return
    failed = evaluation.severity is dg.AssetCheckSeverity.ERROR
    offending = evaluation.metadata[OFFENDING].value
    (outcome.failed if failed else outcome.warned)[name] = int(str(offending))


def _add_problem(event: dg.DagsterEvent, outcome: Outcome) -> None:
    """The innermost cause, in its first line; failed checks are told by themselves."""
    error = event.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    if error is not None and error.cls_name != "DagsterAssetCheckFailedError":
        outcome.problems.append(f"{event.step_key}: {error.message.strip().splitlines()[0]}")
