"""The Arrow schema of every file in the lake: column order, exact types, nothing else.

The first columns of the five datasets are those of the Rust crate atelier-data, which reads them by
position; ours follow. A missing value is null, never 0. docs/data-dictionary.md explains each one.
"""

import pyarrow as pa

from atelier_pipeline.market.datasets import Dataset

UTC_NS = pa.timestamp("ns", tz="UTC")

_TIMES = [("ts_event", UTC_NS), ("ts_recv", UTC_NS)]
_GRID = [("grid_ts", UTC_NS)]
_OPENING = [("opening", pa.bool_())]

_TRADES = [
    ("trade_ts", pa.uint64()),
    ("symbol", pa.string()),
    ("side", pa.string()),
    ("price", pa.float64()),
    ("amount", pa.float64()),
    ("exchange", pa.string()),
    ("id", pa.string()),
    *_TIMES,
]
_LIQUIDATIONS = [
    ("liquidation_ts", pa.uint64()),
    ("symbol", pa.string()),
    ("side", pa.string()),
    ("price", pa.float64()),
    ("amount", pa.float64()),
    ("exchange", pa.string()),
    *_TIMES,
]
_FUNDINGS = [
    ("ts", pa.uint64()),
    ("symbol", pa.string()),
    ("funding_rate", pa.float64()),
    ("next_funding_ts", pa.uint64()),
    ("exchange", pa.string()),
    *_TIMES,
    ("interval_hours", pa.float64()),
]
_OPEN_INTERESTS = [
    ("ts", pa.uint64()),
    ("symbol", pa.string()),
    ("open_interest", pa.float64()),
    ("open_interest_value", pa.float64()),
    ("exchange", pa.string()),
    *_TIMES,
]
_ORDERBOOKS = [
    ("orderbook_ts", pa.uint64()),
    ("symbol", pa.string()),
    ("exchange", pa.string()),
    ("side", pa.string()),
    ("level", pa.uint64()),
    ("price", pa.float64()),
    ("size", pa.float64()),
    *_TIMES,
]
_CHANGE_LOG = [
    ("message", pa.uint64()),
    ("update_id", pa.uint64()),
    ("is_snapshot", pa.bool_()),
]

RAW: dict[Dataset, pa.Schema] = {
    Dataset.ORDERBOOKS: pa.schema([*_ORDERBOOKS, *_CHANGE_LOG, *_OPENING]),
    Dataset.TRADES: pa.schema(_TRADES),
    Dataset.LIQUIDATIONS: pa.schema(_LIQUIDATIONS),
    Dataset.FUNDINGS: pa.schema([*_FUNDINGS, *_OPENING]),
    Dataset.OPEN_INTERESTS: pa.schema([*_OPEN_INTERESTS, *_OPENING]),
}
SYNC: dict[Dataset, pa.Schema] = {
    Dataset.ORDERBOOKS: pa.schema([*_ORDERBOOKS, *_GRID]),
    Dataset.TRADES: pa.schema([*_TRADES, *_GRID]),
    Dataset.LIQUIDATIONS: pa.schema([*_LIQUIDATIONS, *_GRID]),
    Dataset.FUNDINGS: pa.schema([*_FUNDINGS, *_GRID]),
    Dataset.OPEN_INTERESTS: pa.schema([*_OPEN_INTERESTS, *_GRID]),
}

_QUALITY = [
    ("n_trades", pa.uint64()),
    ("n_liquidations", pa.uint64()),
    ("n_late", pa.uint64()),
    ("bid_levels", pa.uint64()),
    ("ask_levels", pa.uint64()),
    ("book_valid", pa.bool_()),
    ("book_age_ns", pa.int64()),
    ("driven", pa.bool_()),
    ("filled", pa.bool_()),
    ("gap", pa.bool_()),
    ("known_at", UTC_NS),
]
SNAPSHOTS = pa.schema(
    [("grid_ts", UTC_NS), ("symbol", pa.string()), ("exchange", pa.string()), *_QUALITY]
)

FEATURES = [
    ("ob_mid_price", pa.float64()),
    ("ob_spread", pa.float64()),
    ("ob_imbalance", pa.float64()),
    ("trade_volume", pa.float64()),
    ("trade_vwap", pa.float64()),
    ("trade_count", pa.uint64()),
    ("liq_notional", pa.float64()),
    ("liq_count", pa.uint64()),
    ("liq_imbalance", pa.float64()),
    ("fr_rate", pa.float64()),
    ("fr_annualized", pa.float64()),
    ("fr_next_settlement_delta", pa.int64()),
    ("oi_contracts", pa.float64()),
    ("oi_value", pa.float64()),
    ("oi_change", pa.float64()),
]
AGGREGATES = pa.schema(
    [
        ("ts_ns", pa.uint64()),
        *FEATURES,
        ("symbol", pa.string()),
        ("exchange", pa.string()),
        *_QUALITY,
    ]
)

GAPS = pa.schema(
    [
        ("gap_id", pa.string()),
        ("exchange", pa.string()),
        ("symbol", pa.string()),
        ("dataset", pa.string()),
        ("scope", pa.string()),
        ("cause", pa.string()),
        ("ts_start", UTC_NS),
        ("ts_end", UTC_NS),
        ("update_id_before", pa.uint64()),
        ("update_id_after", pa.uint64()),
        ("lost", pa.uint64()),
        ("detail", pa.string()),
        ("capture_id", pa.string()),
        ("ts_known", UTC_NS),
    ]
)

CAPTURES = pa.schema(
    [
        ("exchange", pa.string()),
        ("symbol", pa.string()),
        ("dataset", pa.string()),
        ("window_start", UTC_NS),
        ("window_end", UTC_NS),
        ("capture_id", pa.string()),
        ("source", pa.string()),
        ("pieces", pa.uint64()),
        ("opened_at", UTC_NS),
        ("closed_at", UTC_NS),
        ("frames", pa.uint64()),
        ("bytes", pa.uint64()),
        ("events", pa.uint64()),
        ("rejected", pa.uint64()),
        ("duplicates", pa.uint64()),
        ("inexact", pa.uint64()),
        ("bad_times", pa.uint64()),
        ("reconnects", pa.uint64()),
        ("integrity", pa.string()),
        ("clock_offset_ns", pa.int64()),
        ("latency_p50_ns", pa.int64()),
        ("latency_p99_ns", pa.int64()),
        ("first_trade_id", pa.string()),
        ("last_trade_id", pa.string()),
        ("first_update_id", pa.uint64()),
        ("last_update_id", pa.uint64()),
        ("head_events", pa.uint64()),
        ("head_hash", pa.string()),
        ("tail_events", pa.uint64()),
        ("tail_hash", pa.string()),
        ("verified", pa.uint64()),
    ]
)

FRAMES = pa.schema(
    [
        ("seq", pa.uint64()),
        ("ts_recv", UTC_NS),
        ("connection", pa.uint32()),
        ("kind", pa.string()),
        ("payload", pa.binary()),
    ]
)

SCHEMA_VERSION = 2
"""2: the content hash takes by runs what repeats; see docs/decisions/parquet.md."""
