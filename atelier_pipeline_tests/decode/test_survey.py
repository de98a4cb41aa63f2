"""What a recording is found to hold."""

from pathlib import Path

import pytest

from atelier_pipeline.decode.survey import Survey, survey
from atelier_pipeline.exchanges.contract import Acknowledged
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline_tests.decode.replays import replay
from atelier_pipeline_tests.decode.script import Script, at, book, liquidation, ticker, trade


def test_a_survey_tells_times_feeds_depths_and_what_is_not_documented() -> None:
    script = Script().says(1, Acknowledged(depth=5)).says(2, trade(1.5, 1), book(1.7, depth=1))
    script.garbage(3).says(4, ticker(3.9, interest=1.0), liquidation(3.8))
    script.says(5, trade(4.9, 2, symbol="B"))
    assert survey(script.batches(2), script.exchange) == Survey(
        first=at(1.5),
        last=at(5),
        datasets={
            "A": frozenset(
                {
                    Dataset.ORDERBOOKS,
                    Dataset.TRADES,
                    Dataset.LIQUIDATIONS,
                    Dataset.OPEN_INTERESTS,
                }
            ),
            "B": frozenset({Dataset.TRADES}),
        },
        depths=frozenset({1, 5}),
        undecodable=1,
    )


def test_times_that_can_not_be_true_and_past_trades_leave_the_span_alone() -> None:
    script = Script().says(2, trade(0, 1, ts_event=0), trade(100, 2), trade(-90_000, 3))
    script.says(3, trade(-5, 4, history=True), trade(1, 5))
    found = survey(script.batches(), script.exchange)
    assert (found.first, found.last) == (at(1), at(3))


def test_without_receive_times_the_events_span_the_recording() -> None:
    script = Script().untimed(trade(2, 1), trade(5, 2)).untimed(trade(3, 3))
    found = survey(script.batches(), script.exchange)
    assert (found.first, found.last) == (at(2), at(5))


def test_no_frames_have_no_span() -> None:
    script = Script()
    assert survey(script.batches(), script.exchange) == Survey(0, 0, {}, frozenset(), 0)


@pytest.mark.parametrize(
    ("name", "depths"),
    [
        ("kraken/btc-usd_book25", {25}),
        ("kraken/reshaped_2021", set[int]()),
        ("bybit/reshaped_2021", {200}),
        ("bybit_spot/testnet_book1_book50_trades", {1, 50}),
        ("coinbase/reshaped_2021", set[int]()),
    ],
)
def test_recordings_say_their_depth_or_not(recordings: Path, name: str, depths: set[int]) -> None:
    assert replay(recordings, name).survey.depths == depths
