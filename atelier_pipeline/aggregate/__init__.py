"""From market snapshots to the 15 features: pure, no files, no clock."""

from atelier_pipeline.aggregate.features import (
    COLUMNS,
    aggregate,
    opening_open_interest,
    with_zeros,
)

__all__ = ["COLUMNS", "aggregate", "opening_open_interest", "with_zeros"]
