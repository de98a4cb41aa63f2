"""The rows that a reference expects, as the tables of sync files."""

import pyarrow as pa

from atelier_pipeline.lake.schemas import SNAPSHOTS, SYNC
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.synchronise import Synchronised
from atelier_pipeline_tests.synchronise.markets import NAMES, raw_table
from atelier_pipeline_tests.synchronise.reference import Reference, Tick


def expected(reference: Reference, ticks: list[Tick]) -> Synchronised:
    tables = {dataset: _table(dataset, reference, ticks) for dataset in reference.market.events}
    snapshots = pa.Table.from_pylist([tick.snapshot for tick in ticks], schema=SNAPSHOTS)
    return Synchronised(tables, snapshots)


def _table(dataset: Dataset, reference: Reference, ticks: list[Tick]) -> pa.Table:
    if dataset is Dataset.ORDERBOOKS:
        rows = [row for tick in ticks if tick.book for row in _levels(reference, tick)]
        return pa.Table.from_pylist(rows, schema=SYNC[dataset])
    stamped = [(event, tick.stamp) for tick in ticks for event in _events(dataset, tick)]
    raw = raw_table(dataset, [event for event, _ in stamped]).select(SYNC[dataset].names[:-1])
    stamps = pa.array([stamp for _, stamp in stamped], SYNC[dataset].field("grid_ts").type)
    return pa.table([*raw.columns, stamps], schema=SYNC[dataset])


def _events(dataset: Dataset, tick: Tick) -> list:
    if dataset in tick.events:
        return tick.events[dataset]
    return [tick.states[dataset]] if tick.states[dataset] is not None else []


def _levels(reference: Reference, tick: Tick) -> list[dict]:
    return [
        {
            **NAMES,
            "orderbook_ts": tick.stamp,
            "side": side,
            "level": level,
            "price": price,
            "size": size,
            "ts_event": tick.last_message.ts_event,
            "ts_recv": tick.last_message.ts_recv,
            "grid_ts": tick.stamp,
        }
        for side, levels in zip(("bid", "ask"), reference.levels(tick), strict=True)
        for level, (price, size) in enumerate(levels)
    ]


def assert_same(actual: Synchronised, wanted: Synchronised) -> None:
    """Equal to the last bit; differences are shown row by row."""
    assert_equal_rows(actual.snapshots, wanted.snapshots)
    assert actual.tables.keys() == wanted.tables.keys()
    for dataset, table in wanted.tables.items():
        assert_equal_rows(actual.tables[dataset], table)


def assert_equal_rows(actual: pa.Table, wanted: pa.Table) -> None:
    actual.validate(full=True)
    assert actual.schema == wanted.schema
    if not actual.equals(wanted):
        for one, other in zip(_readable(actual), _readable(wanted), strict=False):
            assert one == other
        assert actual.num_rows == wanted.num_rows
        raise AssertionError("the tables differ in their bits")


def _readable(table: pa.Table) -> list[dict]:
    """Rows with times as integers: Python's datetime has no ns."""
    fields = [
        pa.field(field.name, pa.int64() if pa.types.is_timestamp(field.type) else field.type)
        for field in table.schema
    ]
    return table.cast(pa.schema(fields)).to_pylist()
