"""What Dagster keeps of a run for ever, and how an old run's log is taken from it.

The only place that knows how Dagster lays out its SQLite event log, by private names of it: a file
for each run, and an index that has what belongs to assets once more. `DagsterInstance.delete_run`
would forget the materialisations as well, and their partitions would be missing.
"""

from pathlib import Path

import dagster as dg
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._serdes import deserialize_value, serialize_value
from sqlalchemy import Connection, delete, select, update

_EVENTS = SqlEventLogStorageTable.c
_ENDED_WELL = (
    dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.PIPELINE_ENQUEUED,
    dg.DagsterEventType.PIPELINE_STARTING,
    dg.DagsterEventType.PIPELINE_START,
    dg.DagsterEventType.PIPELINE_SUCCESS,
)
"""What a run that succeeded needs no longer: a plan tells of an asset only while it is not made,
the results of checks are in a table of their own, and the run's status in another database."""
_SHOWN_ONCE = (dg.MarkdownMetadataValue, dg.TableMetadataValue)
"""Pictures and tables; numbers, times and texts are the history of a partition."""


def old_logs(storage: SqliteEventLogStorage, before: float) -> list[str]:
    """Ids of the runs whose log was written last before `before`, UTC seconds, oldest first."""
    written = {run: _database(storage, run).stat().st_mtime for run in storage.get_all_run_ids()}
    return sorted((run for run, at in written.items() if at < before), key=written.__getitem__)


def forget_log(instance: dg.DagsterInstance, storage: SqliteEventLogStorage, run_id: str) -> bool:
    """Remove the log of a run that has ended; whether it was.

    The run itself, its status and tags stay, as do its materialisations without their pictures and
    tables, the results of its checks, and the plans of a run that failed, by which its partitions
    are known as failed.
    """
    run = instance.get_run_by_id(run_id)
    if run is not None and not run.is_finished:
        return False
    with storage.index_connection() as index:
        if run is not None and run.is_success:
            kinds = _EVENTS.dagster_event_type.in_([kind.value for kind in _ENDED_WELL])
            index.execute(delete(SqlEventLogStorageTable).where(_EVENTS.run_id == run_id, kinds))
        _forget_pictures(index, run_id)
    instance.compute_log_manager.delete_logs(prefix=[run_id])
    log = _database(storage, run_id)
    for suffix in ("-wal", "-shm", ""):  # the log itself last: it is what is found again
        log.with_name(log.name + suffix).unlink(missing_ok=True)
    return True


def _forget_pictures(index: Connection, run_id: str) -> None:
    """Take what is shown once from the materialisations of a run."""
    made = _EVENTS.dagster_event_type == dg.DagsterEventType.ASSET_MATERIALIZATION.value
    rows = index.execute(select(_EVENTS.id, _EVENTS.event).where(_EVENTS.run_id == run_id, made))
    for row_id, text in rows.all():
        entry = _without_pictures(deserialize_value(text, dg.EventLogEntry))
        values = {"event": serialize_value(entry)}
        index.execute(update(SqlEventLogStorageTable).where(_EVENTS.id == row_id).values(values))


def _without_pictures(entry: dg.EventLogEntry) -> dg.EventLogEntry:
    event = entry.get_dagster_event()
    data = event.step_materialization_data
    metadata = data.materialization.metadata
    kept = {name: value for name, value in metadata.items() if not isinstance(value, _SHOWN_ONCE)}
    made = data._replace(materialization=data.materialization.with_metadata(kept))
    return entry._replace(dagster_event=event._replace(event_specific_data=made))


def _database(storage: SqliteEventLogStorage, run_id: str) -> Path:
    return Path(storage.path_for_shard(run_id))
