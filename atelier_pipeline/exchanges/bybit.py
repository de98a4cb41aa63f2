"""Bybit v5 linear perpetuals: order books, trades, liquidations, funding and open interest."""

from functools import partial

from atelier_pipeline.exchanges import bybit_v5
from atelier_pipeline.exchanges.contract import Exchange
from atelier_pipeline.market.datasets import Dataset

_DATASETS = frozenset(Dataset)

EXCHANGE = Exchange(
    name="bybit",
    url="wss://stream.bybit.com/v5/public/linear",
    datasets=_DATASETS,
    depths=bybit_v5.DEPTHS,
    cuts_to_depth=False,
    book_integrity="update_id",
    trade_ids_contiguous=False,
    ping=bybit_v5.ping,
    ping_interval_secs=bybit_v5.PING_INTERVAL_SECS,
    max_topics=bybit_v5.MAX_TOPICS,
    connect_limit=bybit_v5.CONNECT_LIMIT,
    subscribe=partial(bybit_v5.requests, "subscribe"),
    unsubscribe=partial(bybit_v5.requests, "unsubscribe"),
    decode=bybit_v5.decoder_of("bybit", _DATASETS),
    inexact=bybit_v5.inexact,
    book_shapes=bybit_v5.BOOK_SHAPES,
)
