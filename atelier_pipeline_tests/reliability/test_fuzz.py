"""A short run of the fuzzer; the long one is a command."""

import pytest

from atelier_pipeline.errors import DecodeError
from atelier_pipeline.exchanges.registry import EXCHANGES
from atelier_pipeline_tests.reliability import fuzz
from atelier_pipeline_tests.reliability.collectors import SYMBOLS

FRAMES = 5_000


@pytest.mark.parametrize("exchange", SYMBOLS)
def test_mutated_frames_are_decoded_or_refused_and_nothing_else(exchange: str):
    counts = fuzz.fuzz(exchange, fuzz.corpus(exchange, None), FRAMES, seed=7)
    assert counts["decoded"] + counts["refused"] == FRAMES
    assert counts["decoded"] > FRAMES // 100
    assert counts["refused"] > FRAMES // 10
    assert FRAMES // 500 < counts["scanned"] < counts["decoded"]


def test_every_decoder_is_fuzzed():
    assert list(SYMBOLS) == sorted(EXCHANGES)


def test_the_same_seed_gives_the_same_frames():
    seeds = fuzz.corpus("kraken", None)
    first, again, other = (list(fuzz.mutations(seeds, 200, seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_a_finding_says_how_to_repeat_it(monkeypatch: pytest.MonkeyPatch):
    class Broken:
        @staticmethod
        def decode(payload: bytes, _ts_recv: int) -> list[object]:
            raise DecodeError("") if payload.endswith(b"}") else ZeroDivisionError

    monkeypatch.setitem(EXCHANGES, "kraken", Broken)
    with pytest.raises(ZeroDivisionError) as found:
        fuzz.fuzz("kraken", fuzz.corpus("kraken", None), FRAMES, seed=7)
    assert "kraken, seed 7, frame " in found.value.__notes__[0]
