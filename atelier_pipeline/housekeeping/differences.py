"""How two tables of one kind of file differ, row by row; reads no file.

Rows are paired by what identifies them, the n-th with the n-th where several have the same
identity. Floats are compared by their bits, as everywhere in the lake.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from atelier_pipeline.lake.writer import check_schema
from atelier_pipeline.validate.catalog import printable

_IDENTITIES = (
    ("seq",),
    ("gap_id",),
    ("dataset", "window_start"),
    ("id",),
    ("grid_ts", "side", "level"),
    ("ts_ns",),
    ("ts_recv", "ts_event", "side", "price"),
)
"""What identifies a row of a kind of file: the first of these whose first column the file has."""

_SAMPLE = pa.schema(
    [
        ("kind", pa.string()),
        ("old_row", pa.int64()),
        ("new_row", pa.int64()),
        ("row", pa.string()),
        ("old", pa.string()),
        ("new", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Difference:
    """What became of the rows of an old table in a new one.

    Attributes:
        added: rows that only the new table has.
        missing: rows that only the old one has.
        changed: rows that both have, with other values.
        reordered: places where rows that both have follow each other in another order.
        columns: how many changed rows differ in each column.
        sample: the first of all these, by their place: `kind`, `old_row` and `new_row` (from 0,
            null for none), `row` (its identity), `old` and `new` (of changed rows what differs).
    """

    added: int
    missing: int
    changed: int
    reordered: int
    columns: Mapping[str, int]
    sample: pa.Table

    @property
    def is_none(self) -> bool:
        """Whether the tables hold the same rows in the same order."""
        return not (self.added or self.missing or self.changed or self.reordered)

    def __str__(self) -> str:
        parts = [
            f"{count:,} {kind}"
            for kind in ("added", "missing", "changed")
            if (count := getattr(self, kind))
        ]
        if self.changed:
            parts[-1] += f" in {', '.join(self.columns)}"
        if self.reordered:
            parts.append(f"another order at {self.reordered:,} places")
        return "; ".join(parts) or "no difference"


def differences(old: pa.Table, new: pa.Table, *, sample_rows: int = 20) -> Difference:
    """How `new` differs from `old`, two tables of one kind of lake file.

    There is none exactly where both have the same content hash. Raises LakeError where the schemas
    differ.
    """
    check_schema(new.schema, old.schema, "the new table")
    tables = _comparable(old), _comparable(new)
    identity = _identity(old.schema)
    pairs = _paired(*tables, identity)
    both = pairs.drop_nulls().sort("old_row")
    unlike = _unlike(*tables, both)
    changed = np.logical_or.reduce([np.zeros(len(both), np.bool_), *unlike.values()])
    moved = np.diff(both["new_row"].to_numpy(), prepend=-1) < 0
    found = {
        "added": pairs.filter(pl.col("old_row").is_null()),
        "missing": pairs.filter(pl.col("new_row").is_null()),
        "changed": both.filter(pl.Series(changed)),
        "reordered": both.filter(pl.Series(moved)),
    }
    return Difference(
        added=len(found["added"]),
        missing=len(found["missing"]),
        changed=len(found["changed"]),
        reordered=len(found["reordered"]),
        columns={name: int(rows.sum()) for name, rows in unlike.items() if rows.any()},
        sample=_sample((old, new), found, identity, sample_rows),
    )


def _identity(schema: pa.Schema) -> list[str]:
    """The columns that identify a row."""
    names = next(names for names in _IDENTITIES if names[0] in schema.names)
    return [name for name in names if name in schema.names]


def _comparable(table: pa.Table) -> pl.DataFrame:
    """The columns with values that are equal where the lake takes them for equal."""
    columns = [_bits(column) for column in table.columns]
    return pl.DataFrame(pa.table(columns, names=table.column_names))


def _bits(column: "pa.ChunkedArray[Any]") -> "pa.ChunkedArray[Any]":
    if pa.types.is_floating(column.type) or pa.types.is_timestamp(column.type):
        return pa.chunked_array([chunk.view(pa.int64()) for chunk in column.chunks], pa.int64())
    return column


def _paired(old: pl.DataFrame, new: pl.DataFrame, identity: list[str]) -> pl.DataFrame:
    """`old_row` and `new_row` of every row, one of them null where the other table lacks it."""
    mine, theirs = (
        rows.select(
            *identity,
            pl.int_range(pl.len()).over(identity).alias("nth"),
            pl.int_range(pl.len(), dtype=pl.Int64).alias(number),
        )
        for rows, number in ((old, "old_row"), (new, "new_row"))
    )
    pairs = mine.join(theirs, on=[*identity, "nth"], how="full", nulls_equal=True)
    return pairs.select("old_row", "new_row")


def _unlike(
    old: pl.DataFrame, new: pl.DataFrame, both: pl.DataFrame
) -> dict[str, NDArray[np.bool_]]:
    """By column, which of the paired rows differ in it."""
    rows = both["old_row"], both["new_row"]
    return {
        name: old[name].gather(rows[0]).ne_missing(new[name].gather(rows[1])).to_numpy()
        for name in old.columns
    }


def _sample(
    tables: tuple[pa.Table, pa.Table],
    found: Mapping[str, pl.DataFrame],
    identity: list[str],
    count: int,
) -> pa.Table:
    """The first `count` of what was found, by the number of the new row, else of the old one."""
    place = pl.coalesce("new_row", "old_row")
    kinds = [
        rows.sort(place).head(count).with_columns(pl.lit(kind).alias("kind"))
        for kind, rows in found.items()
    ]
    first = pl.concat(kinds).sort(place, maintain_order=True).head(count)
    rows = [_told(row, tables, identity) for row in first.iter_rows(named=True)]
    return pa.Table.from_pylist(rows, _SAMPLE)


def _told(
    found: dict[str, Any], tables: tuple[pa.Table, pa.Table], identity: list[str]
) -> dict[str, Any]:
    """One row of the sample."""
    old, new = (
        None if (row := found[number]) is None else table.slice(row, 1)
        for table, number in zip(tables, ("old_row", "new_row"), strict=True)
    )
    known = old if old is not None else new
    shown = [name for name in tables[0].column_names if name not in identity]
    if old is not None and new is not None:
        shown = [name for name in shown if not _bits(old[name]).equals(_bits(new[name]))]
    return {
        **found,
        "row": _text(known, identity),
        "old": _text(old, shown),
        "new": _text(new, shown),
    }


def _text(row: pa.Table | None, names: list[str]) -> str | None:
    """Some values of a row, those that are null left out."""
    if row is None:
        return None
    values = printable(row.select(names)).to_pylist()[0] if names else {}
    return ", ".join(f"{name}={value}" for name, value in values.items() if value is not None)
