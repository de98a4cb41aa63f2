"""Two commands that keep a lake in order do it one after the other."""

import pytest

from atelier_pipeline.errors import LakeError
from atelier_pipeline.housekeeping.turns import one_at_a_time


def test_one_at_a_time(tmp_path):
    with (
        one_at_a_time(tmp_path),
        pytest.raises(LakeError, match="is being compacted or pruned by another process"),
        one_at_a_time(tmp_path),
    ):
        pytest.fail("two at a time")
    with one_at_a_time(tmp_path):
        pass


def test_a_lake_that_does_not_exist_is_named(tmp_path):
    with (
        pytest.raises(LakeError, match=r"can't work on .*none: No such file"),
        one_at_a_time(tmp_path / "none"),
    ):
        pytest.fail("no lake")
