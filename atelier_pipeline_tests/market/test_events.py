"""Events carry ns; the columns that Rust readers know carry ms."""

from atelier_pipeline.market import Liquidation, Trade

FACT = {
    "exchange": "bybit",
    "symbol": "BTCUSDT",
    "side": "buy",
    "price": 100.0,
    "amount": 1.0,
    "ts_event": 1_700_000_000_123_999_999,
    "ts_recv": 1_700_000_000_124_000_000,
}


def test_milliseconds_are_rounded_down():
    assert Trade(**FACT, id="1").trade_ts == 1_700_000_000_123
    assert Liquidation(**FACT).liquidation_ts == 1_700_000_000_123
