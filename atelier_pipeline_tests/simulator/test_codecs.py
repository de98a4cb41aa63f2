"""The simulator and the project's codecs were written apart: here one proves the other."""

import pytest

from atelier_pipeline.exchanges.contract import Acknowledged, ConnectionSequence, Refused
from atelier_pipeline.exchanges.registry import EXCHANGES
from atelier_pipeline.market.datasets import Dataset
from atelier_pipeline.market.events import Liquidation, NormalizedDelta, TickerUpdate, Trade
from atelier_pipeline.market.orderbook import OrderbookDelta
from atelier_pipeline.simulator import frames
from atelier_pipeline_tests.simulator.conversation import Conversation

CASES = [
    ("bybit", ["BTCUSDT", "SOLUSDT"], 50),
    ("bybit", ["BTCUSDT"], 200),
    ("bybit_spot", ["BTCUSDT", "SHIBUSDT"], 50),
    ("coinbase", ["BTC-USD", "SHIB-USD"], None),
    ("coinbase_exchange", ["BTC-USD", "DOGE-USD"], None),
    ("kraken", ["BTC/USD", "DOGE/USD", "SHIB/USD"], 10),
    ("kraken", ["BTC/USD", "XRP/USD"], 100),
]


@pytest.mark.parametrize(("exchange", "symbols", "depth"), CASES)
def test_every_frame_decodes_and_every_decoded_book_is_the_true_one(exchange, symbols, depth):
    codec = EXCHANGES[exchange]
    cut = depth if codec.cuts_to_depth else None
    books = {s: OrderbookDelta(exchange=exchange, symbol=s, depth=cut) for s in symbols}
    compared = 0
    received = frames(exchange, symbols, depth=depth, duration_s=15, levels=300)
    for ts_recv, payload in received:
        for event in codec.decode(payload, ts_recv):
            if isinstance(event, NormalizedDelta):
                books[event.symbol].apply(event)
                book = books[event.symbol].to_orderbook(event.ts_event)
                assert (book.bids, book.asks) == received.book(event.symbol, depth)
                assert event.checksum in {None, books[event.symbol].checksum()}
                assert 0 < ts_recv - event.ts_event < 300_000_000
                compared += 1
    assert compared > 200 * len(symbols)


@pytest.mark.parametrize(("exchange", "symbols", "depth"), CASES[:1] + CASES[2:6])
def test_decoded_trades_are_the_markets_own_with_the_takers_side(exchange, symbols, depth):
    received = frames(exchange, symbols, depth=depth, duration_s=15, levels=300)
    tapes = {s: received.session._venue.tape(s) for s in symbols}
    steps = {s: [] for s in symbols}
    for symbol, tape in tapes.items():
        tape.listen(steps[symbol].append)
    decoded = {s: [] for s in symbols}
    for ts_recv, payload in received:
        for event in EXCHANGES[exchange].decode(payload, ts_recv):
            if isinstance(event, Trade) and not event.is_history:
                decoded[event.symbol].append((event.side, event.price, event.amount))
    for symbol, trades in decoded.items():
        price_unit = 10 ** tapes[symbol].listing.price_digits
        size_unit = 10 ** tapes[symbol].listing.size_digits
        fills = [
            ("buy" if f.is_taker_buy else "sell", f.price / price_unit, f.size / size_unit)
            for step in steps[symbol]
            for f in step.fills
        ]
        assert trades == fills[: len(trades)]
        assert len(fills) - 10 < len(trades) > 30


def test_decoded_perpetual_data_is_the_markets_own():
    received = frames("bybit", ["BTCUSDT"], duration_s=60, levels=300)
    tape = received.session._venue.tape("BTCUSDT")
    happened, decoded, state = [], [], {}
    tape.listen_liquidations(happened.append)
    for ts_recv, payload in received:
        for event in EXCHANGES["bybit"].decode(payload, ts_recv):
            if isinstance(event, Liquidation):
                decoded.append((event.ts_event // 10**6, event.side, event.price, event.amount))
            elif isinstance(event, TickerUpdate):
                state = {} if event.is_snapshot else state
                for name in ("funding_rate", "next_funding_ts", "open_interest", "interval_hours"):
                    if getattr(event, name) is not None:
                        state[name] = getattr(event, name)
                perpetual = tape.perpetual
                assert state == {
                    "funding_rate": perpetual.funding / 10**8,
                    "next_funding_ts": perpetual.next_funding_ms(event.ts_event),
                    "open_interest": 2 * perpetual.open_interest / 1000,
                    "interval_hours": 8.0,
                }
    expected = [
        (item.ts // 10**6, "buy" if item.is_long else "sell", item.price / 100, item.size / 1000)
        for item in happened
    ]
    assert decoded == expected[: len(decoded)]
    assert len(decoded) > 2


@pytest.mark.parametrize(("exchange", "symbols", "depth"), CASES)
def test_the_codecs_own_requests_are_acknowledged_topic_by_topic(exchange, symbols, depth):
    codec = EXCHANGES[exchange]
    client = Conversation(exchange)
    asked = codec.subscribe(symbols, codec.datasets, depth)
    sent = []
    for request in asked:
        sent += client.session.on_message(request.payload, client.now)
    sent += client.session.tick(client.now + 10**9)
    events = [e for m in sent for e in codec.decode(m.payload.encode(), m.ts)]
    acks = [event for event in events if isinstance(event, Acknowledged)]
    assert not [event for event in events if isinstance(event, Refused)]
    acknowledged = {topic for ack in acks for topic in ack.topics}
    named = {ack.request_id for ack in acks}
    for request in asked:
        assert request.request_id in named or set(request.topics) <= acknowledged


@pytest.mark.parametrize(("exchange", "symbols", "depth"), CASES)
def test_the_codecs_own_unsubscribe_ends_the_data(exchange, symbols, depth):
    codec = EXCHANGES[exchange]
    client = Conversation(exchange)
    for ask in (codec.subscribe, codec.unsubscribe):
        for request in ask(symbols, codec.datasets, depth):
            client.session.on_message(request.payload, client.now)
        client.now += 10**9
        client.session.tick(client.now)
    sent = client.session.tick(client.now + 3 * 10**9)
    market = (NormalizedDelta, Trade, TickerUpdate, Liquidation)
    decoded = [e for m in sent for e in codec.decode(m.payload.encode(), m.ts)]
    assert not [event for event in decoded if isinstance(event, market)]


@pytest.mark.parametrize(
    ("exchange", "symbol"),
    [
        ("bybit", "NOPEUSDT"),
        ("bybit_spot", "NOPEUSDT"),
        ("coinbase", "NOPE-USD"),
        ("coinbase_exchange", "NOPE-USD"),
        ("kraken", "NOPE/USD"),
    ],
)
def test_refusals_decode_as_refusals_that_name_the_symbol(exchange, symbol):
    codec = EXCHANGES[exchange]
    client = Conversation(exchange)
    for request in codec.subscribe([symbol], frozenset({Dataset.ORDERBOOKS}), 50)[:1]:
        sent = client.session.on_message(request.payload, client.now)
        refused = [e for m in sent for e in codec.decode(m.payload.encode(), m.ts)]
        assert [type(event) for event in refused] == [Refused]
        named = f"{refused[0].reason} {refused[0].topic} {request.request_id}"
        assert symbol in named or "depth not supported" in named


def test_the_codec_reads_every_connection_number_of_coinbase():
    numbers = [
        event.number
        for ts_recv, payload in frames("coinbase", ["BTC-USD"], duration_s=10, levels=200)
        for event in EXCHANGES["coinbase"].decode(payload, ts_recv)
        if isinstance(event, ConnectionSequence)
    ]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > 150


@pytest.mark.parametrize("exchange", ["bybit", "bybit_spot", "kraken"])
def test_the_codecs_ping_is_answered_by_what_it_calls_a_heartbeat(exchange):
    codec = EXCHANGES[exchange]
    client = Conversation(exchange)
    sent = client.session.on_message(codec.ping("p1"), client.now)
    events = [type(e).__name__ for m in sent for e in codec.decode(m.payload.encode(), m.ts)]
    assert events == ["Heartbeat"]
