import pytest

from atelier_pipeline.errors import LakeError
from atelier_pipeline.lake import source
from atelier_pipeline.lake.names import FileKind, lake_path
from atelier_pipeline.lake.source import claim_lake, lake_source
from atelier_pipeline.lake.writer import Footer, write_table
from atelier_pipeline_tests.lake.rows import T0, trades


def test_a_lake_keeps_the_source_that_claimed_it_first(tmp_path):
    lake = tmp_path / "data" / "lake"
    assert lake_source(lake) is None
    claim_lake(lake, "live")
    claim_lake(lake, "live")
    assert (lake / "_source").read_text() == "live\n"
    with pytest.raises(LakeError, match="holds live data; simulated data needs a lake of its own"):
        claim_lake(lake, "simulated")
    assert lake_source(lake) == "live"


@pytest.mark.parametrize("name", ["", "Live", "test", "live\n"])
def test_an_unknown_source_claims_nothing(tmp_path, name):
    with pytest.raises(LakeError, match="not one of live, simulated, replay"):
        claim_lake(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_a_table_of_another_source_is_not_written_into_a_lake(tmp_path):
    def write(hours, origin):
        t0 = T0 + hours * 3_600_000_000_000
        path = lake_path(tmp_path, "bybit", "BTCUSDT", FileKind.TRADES, "raw", t0)
        footer = Footer(exchange="bybit", symbol="BTCUSDT", source=origin)
        return write_table(trades(3), path, footer)

    first = write(0, "replay")
    with pytest.raises(LakeError, match="holds replay data"):
        write(1, "live")
    with pytest.raises(LakeError, match="source '' is not one of"):
        write(1, "")
    assert sorted(p for p in tmp_path.rglob("*") if p.is_file()) == [
        tmp_path / "_source",
        first.path,
    ]


def test_of_two_claims_at_once_the_one_that_was_written_counts(tmp_path, monkeypatch):
    """Another process writes its marker between our look and our write."""
    claim_lake(tmp_path, "simulated")
    looks = iter([None, "simulated"])
    monkeypatch.setattr(source, "lake_source", lambda _: next(looks))
    with pytest.raises(LakeError, match="holds simulated data"):
        claim_lake(tmp_path, "live")
    assert lake_source(tmp_path) == "simulated"


def test_a_marker_that_can_not_be_read_is_named(tmp_path):
    (tmp_path / "_source").mkdir()
    with pytest.raises(LakeError, match=r"can't read .*_source"):
        claim_lake(tmp_path, "live")
