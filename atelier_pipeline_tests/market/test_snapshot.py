"""The objects of a tick carry the names of the files' columns."""

import subprocess
import sys

from atelier_pipeline.lake.schemas import AGGREGATES, FEATURES, SNAPSHOTS
from atelier_pipeline.market.snapshot import MarketAggregate, Quality


def test_the_quality_of_a_tick_has_the_names_of_its_columns():
    assert list(Quality.__struct_fields__) == SNAPSHOTS.names[3:]


def test_an_aggregate_has_the_names_and_order_of_its_columns():
    names = ["ts_ns", *(name for name, _ in FEATURES), "symbol", "exchange", "quality"]
    assert list(MarketAggregate.__struct_fields__) == names
    assert AGGREGATES.names == names[:-1] + list(Quality.__struct_fields__)


def test_the_vocabulary_is_imported_without_a_compiler():
    program = "import sys, atelier_pipeline.market; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
