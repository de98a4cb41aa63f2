import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atelier_pipeline.simulator.listings import ASSETS, LISTINGS
from atelier_pipeline.simulator.market import FairPrice, Instrument, Ladder
from atelier_pipeline.simulator.venue import Venue, seeded

NOW = 1_767_225_600 * 10**9


def market(exchange="kraken", symbol="BTC/USD", *, seed=7, levels=200):
    listing = LISTINGS[exchange][symbol]
    fair = FairPrice(seeded(seed), ASSETS[listing.asset])
    instrument = Instrument(listing, fair, seeded(seed), levels=levels)
    instrument.open(NOW)
    return instrument


@given(st.lists(st.tuples(st.integers(-30, 30), st.integers(0, 3)), max_size=60))
def test_a_ladder_is_a_sorted_dict_of_what_was_put(puts):
    ladder, plain = Ladder(is_bid=False), {}
    for key, size in puts:
        assert ladder.put(key, size) == plain.get(key, 0)
        plain[key] = size
        plain = {key: size for key, size in plain.items() if size}
    assert ladder.levels() == sorted(plain.items())
    assert ladder.levels(2) == sorted(plain.items())[:2]


def test_a_bid_ladder_has_its_highest_price_first():
    ladder = Ladder(is_bid=True)
    for price in (99, 101, 100):
        ladder.put(-price, 5)
    assert ladder.levels() == [(101, 5), (100, 5), (99, 5)]


@settings(max_examples=8)
@given(st.integers(0, 2**32), st.sampled_from([(e, s) for e in LISTINGS for s in LISTINGS[e]]))
def test_no_step_crosses_empties_or_misaligns_a_book(seed, listed):
    instrument = market(*listed, seed=seed)
    tick = instrument.listing.tick
    for k in range(1, 400):
        instrument.step(NOW + k * 50_000_000)
        assert instrument.asks.keys[0] > -instrument.bids.keys[0]
        for ladder in (instrument.bids, instrument.asks):
            assert len(ladder.keys) >= 15
            assert all(price > 0 and price % tick == 0 for price, _ in ladder.levels(20))
            assert all(size > 0 for size in ladder.sizes.values())


def test_the_changes_of_a_step_lead_from_the_book_before_to_the_book_after():
    instrument = market()
    copy = {(True, k): s for k, s in instrument.bids.sizes.items()}
    copy |= {(False, k): s for k, s in instrument.asks.sizes.items()}
    for k in range(1, 300):
        for change in instrument.step(NOW + k * 50_000_000).changes:
            assert change.before == copy.get((change.is_bid, change.key), 0)
            copy[change.is_bid, change.key] = change.size
    now = {(True, k): s for k, s in instrument.bids.sizes.items()}
    now |= {(False, k): s for k, s in instrument.asks.sizes.items()}
    assert {level: size for level, size in copy.items() if size} == now


def test_every_trade_takes_its_size_from_a_level_of_the_other_side():
    instrument = market()
    fills = 0
    for k in range(1, 1000):
        step = instrument.step(NOW + k * 50_000_000)
        taken = [c for c in step.changes if c.size < c.before]
        for fill in step.fills:
            key = fill.price if fill.is_taker_buy else -fill.price
            assert any(
                c.is_bid != fill.is_taker_buy and c.key == key and c.before - c.size == fill.size
                for c in taken
            )
            fills += 1
    assert fills > 100


def test_trade_ids_grow_by_one():
    instrument = market()
    ids = [f.id for k in range(1, 500) for f in instrument.step(NOW + k * 50_000_000).fills]
    assert ids == list(range(ids[0], ids[0] + len(ids)))


def test_a_liquidated_long_sells_into_the_bids_and_goes_bankrupt_below_them():
    instrument = market("bybit", "BTCUSDT")
    seen = set()
    for k in range(1, 40):
        step, liquidation = instrument.liquidate(NOW + k)
        seen.add(liquidation.is_long)
        prices = [fill.price for fill in step.fills]
        assert all(fill.is_taker_buy != liquidation.is_long for fill in step.fills)
        assert sum(fill.size for fill in step.fills) == liquidation.size
        if liquidation.is_long:
            assert liquidation.price < min(prices)
        else:
            assert liquidation.price > max(prices)
    assert seen == {True, False}


def test_the_fair_price_is_a_function_of_seed_and_time_that_stays_near_its_level():
    fair, again = FairPrice(seeded(3), 100.0), FairPrice(seeded(3), 100.0)
    hours = [NOW + k * 3_600 * 10**9 for k in range(2_000)]
    prices = [fair.at(time_ns) for time_ns in hours]
    assert prices == [again.at(time_ns) for time_ns in reversed(hours)][::-1]
    assert 99.0 < min(prices) < 100.0 < max(prices) < 101.0
    assert FairPrice(seeded(4), 100.0).at(NOW) != prices[0]


def test_the_mid_price_follows_the_fair_price_on_every_exchange():
    for exchange, listings in LISTINGS.items():
        venue = Venue(exchange, seed=7, rate=20.0, start_ns=NOW, levels=200)
        symbol = next(iter(listings))
        venue.tape(symbol)
        venue.agenda.run_until(NOW + 60 * 10**9)
        bids, asks = venue.book(symbol, 1)
        fair = venue.fair("BTC").at(NOW + 60 * 10**9)
        assert (bids[0][0] + asks[0][0]) / 2 == pytest.approx(fair, rel=1e-4)


def test_asking_for_the_whole_book_gives_about_as_many_levels_as_were_wanted():
    venue = Venue("coinbase", seed=7, rate=20.0, start_ns=NOW, levels=5_000)
    venue.tape("BTC-USD")
    venue.agenda.run_until(NOW + 10 * 10**9)
    bids, asks = venue.book("BTC-USD")
    assert 4_400 < len(bids) < 5_600
    assert 4_400 < len(asks) < 5_600


def test_a_venue_that_does_not_exist_and_a_rate_of_nothing_are_refused():
    with pytest.raises(ValueError, match="no simulated exchange 'nyse'"):
        Venue("nyse", seed=7, rate=20.0, start_ns=NOW)
    with pytest.raises(ValueError, match="rate is 0"):
        Venue("kraken", seed=7, rate=0, start_ns=NOW)
